"""Samples in tar files, columns and folders."""
