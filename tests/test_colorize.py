"""A trained model colors sketches of any size, by a cue that is fitted to each."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from conftest import picture

from pipeline import Halt, colorize, files, images
from pipeline.cue import cue
from pipeline.evaluation import colorize as paint
from pipeline.params import Cue, Model
from pipeline.systems import SYSTEMS, pix2pix
from pipeline.tars import Sample
from pipeline.training import save


@pytest.fixture
def model(tmp_path):
    """Save a small model that was trained with cues of sigma 10."""
    return write_model(tmp_path / "model", Cue(sigma=10.0))


def write_model(folder, trained: Cue):
    """Save a model with fresh weights."""
    torch.manual_seed(0)
    generator, _ = pix2pix.networks(Model(width=4, depth=3))
    columns = {"cue": {"method": trained.method, "sigma": trained.sigma}}
    save(folder, generator, asdict(Model(width=4, depth=3)) | {"columns": columns})
    return folder


def test_hints_of_ones_own_are_taken_as_they_are(tmp_path):
    files.write(tmp_path / "cue.png", images.encode(picture(1, 16, 8)))
    model = write_model(tmp_path / "model", Cue(method="points"))
    fitted = colorize.load(model, {"cue": tmp_path / "cue.png"}).fitted(16, 32)
    np.testing.assert_array_equal(fitted, picture(1, 16, 8).repeat(2, axis=0).repeat(2, axis=1))


def colored(colorizer, sketch):
    """Return the picture that a colorizer makes of a sketch."""
    made, told = colorizer(Sample("1", {"png": images.encode(sketch)}))
    assert (list(made.members), told) == (["png"], {})
    return images.decode(made.picture)


def test_a_cue_of_any_size_is_fitted_to_the_sketch_and_blurred_as_in_training(model, tmp_path):
    sketch, colors = picture(1, 37, 21)[..., 0], picture(2, 80, 90)
    files.write(tmp_path / "cue.png", images.encode(colors))
    colorizer = colorize.load(model, {"cue": tmp_path / "cue.png"})
    fitted = cue(images.resize(colors, 37, 21), Cue(sigma=10.0))
    expected = paint(colorizer.generator, colorizer.config, {"sketch": sketch, "cue": fitted})
    np.testing.assert_array_equal(colored(colorizer, sketch), expected)


def test_without_a_cue_the_cue_is_all_ones(model):
    sketch, colorizer = picture(1, 16, 16)[..., 0], colorize.load(model, {})
    white = np.full((16, 16, 3), 255, np.uint8)
    np.testing.assert_array_equal(
        colored(colorizer, sketch),
        paint(colorizer.generator, colorizer.config, {"sketch": sketch, "cue": white}),
    )


def test_weights_settings_cue_and_code_are_all_part_of_the_fingerprint(model, monkeypatch):
    colorizer = colorize.load(model, {})
    others = [
        replace(colorizer, weights="other"),
        replace(colorizer, config=colorizer.config | {"depth": 4}),
        replace(colorizer, guide=picture(1)),
        replace(colorizer, guide=picture(1).reshape(32, 128, 3)),
    ]
    prints = {each.fingerprint() for each in (colorizer, *others)}
    monkeypatch.setattr(colorize, "code", lambda module: ["edited"])
    assert len(prints | {colorizer.fingerprint()}) == 6
    assert colorize.load(model, {}).weights == colorizer.weights


def test_a_cue_that_the_model_cannot_use_is_refused(model, tmp_path):
    files.write(tmp_path / "cue.png", b"broken")
    with pytest.raises(Halt, match=r"cue.png: cannot decode"):
        colorize.load(model, {"cue": tmp_path / "cue.png"})
    plain = write_model(tmp_path / "plain", Cue(method="none"))
    with pytest.raises(Halt, match="was trained without cues: leave --cue out"):
        colorize.load(plain, {"cue": tmp_path / "cue.png"})


def other(folder, system):
    """Save a small model of another system."""
    torch.manual_seed(0)
    shape = Model(system=system, width=4)
    generator, _ = SYSTEMS[system].networks(shape)
    save(folder, generator, asdict(shape) | {"columns": {}})
    return folder


def test_a_reference_of_any_size_colors_a_sketch_of_any_size(tmp_path):
    files.write(tmp_path / "other.png", images.encode(picture(2, 50, 90)))
    sketch = picture(1, 37, 21)[..., 0]
    for system in ("nerk", "liu", "scft"):
        model = other(tmp_path / system, system)
        made = colored(colorize.load(model, {"reference": tmp_path / "other.png"}), sketch)
        assert made.shape == (21, 37, 3)
        with pytest.raises(Halt, match="colors by a reference: name a picture with --reference"):
            colorize.load(model, {})
        with pytest.raises(Halt, match="colors by a reference, not by a cue"):
            colorize.load(model, {"cue": tmp_path / "other.png"})


def test_a_mask_says_where_a_gray_picture_is_colored(tmp_path):
    area = np.zeros((8, 8), np.uint8)
    area[:, :4] = 255
    files.write(tmp_path / "mask.png", images.encode(area))
    model = other(tmp_path / "mask", "mask")
    colorizer = colorize.load(model, {"mask": tmp_path / "mask.png"})
    given = colorizer.given(picture(1, 40, 20))
    assert (given["mask"][:, :20] == 255).all()
    assert not given["mask"][:, 20:].any()
    assert colored(colorizer, picture(1, 40, 20)).shape == (20, 40, 3)
    assert (colorize.load(model, {}).given(picture(1))["mask"] == 255).all()
