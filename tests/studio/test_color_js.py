"""Colors of the picker: hue, saturation and brightness as Python has them."""

import colorsys

import numpy as np
import pytest
from node import call_each, needs_node

pytestmark = needs_node
PICKER = "screens/color/picker.js"


@pytest.fixture(scope="module")
def colors():
    random = np.random.default_rng(0).integers(0, 256, (200, 3)).tolist()
    return [[0, 0, 0], [255, 255, 255], [9, 9, 9], [255, 0, 0], [0, 255, 0], [0, 0, 255], *random]


def test_hue_saturation_and_brightness_are_those_of_python(colors):
    found = call_each(PICKER, "toHsv", [[color] for color in colors])
    scaled = [colorsys.rgb_to_hsv(*(level / 255 for level in color)) for color in colors]
    np.testing.assert_allclose(found, np.array(scaled) * [360, 100, 100], atol=1e-9)


def test_a_color_survives_the_way_through_the_sliders(colors):
    found = call_each(PICKER, "fromHsv", [[hsv] for hsv in call_each(PICKER, "toHsv", [[c] for c in colors])])
    assert found == colors
