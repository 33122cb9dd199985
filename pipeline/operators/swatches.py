"""One picture drawn in every way, for a sheet that compares them as the literature does."""

from collections.abc import Iterable, Mapping, Sequence

from pipeline.images import codec, pixels
from pipeline.images.sheets import Strip
from pipeline.operators.lines import CANON_SIDE
from pipeline.operators.sketch import PRESETS, complexity, draw_sketch
from pipeline.params import Sketch

BLOCKSIZES = (3, 5, 7, 9, 11, 13)  # those that the literature compares
PLAIN_METHODS = ("canny", "dog", "pencil")  # methods that have no preset
TILES_PER_ROW = 7  # the original and the usual blocksizes


def list_methods(thresholds: Iterable[int] = BLOCKSIZES, weights: str = "") -> list[dict[str, Sketch]]:
    """Name the sketches to compare: a threshold per blocksize, and then all others.

    With `weights`, the learned one is among them. Raise ValueError for a blocksize out of its bounds.
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
    """Draw a picture in all ways, cropped to a square around its center; each group begins a row.

    The captions tell the complexity, at 256 px whatever `side` is, in percent. Raise BadImage, or Halt if
    weights cannot be used.
    """
    image = codec.decode(picture, least=max(side, CANON_SIDE))
    shown, measured = (pixels.square(image, length) for length in (side, CANON_SIDE))
    drawn = [
        [
            (draw_sketch(shown, way), f"{label}  {complexity(measured, way):.1f} %")
            for label, way in group.items()
        ]
        for group in groups
    ]
    drawn[0].insert(0, (shown, "original"))
    lines = [tiles[at : at + TILES_PER_ROW] for tiles in drawn for at in range(0, len(tiles), TILES_PER_ROW)]
    return [Strip("" if number else name, tiles) for number, tiles in enumerate(lines)]
