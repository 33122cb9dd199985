"""Groups of samples -> train, val, test. Adding a group never moves the others."""

from pipeline import chance
from pipeline.params import Pack

SPLITS = ("train", "val", "test")


def split(group: str, params: Pack) -> str:
    """Assign a whole group to a split by the hash of its name."""
    draw = 100 * chance.fraction(params.seed, "split", group)
    if draw < params.test:
        return "test"
    return "val" if draw < params.test + params.val else "train"
