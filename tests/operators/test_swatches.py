"""The swatches of a picture are all sketches, each once, with its complexity."""

import numpy as np
import pytest
from made import picture

from pipeline import params
from pipeline.images import pixels, png
from pipeline.operators.sketch import complexity, draw_sketch
from pipeline.operators.swatches import draw_swatches, list_methods
from pipeline.params import Sketch


def test_the_methods_are_all_blocksizes_presets_and_methods_that_draw():
    methods = Sketch.__dataclass_fields__["method"].metadata["names"]
    drawn = [sketch for group in list_methods((3, 7), "netG.pth") for sketch in group.values()]
    assert [each.blocksize for each in drawn if (each.method, each.preset) == ("threshold", "none")] == [3, 7]
    assert [each.preset for each in drawn if each.preset != "none"] == list(params.PRESET_NAMES)
    others = [each.method for each in drawn if each.preset == "none" and each.method != "threshold"]
    assert sorted(others) == sorted(set(methods) - {"threshold", "own", *params.XDOG_METHODS})
    assert not [each for group in list_methods() for each in group.values() if each.method == "learned"]


def labels(rows):
    """Return the captions, and the pictures by the name at the start of their caption."""
    tiles = [tile for row in rows for tile in row.tiles]
    return [caption for _, caption in tiles], {caption.split("  ")[0]: shown for shown, caption in tiles}


@pytest.mark.parametrize("side", [64, 256])
def test_swatches_are_the_original_and_every_sketch_once_with_its_complexity(side):
    image = picture(1, 300, 280)
    groups = list_methods((5, 9))
    captions, shown = labels(draw_swatches("girl", png.encode_png(image), groups, side))
    square, canon = pixels.square(image, side), pixels.square(image, 256)
    np.testing.assert_array_equal(shown.pop("original"), square)
    named = groups[0] | groups[1]
    assert list(shown) == list(named)
    assert captions[1:] == [f"{name}  {complexity(canon, sketch):.1f} %" for name, sketch in named.items()]
    for name, sketch in named.items():
        np.testing.assert_array_equal(shown[name], draw_sketch(square, sketch))


def test_rows_have_at_most_seven_tiles_and_only_the_first_has_a_title():
    rows = draw_swatches("girl", png.encode_png(picture(1)), list_methods(range(3, 29, 2)), 48)
    assert [row.title for row in rows] == ["girl"] + [""] * (len(rows) - 1)
    assert [len(row.tiles) for row in rows] == [7, 7, 7, 6]
