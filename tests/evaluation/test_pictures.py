"""The sheets that show what models made of test pictures."""

import numpy as np
import pytest
from made import find_picture

from pipeline.evaluation.labels import MODEL
from pipeline.evaluation.pictures import guide_tile, model_sheet


@pytest.fixture
def found(measured):
    """Measure a model of all guides."""
    return measured("wash")[1]


def test_each_guide_lies_above_what_the_model_made_of_it(found):
    page = model_sheet(found)
    for samples in found.samples.values():
        for condition, sample in samples.items():
            guide = guide_tile(condition, sample)[0]
            columns = {x for _, x in find_picture(page, guide)}
            assert columns & {x for _, x in find_picture(page, sample.pictures[MODEL])}, condition
        assert find_picture(page, samples["paired"].given["color"])


def test_few_guides_take_one_row_for_each_picture(measured):
    _, found = measured("mask")
    page = model_sheet(found)
    for samples in found.samples.values():
        shown = samples["paired"].given["color"], samples["paired"].pictures[MODEL]
        original, result = ({y for y, _ in find_picture(page, each)} for each in shown)
        assert original & result


def test_strokes_are_shown_over_the_sketch(found):
    for samples in found.samples.values():
        sample = samples["strokes"]
        tile, caption = guide_tile("strokes", sample)
        hints, sketch = sample.given["strokes"], sample.given["sketch"]
        assert caption == "strokes"
        assert (tile[hints[..., 3] > 0] == hints[..., :3][hints[..., 3] > 0]).all()
        assert (tile[hints[..., 3] == 0] == sketch[hints[..., 3] == 0][:, None]).all()


def test_what_is_unlike_the_paired_condition_is_named_so(found):
    samples = next(iter(found.samples.values()))
    captions = {name: guide_tile(name, sample)[1] for name, sample in samples.items()}
    assert captions["different"] == "another reference"
    assert captions["unseen"] == "another kind of sketch"
    assert captions["none"] == "nothing"
    assert np.ptp(guide_tile("none", samples["none"])[0]) == 0
