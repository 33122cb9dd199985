"""One picture drawn by every sketch method, for a sheet that compares them."""

from collections.abc import Iterable, Mapping, Sequence

from pipeline.images import codec, pixels
from pipeline.images.sheets import Strip
from pipeline.operators.lines import CANON_SIDE
from pipeline.operators.sketch import PRESETS, complexity, draw_sketch
from pipeline.params import Sketch

BLOCKSIZES = (3, 5, 7, 9, 11, 13)  # those that the literature compares
PLAIN_METHODS = ("canny", "dog", "pencil")  # methods without presets
TILES_PER_ROW = 7  # the original and BLOCKSIZES


def list_methods(thresholds: Iterable[int] = BLOCKSIZES, weights: str = "") -> list[dict[str, Sketch]]:
    """Return two groups of sketches to compare, by name: a threshold per blocksize, and all other methods.

    With `weights`, the learned method is among them. Raise ValueError if a blocksize is out of bounds.
    """
    mean = Sketch(method="mean")
    others = {f"mean-b{mean.blocksize}": mean}
    others |= {name: Sketch(preset=name) for name in PRESETS}
    others |= {name: Sketch(method=name) for name in PLAIN_METHODS}
    if weights:
        others["learned"] = Sketch(method="learned", weights=weights)
    return [{f"b{size}": Sketch(blocksize=size) for size in thresholds}, others]


def draw_swatches(
    name: str, picture: bytes, groups: Sequence[Mapping[str, Sketch]], side: int
) -> list[Strip]:
    """Draw all sketches of a picture, cropped to a square around its center; each group starts a row.

    `name` is the title of the first row. The captions give the complexity at 256 px, whatever `side` is, in
    percent. Raise BadImage if the picture cannot be decoded, Halt if weights cannot be used.
    """
    image = codec.decode(picture, least=max(side, CANON_SIDE))
    original, canon = pixels.square(image, side), pixels.square(image, CANON_SIDE)
    rows = [
        [
            (draw_sketch(original, sketch), f"{label}  {complexity(canon, sketch):.1f} %")
            for label, sketch in group.items()
        ]
        for group in groups
    ]
    rows[0].insert(0, (original, "original"))
    lines = [
        row[start : start + TILES_PER_ROW] for row in rows for start in range(0, len(row), TILES_PER_ROW)
    ]
    return [Strip("" if number else name, tiles) for number, tiles in enumerate(lines)]
