"""Families of pictures -> train, val, test. Adding pictures never moves the others."""

from pipeline import chance
from pipeline.params import Pack

SPLITS = ("train", "val", "test")


def split(family: str, params: Pack) -> str:
    """Assign a whole family to a split by the hash of its name."""
    draw = 100 * chance.fraction(params.seed, "split", family)
    if draw < params.test:
        return "test"
    return "val" if draw < params.test + params.val else "train"
