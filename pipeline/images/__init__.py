"""Pixels and their bytes."""
