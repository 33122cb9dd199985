"""Colored samples -> contact sheets: of one model by all its guides, and of several models by each guide."""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from pipeline.evaluation.labels import MODEL, compared_conditions, condition_title
from pipeline.evaluation.measures import psnr
from pipeline.evaluation.protocol import ColoredSample, Evaluation
from pipeline.images import sheets
from pipeline.operators.cue import HINT_METHODS

ONE_ROW = 4  # pairs of pictures that fit side by side
GUIDE_CAPTIONS = {"different": "another reference", "unseen": "another kind of sketch", "none": "nothing"}


def model_sheet(evaluation: Evaluation) -> np.ndarray:
    """Draw the sketch and the original of each test picture, then each guide and what came out.

    Many guides take two rows for each picture, with the results below the guides.
    """
    strips = []
    for samples in evaluation.samples.values():
        paired = samples["paired"]
        columns = [(source_tile(paired), (paired.given["color"], "original"))]
        columns += [(guide_tile(name, sample), result_tile("", sample)) for name, sample in samples.items()]
        rows = [chain(*columns)] if len(columns) <= ONE_ROW else zip(*columns, strict=True)
        strips += [sheets.Strip("", list(row)) for row in rows]
    return sheets.contact_sheet(strips, evaluation.summary["side"])


def models_sheet(evaluations: Mapping[str, Evaluation]) -> np.ndarray:
    """Draw a part for each condition and guide, and in it a row for each test picture: what each model made.

    A row begins with the sketch, the original and the guide. `evaluations` have the names of their models.
    """
    strips, summaries = [], {name: each.summary for name, each in evaluations.items()}
    for (condition, guide), names in compared_conditions(summaries).items():
        for number, key in enumerate(next(iter(evaluations.values())).samples):
            samples = {name: evaluations[name].samples[key][own] for name, own in names.items()}
            first = next(iter(samples.values()))
            shown = guide if condition == "unseen" else condition
            tiles = [source_tile(first), (first.given["color"], "original"), guide_tile(shown, first)]
            tiles += [result_tile(name, sample) for name, sample in samples.items()]
            strips.append(sheets.Strip("" if number else condition_title(condition, guide), tiles))
    return sheets.contact_sheet(strips, next(iter(evaluations.values())).summary["side"])


def source_tile(sample: ColoredSample) -> sheets.Tile:
    """Show what is colored: the sketch, or the picture in gray."""
    if sample.guide == "gray":
        return sample.pictures["gray"], "gray"
    return sample.given["sketch"], "sketch"


def guide_tile(condition: str, sample: ColoredSample) -> sheets.Tile:
    """Show a guide: strokes and points over the sketch, or the sketch itself if that is unseen."""
    given, guide = sample.given, sample.guide
    caption = GUIDE_CAPTIONS.get(condition, guide)
    if guide == "none":
        return np.full_like(given["color"], 255), caption
    if condition == "unseen":
        return given["sketch"], caption
    if guide in HINT_METHODS:
        hints = given[guide]
        return np.where(hints[..., 3:] > 0, hints[..., :3], given["sketch"][..., None]), caption
    if guide == "gray":
        return given["mask"], "mask"
    return given[guide], caption


def result_tile(caption: str, sample: ColoredSample) -> sheets.Tile:
    picture = sample.pictures[MODEL]
    return picture, f"{caption}\n{psnr(sample.goal, picture):.1f} dB".strip()


def paired_tiles(name: str, made: Sequence[tuple[str, ColoredSample]]) -> list[sheets.Tile]:
    """Show the sketch, the original and the guide of a test picture, and what models made of it.

    `name` is that of the condition, and `made` has a caption for each.
    """
    last = made[-1][1]
    tiles = [source_tile(last), (last.given["color"], "original"), guide_tile(name, last)]
    return tiles + [(sample.pictures[MODEL], caption) for caption, sample in made]
