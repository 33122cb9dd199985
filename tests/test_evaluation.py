"""The measures against formulas of their own, the baselines by hand, and pictures of any size."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from test_dataset import packed, sample

from pipeline import Halt, images
from pipeline.dataset import tensor
from pipeline.evaluation import baselines, colorize, evaluate, measure, psnr, ssim, summarize, table
from pipeline.params import Model
from pipeline.systems import pix2pix
from pipeline.training import save

MODEL = Model(width=4, depth=4)
CONFIG = asdict(MODEL)


@pytest.fixture(scope="module")
def generator():
    """Build a small generator whose weights are large enough to make a picture."""
    torch.manual_seed(0)
    network, _ = pix2pix.networks(MODEL)
    for parameter in network.parameters():
        parameter.data *= 5
    return network.eval()


@pytest.fixture(scope="module")
def model(generator, tmp_path_factory):
    """Save that generator."""
    folder = tmp_path_factory.mktemp("model")
    save(folder, generator, CONFIG)
    return folder


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_psnr_equals_its_formula():
    first, second = picture(20, 30, 3), picture(20, 30, 3, seed=1)
    error = ((first.astype(float) - second) ** 2).mean()
    assert psnr(first, second) == pytest.approx(10 * np.log10(255**2 / error))


def test_equal_pictures_have_a_psnr_of_100_and_an_ssim_of_1():
    first = picture(20, 30, 3)
    assert psnr(first, first) == 100
    assert ssim(first, first) == pytest.approx(1)


def test_ssim_of_flat_pictures_equals_its_formula():
    first, second = np.full((16, 16, 3), 50, np.uint8), np.full((16, 16, 3), 200, np.uint8)
    c = (0.01 * 255) ** 2
    assert ssim(first, second) == pytest.approx((2 * 50 * 200 + c) / (50**2 + 200**2 + c), rel=1e-6)


def test_ssim_equals_that_of_an_independent_filter():
    from scipy.ndimage import gaussian_filter

    first, second = picture(24, 24, 3), picture(24, 24, 3, seed=1)
    second = (first * 0.7 + second * 0.3).astype(np.uint8)

    def blur(image):
        return gaussian_filter(image, 1.5, truncate=3.5)

    def channel(x, y):
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        mx, my = blur(x), blur(y)
        sx, sy, sxy = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
        full = (2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sx + sy + c2))
        return full[5:-5, 5:-5].mean()

    a, b = first.astype(float), second.astype(float)
    assert ssim(first, second) == pytest.approx(np.mean([channel(a[..., i], b[..., i]) for i in range(3)]))


def test_the_baselines_are_the_cue_and_the_cue_under_the_lines():
    cue = np.full((16, 16, 3), 100, np.uint8)
    sketch = np.full((16, 16), 255, np.uint8)
    sketch[::2] = 0
    color = np.where(sketch[..., None] == 0, 0, 110).astype(np.uint8) * np.ones((1, 1, 3), np.uint8)
    row = measure(color, {"": color} | baselines({"sketch": sketch, "cue": cue, "color": color}))
    assert row["psnr"] == 100
    assert row["cue_psnr"] == pytest.approx(10 * np.log10(255**2 / ((100**2 + 10**2) / 2)))
    assert row["cue_times_sketch_psnr"] == pytest.approx(10 * np.log10(255**2 / (10**2 / 2)))


def test_the_gain_is_over_the_better_baseline():
    row = {"cue_psnr": 10.0, "cue_ssim": 0.1, "cue_times_sketch_psnr": 14.0, "cue_times_sketch_ssim": 0.2}
    rows = [{"key": "a", "psnr": 15.0, "ssim": 0.5} | row, {"key": "b", "psnr": 18.00004, "ssim": 0.6} | row]
    assert summarize(rows) == {
        "images": 2,
        "psnr": 16.5,
        "ssim": 0.55,
        "gain": 2.5,
        "cue": {"psnr": 10.0, "ssim": 0.1},
        "cue_times_sketch": {"psnr": 14.0, "ssim": 0.2},
    }


def test_the_table_has_a_line_for_each_picture():
    rows = [{"key": "a", "psnr": 15.0, "ssim": 1 / 3}, {"key": "b", "psnr": 100.0, "ssim": 1.0}]
    assert table(rows) == "key\tpsnr\tssim\na\t15.0000\t0.3333\nb\t100.0000\t1.0000\n"


def test_the_test_split_is_measured_against_the_originals(tmp_path, model, generator):
    rows, summary, pictures = evaluate(packed(tmp_path), model, batch=2, keep=2)
    assert [row["key"] for row in rows] == ["009", "010", "011"]
    assert summary["images"] == 3
    assert len(pictures) == 2
    for number, (sketch, cue, result, color) in zip((9, 10), pictures, strict=True):
        members = {
            name: images.decode(data) for name, data in sample(number).members.items() if name != "json"
        }
        assert (sketch == members["sketch-b7.png"][..., 0]).all()
        assert (cue == members["cue.png"]).all()
        assert (color == members["color.png"]).all()
        assert (
            np.abs(colorize(generator, CONFIG, {"sketch": sketch, "cue": cue}).astype(int) - result).max()
            <= 1
        )
    assert rows[0]["psnr"] == psnr(pictures[0][3], pictures[0][2])


def test_numbers_do_not_depend_on_the_batch(tmp_path, model):
    packed(tmp_path)
    assert evaluate(tmp_path, model, batch=1)[1]["psnr"] == pytest.approx(
        evaluate(tmp_path, model, batch=3)[1]["psnr"], abs=0.01
    )


def test_an_empty_test_split_and_a_missing_model_are_named(tmp_path, model):
    with pytest.raises(Halt, match=r"the test split of .* is empty"):
        evaluate(packed(tmp_path, test=0), model)
    with pytest.raises(Halt, match="is missing"):
        evaluate(tmp_path, tmp_path / "nowhere")


@pytest.mark.parametrize("shape", [(1, 1), (37, 81), (300, 200), (16, 17)])
def test_a_picture_of_any_size_keeps_its_size(generator, shape):
    result = colorize(generator, CONFIG, {"sketch": picture(*shape), "cue": picture(*shape, 3)})
    assert result.shape == (*shape, 3)
    assert result.dtype == np.uint8


def test_a_size_that_fits_is_colored_by_the_plain_network(generator):
    sketch, cue = picture(32, 48), picture(32, 48, 3)
    with torch.inference_mode():
        plain = generator(tensor(sketch)[None], tensor(cue)[None])[0]
    levels = ((plain.numpy().transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8)
    assert levels.std() > 1
    assert (colorize(generator, CONFIG, {"sketch": sketch, "cue": cue}) == levels).all()


def test_colorizing_changes_neither_picture(generator):
    sketch, cue = picture(20, 20), picture(20, 20, 3)
    before = sketch.copy(), cue.copy()
    colorize(generator, CONFIG, {"sketch": sketch, "cue": cue})
    assert (sketch == before[0]).all()
    assert (cue == before[1]).all()


@pytest.mark.parametrize(
    ("sketch", "cue"),
    [
        (picture(8, 8, 3), picture(8, 8, 3)),
        (picture(8, 8), picture(8, 9, 3)),
        (picture(8, 8), picture(8, 8)),
        (picture(8, 8) / 255, picture(8, 8, 3)),
        (picture(0, 8), picture(0, 8, 3)),
    ],
)
def test_other_shapes_and_types_are_refused(generator, sketch, cue):
    with pytest.raises(ValueError, match="must be"):
        colorize(generator, CONFIG, {"sketch": sketch, "cue": cue})


def test_the_baselines_of_a_reference_and_of_a_mask():
    shown = {"sketch": np.full((4, 4), 0, np.uint8), "reference": picture(4, 4, 3), "color": picture(4, 4, 3)}
    assert (baselines(shown)["reference"] == shown["reference"]).all()
    assert not baselines(shown)["reference_times_sketch"].any()
    gray = baselines({"sketch": shown["sketch"], "mask": picture(4, 4), "color": shown["color"]})["gray"]
    assert (np.ptp(gray, axis=2) == 0).all()
