"""Operators: a picture in, a picture out."""
