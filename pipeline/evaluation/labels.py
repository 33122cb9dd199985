"""The names of conditions, of measures, and of who made a picture, and how tables head them."""

from collections.abc import Mapping
from typing import Any

MeasureRow = dict[str, Any]  # a picture under one condition, by a model or a baseline, and its measures
MODEL, GOAL = "model", "goal"  # values of `by`; every other value names a baseline
CONDITION_TITLES = {
    "paired": "By its first guide, made from the picture itself",
    "cue": "By the blurred colors of the picture",
    "strokes": "By strokes of its colors",
    "points": "By points of its colors",
    "palette": "By its dominant colors",
    "reference": "By the picture itself, bent and tinted",
    "different": "By the reference of another picture",
    "gray": "From the picture in gray, within a mask",
    "none": "By nothing",
    "unseen": "From a kind of sketch not seen in training",
}
MEASURE_COLUMNS = {  # of tables: the heading of each measure, and its decimals
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "ms_ssim": ("MS-SSIM", 3),
    "lpips": ("LPIPS", 3),
    "fid": ("FID", 1),
    "kid": ("KID", 4),
    "edges": ("edge F1", 3),
    "colors": ("color distance, ΔE", 1),
    "adherence": ("distance to the given colors, levels", 1),
    "inside": ("PSNR inside, dB", 2),
    "leakage": ("leakage outside", 4),
}
LESS_IS_BETTER = {"lpips", "fid", "kid", "colors", "adherence", "leakage"}


def compared_conditions(summaries: Mapping[str, dict[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """Return which models to compare: by condition and guide, each model's own name of that condition.

    The condition `paired` of a model is that of its guide, under which other models are measured by the same.
    `summaries` of evaluations have the names of their models.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name, summary in summaries.items():
        for own, scored in summary["conditions"].items():
            condition = scored["guide"] if own == "paired" else own
            found.setdefault((condition, scored["guide"]), {})[name] = own
    order = list(CONDITION_TITLES)
    return dict(sorted(found.items(), key=lambda item: [order.index(word) for word in item[0]]))


def condition_title(condition: str, guide: str) -> str:
    """Return the title of a condition, with the guide if that is not plain from the condition."""
    title = CONDITION_TITLES.get(condition, condition)
    return f"{title}, by {guide}" if condition == "unseen" and guide else title
