"""What a model has not learned to use: doubts about drawings and guides, in a sentence each."""

from collections.abc import Iterable, Iterator

import numpy as np

from pipeline import errors
from pipeline.images import codec
from pipeline.images.pixels import resize
from pipeline.models.colorize import Colorizer
from pipeline.models.scans import is_colored, is_inverted
from pipeline.operators.flats import OPAQUE
from pipeline.shards.tar import Sample

SAID = 8  # doubts that are said; of the others, the number
LOOKED_AT = 1024  # pixels of the longer side at which a drawing is judged
WHITE_SHARE = 0.7  # of a cue, from which it may be strokes on white paper
FAINT = 8  # levels between the brightest and the darkest pixel, below which a page is blank
INK_SHARE = 0.9  # of the opaque pixels, from which a transparent drawing has lines and no paper


def find_doubts(colorizer: Colorizer, samples: Iterable[Sample]) -> list[str]:
    """Say which of the given things are not what the model has learned to use: at most nine sentences."""
    guide = "mask" if colorizer.kind == "gray" else colorizer.kind
    doubts = [*doubt_guide(colorizer, colorizer.guides.shared, f"the {guide}")]
    for sample in samples:
        if colorizer.guides.paths and sample.key in colorizer.guides.paths:
            doubts += doubt_guide(colorizer, colorizer.guides.of(sample.key), f"the {guide} of {sample.key}")
        doubts += doubt_drawing(colorizer, sample)
    rest = len(doubts) - SAID
    return doubts[:SAID] + ([f"and {rest} doubts more of these kinds"] if rest > 0 else [])


def doubt_drawing(colorizer: Colorizer, sample: Sample) -> Iterator[str]:
    """Say why a picture may be no drawing in dark lines, unless the model colors gray pictures."""
    try:
        drawing = codec.decode_rgba(sample.picture)
    except errors.BadImage:
        return
    if colorizer.kind == "gray":
        return
    scale = min(1, LOOKED_AT / max(drawing.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in drawing.shape[:2])
    drawing = resize(drawing, width, height)
    page = codec.on_white(drawing)
    if np.ptp(page) < FAINT:
        lines = "if its lines are light on a transparent ground, lay it on black, and add --invert"
        yield f"{sample.key} is blank: {lines}"
        return
    if is_colored(page):
        yield f"{sample.key} has colors: make a sketch of it first, by prep sketchify"
    elif is_inverted(page) != colorizer.options.invert:
        if colorizer.options.invert:
            yield f"{sample.key} has dark lines on light paper already: leave --invert out"
        else:
            yield f"{sample.key} is dark: lines must be black on white, so invert it, by --invert"
    opaque = drawing[drawing[..., 3] >= 128]
    if drawing[..., 3].min() < 128 and len(opaque) and (opaque[:, :3].mean(axis=1) < 128).mean() > INK_SHARE:
        yield f"{sample.key} has no paper below its lines, so that only they are seen: lay it on white"


def doubt_guide(colorizer: Colorizer, guide: np.ndarray | None, name: str) -> Iterator[str]:
    """Say what the model cannot do with a guide, or without one."""
    if guide is not None and guide[..., 3].max() < OPAQUE:
        yield f"{name} is transparent, so that it has no colors: name one with opaque colors"
        return
    cue = colorizer.network.config.get("columns", {}).get("cue")
    taken = colorizer.network.guides
    if "cue" not in taken or colorizer.kind not in ("cue", "none") or (cue and cue.get("method") == "none"):
        return
    if guide is None:
        if colorizer.guides.paths is None and "none" not in taken and not (cue or {}).get("drop"):
            yield "the model has seen no sample without a cue: name one by --cue"
    elif guide[..., 3].min() == 255:
        if colorizer.trained_cue().method == "gaussian" and is_striped(guide):
            yield f"{name} is a palette, but the model has learned blurs: name a picture, or strokes"
        elif (guide == 255).all(axis=2).mean() > WHITE_SHARE:
            yield f"most of {name} is white: if it has strokes, save them on a transparent background"


def is_striped(image: np.ndarray) -> bool:
    """Return whether all rows or all columns of a picture are equal, but not all of its pixels."""
    rows, columns = (image == image[:1]).all(), (image == image[:, :1]).all()
    return bool(rows != columns)
