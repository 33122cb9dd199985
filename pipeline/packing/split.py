"""Assignment of groups to splits by their names: adding a group never moves another."""

from pipeline import chance
from pipeline.params import Pack

SPLITS = ("train", "val", "test")


def assign_split(group: str, params: Pack) -> str:
    """Return the split of a group, drawn by a hash of its name."""
    draw = 100 * chance.fraction(params.seed, "split", group)
    if draw < params.test:
        return "test"
    return "val" if draw < params.test + params.val else "train"
