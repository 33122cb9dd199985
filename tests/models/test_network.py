"""A model is the same by torch and by ONNX Runtime; a project without its own has the one that ships."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
from made import picture

from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.models.network import SHIPPED, SHIPPED_ONNX, find_model, open_network
from pipeline.models.tiles import colorize_picture
from pipeline.params import Model

MOST_BYTES = 3_000_000  # of the model that ships, without its card


@pytest.fixture(scope="module")
def shipped():
    """Load the model that ships, by torch and by ONNX Runtime."""
    return open_network(SHIPPED), open_network(SHIPPED_ONNX)


def drawing() -> np.ndarray:
    """Draw two boxes side by side, with black lines of two pixels on white."""
    sketch = np.full((128, 160), 255, np.uint8)
    for left in (16, 80):
        sketch[20:108, left : left + 62] = 0
        sketch[22:106, left + 2 : left + 60] = 255
    return sketch


def strokes() -> np.ndarray:
    """Draw a red stroke within the left box, and a blue one within the right, RGBA."""
    hints = np.zeros((128, 160, 4), np.uint8)
    hints[40:90, 40:52], hints[40:90, 104:116] = (220, 40, 40, 255), (40, 60, 220, 255)
    return hints


def mean_color(image, rows, columns):
    return image[rows, columns].reshape(-1, 3).mean(axis=0)


@pytest.mark.parametrize("engine", [0, 1])
def test_the_model_that_ships_fills_a_box_with_the_color_of_the_stroke_in_it_and_keeps_the_lines(
    shipped, engine
):
    made = colorize_picture(shipped[engine], {"sketch": drawing(), "strokes": strokes()}).astype(float)
    for columns, color in ((slice(24, 36), (220, 40, 40)), (slice(120, 132), (40, 60, 220))):
        found = mean_color(made, slice(40, 90), columns)  # beside the stroke
        other = color[::-1]
        assert np.abs(found - color).sum() < 0.5 * np.abs(found - other).sum()
    dark, light = drawing() == 0, drawing() == 255
    assert made[dark].mean() < made[light].mean() - 60


@pytest.mark.parametrize("guide", ["cue", "strokes", "reference", "palette", "mask", "none"])
@pytest.mark.parametrize("tile", [0, 64])
def test_torch_and_onnx_runtime_agree_within_one_level_on_what_ships(shipped, guide, tile):
    given = {"sketch": drawing()[:93, :121]}
    if guide == "strokes":
        given["strokes"] = strokes()[:93, :121]
    elif guide == "mask":
        given["mask"] = given["sketch"]
    elif guide != "none":
        given[guide] = picture(3, 121, 93)
    one, other = (colorize_picture(network, given, tile).astype(int) for network in shipped)
    assert one.std() > 1
    assert np.abs(one - other).max() <= 1


def test_what_ships_is_small_and_has_a_card_that_credits_its_sources():
    files = {path.name: path.stat().st_size for path in SHIPPED.iterdir()}
    assert files.keys() == {"model.safetensors", "model.onnx", "config.json", "SHA256SUMS", "README.md"}
    assert files["model.safetensors"] < MOST_BYTES > files["model.onnx"]
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for part in ("Credits", "African Storybook", "Joseph Hewitt", "CC-BY-4.0", "How good it is", "badly"):
        assert part in card


def test_a_project_has_its_own_model_or_else_the_one_that_ships(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model() == SHIPPED
    Path("data/model").mkdir(parents=True)
    assert find_model() == Path("data/model")


def test_without_torch_the_onnx_file_that_ships_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.models.network.find_spec", lambda name: None)
    assert find_model() == SHIPPED_ONNX


def other_file(facts):
    """Make a small ONNX file that is none of ours, with metadata."""
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.helper.set_model_props(proto, facts)
    return proto.SerializeToString()


@pytest.mark.parametrize(
    "data", [b"broken", other_file({}), other_file({"config": "{", "guides": "cue", "multiple": "8"})]
)
def test_a_file_that_export_did_not_write_is_refused(tmp_path, data):
    (tmp_path / "other.onnx").write_bytes(data)
    with pytest.raises(
        Halt, match=r"other.onnx is no model that prep export wrote \(.*\): export the model again"
    ):
        open_network(tmp_path / "other.onnx")


def test_a_file_that_is_missing_or_meant_for_a_gpu_is_refused(tmp_path):
    with pytest.raises(Halt, match=r"none.onnx is missing: name a file that prep export wrote"):
        open_network(tmp_path / "none.onnx")
    (tmp_path / "a.onnx").write_bytes(other_file({"config": dumps(asdict(Model())).decode()}))
    with pytest.raises(Halt, match="runs on the CPU"):
        open_network(tmp_path / "a.onnx", "cuda")
