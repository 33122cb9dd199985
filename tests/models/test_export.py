"""An exported model gives the same pictures as in Python, of any size; equal models give equal bytes."""

import json
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from pipeline.errors import Halt
from pipeline.models import export
from pipeline.models.folder import load_model, save_model
from pipeline.models.inference import infer_padded
from pipeline.params import GUIDES, Model, Train
from pipeline.systems import system, wash
from stages import prep

MODELS = {
    "mask": Model("mask", 4),
    "pix2pix": Model("pix2pix", 4, 3),
    "nerk": Model("nerk", 4),
    "liu": Model("liu", 4),
    "finetune": Model("liu", 4, variant="finetune"),
    "scft": Model("scft", 4),
    "wash": Model("wash", 4),
}
pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(1, 37, 101), (3, 64, 32)]  # batch, height, width; not those of the examples that are followed


def write_model(folder, name):
    """Save a small model whose random weights are large enough to make a picture."""
    torch.manual_seed(0)
    generator, _ = system(MODELS[name].system).networks(MODELS[name])
    for parameter in generator.parameters() if name in ("pix2pix", "nerk") else ():
        parameter.data *= 1.5
    for parameter in generator.parameters() if name == "wash" else ():  # many are 0
        parameter.data += 0.05 * torch.randn_like(parameter)
    private = asdict(Train(vgg="/home/ann/vgg.pth", start="/home/ann/model"))
    metadata = {"parameters": {}, "columns": {}, "train": private}
    save_model(folder, generator.state_dict(), asdict(MODELS[name]) | metadata, "")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save the model that takes the least time to export."""
    return write_model(tmp_path_factory.mktemp("model"), "pix2pix")


@pytest.fixture(scope="module")
def few_passes():
    """Let colors flow in two passes of five, the nearest and the farthest: to trace all takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wash, "DISTANCES", (1, 8))
        patch.setattr(wash, "CHANNELS", (*wash.CHANNELS[:-1], 2 * wash.NEIGHBORS))
        yield


@pytest.fixture(scope="module")
def exported(tmp_path_factory, few_passes):
    """Export a model by its name, each but once: generator, config, bytes, and a session of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    @cache
    def once(name):
        folder = write_model(tmp_path_factory.mktemp(name), name)
        data = export.export_onnx(folder)
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return *load_model(folder), data, session

    return once


def pictures(config, batch, height, width, sides=None, kind="cue"):
    """Draw what a model takes, in [-1, 1]; a guide of several is opaque in places."""
    random = torch.Generator().manual_seed(height)

    def draw(channels, height, width):
        return torch.rand(batch, channels, height, width, generator=random) * 2 - 1

    guide = system(config["system"]).columns[0]
    if guide == "mask":
        return {"gray": draw(1, height, width), "mask": (draw(1, height, width) > 0).float()}
    given = {"sketch": draw(1, height, width), guide: draw(3, *(sides or (height, width)))}
    if guide != "guide":
        return given
    opaque = (draw(1, height, width) > 0).float()
    return given | {"guide": torch.cat([given["guide"], opaque], dim=1), "kind": kinds(kind, batch)}


def kinds(kind, batch):
    """Return the kind of each guide in a batch, that many places after a kind."""
    return (GUIDES.index(kind) + torch.arange(batch)) % len(GUIDES)


def painted(generator, config, given):
    """Paint as this program does, which takes a colored picture where the brightness is enough."""
    batch = dict(given)
    if "gray" in given:
        batch |= {"sketch": given["gray"], "color": given["gray"].expand(-1, 3, -1, -1)}
        del batch["gray"]
    return infer_padded(generator, config, batch).numpy()


def ran(session, given):
    """Run an exported model."""
    return session.run(["picture"], {name: values.numpy() for name, values in given.items()})[0]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_equal_those_of_the_model_at_any_size_and_batch(exported, name, shape):
    generator, config, _, session = exported(name)
    given = pictures(config, *shape)
    expected = painted(generator, config, given)
    made = ran(session, given)
    assert made.shape == (shape[0], 3, *shape[1:])
    assert expected.std() > 0.01
    np.testing.assert_allclose(made, expected, atol=1e-3)


@pytest.mark.parametrize("kind", GUIDES)
@pytest.mark.parametrize("shape", [(1, 45, 70), (7, 16, 33)])
def test_pictures_equal_those_of_the_model_by_any_guide(exported, kind, shape):
    generator, config, _, session = exported("wash")
    given = pictures(config, *shape, kind=kind)
    made = ran(session, given)
    np.testing.assert_allclose(made, painted(generator, config, given), atol=1e-3)
    others = [ran(session, given | {"kind": kinds(other, shape[0])}) for other in GUIDES if other != kind]
    assert min(np.abs(made - other).max() for other in others) > 2e-3


@pytest.mark.parametrize("name", MODELS)
def test_a_picture_may_have_one_pixel(exported, name):
    generator, config, _, session = exported(name)
    given = pictures(config, 1, 1, 1)
    np.testing.assert_allclose(ran(session, given), painted(generator, config, given), atol=1e-3)


@pytest.mark.parametrize("name", ["nerk", "liu", "finetune", "scft"])
def test_a_reference_may_have_another_size(exported, name):
    generator, config, _, session = exported(name)
    given = pictures(config, 2, 64, 32, sides=(17, 50))
    edges = torch.nn.functional.pad(given["reference"], (0, 14, 0, 15), mode="replicate")
    expected = painted(generator, config, given | {"reference": edges})
    np.testing.assert_allclose(ran(session, given), expected, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_the_file_is_complete_and_valid_and_names_its_inputs(exported, name):
    _, config, data, _ = exported(name)
    proto = onnx.load_from_string(data)
    onnx.checker.check_model(proto, full_check=True)
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in proto.graph.initializer)
    guide = system(config["system"]).columns[0]
    first = "gray" if guide == "mask" else "sketch"
    side = "reference_" if guide == "reference" else ""
    channels = {"mask": 1, "guide": 4}.get(guide, 3)
    assert [shape_of(value) for value in proto.graph.input[:2]] == [
        (first, "batch", 1, "height", "width"),
        (guide, "batch", channels, f"{side}height", f"{side}width"),
    ]
    kind = [("kind", "batch")] if guide == "guide" else []
    assert [shape_of(value, onnx.TensorProto.INT64) for value in proto.graph.input[2:]] == kind
    assert [shape_of(value) for value in proto.graph.output] == [("picture", "batch", 3, "height", "width")]


def shape_of(value, number=onnx.TensorProto.FLOAT):
    """Return name and shape of an input or output, which must hold numbers of a type."""
    assert value.type.tensor_type.elem_type == number
    return value.name, *(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim)


@pytest.mark.parametrize("name", MODELS)
def test_the_metadata_holds_the_system_and_its_config(exported, name):
    _, config, data, _ = exported(name)
    facts = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    assert list(facts) == ["system", "multiple", "sides", "guides", "config"]
    assert facts["guides"].split(",") == list(system(config["system"]).guides)
    assert (facts["system"], facts["sides"]) == (config["system"], "any")
    assert int(facts["multiple"]) == system(config["system"]).multiple(Model("pix2pix", 4, 3))
    found = json.loads(facts["config"])
    assert (found["width"], found["variant"]) == (config["width"], config["variant"])


@pytest.mark.parametrize("name", MODELS)
def test_no_path_and_no_line_of_code_is_in_the_file(exported, name):
    proto = onnx.load_from_string(exported(name)[2])
    for tensor in proto.graph.initializer:
        tensor.ClearField("raw_data")  # in which any three letters stand by chance
    roots = {str(Path(export.__file__).parent.parent.parent), sys.prefix, str(Path.home()), "/home/ann"}
    for trace in (*roots, ".py", "stack_trace", "torch"):
        assert trace.encode() not in proto.SerializeToString(), trace


def constants(*arrays):
    """Make a graph that adds constants to x, in which node comes after node."""
    tensors = [onnx.numpy_helper.from_array(each, f"c{number}") for number, each in enumerate(arrays)]
    sums = ["x", *(f"s{number}" for number in range(len(arrays)))]
    nodes = [
        onnx.helper.make_node("Add", [sums[number], f"c{number}"], [sums[number + 1]])
        for number in range(len(arrays))
    ]
    ends = [onnx.helper.make_tensor_value_info(name, 1, [100]) for name in (sums[0], sums[-1])]
    graph = onnx.helper.make_graph(nodes, "sum", ends[:1], ends[1:], tensors)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


def test_what_16_bits_hold_is_stored_in_16_bits_and_all_else_as_it_is():
    random = np.random.default_rng(0)
    fine = random.normal(size=100).astype(np.float32)
    coarse, large, few = np.float32(np.float16(fine)), fine * 0 + 1e6, np.ones(1, np.float32)
    proto = constants(fine, coarse, large, few)
    x = random.normal(size=100).astype(np.float32)
    (before,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    halved = export.halve_weights(proto)
    onnx.checker.check_model(halved, full_check=True)
    (after,) = onnxruntime.InferenceSession(halved.SerializeToString()).run(None, {"x": x})
    np.testing.assert_array_equal(before, after)
    assert [tensor.data_type for tensor in halved.graph.initializer] == [
        onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT
    ]  # fmt: skip


def test_the_command_writes_the_same_bytes_for_an_equal_model_elsewhere(exported, tmp_path, monkeypatch):
    data = exported("pix2pix")[2]
    monkeypatch.chdir(write_model(tmp_path, "pix2pix"))
    done = CliRunner().invoke(prep.app, ["export", ".", "made/model.onnx"])
    assert done.output == f"export: {len(data):,} bytes written to made/model.onnx\n"
    assert [path.name for path in Path("made").iterdir()] == ["model.onnx"]
    assert Path("made/model.onnx").read_bytes() == data


def test_a_missing_model_is_named_and_nothing_written(tmp_path):
    done = CliRunner().invoke(prep.app, ["export", str(tmp_path / "none"), str(tmp_path / "model.onnx")])
    assert isinstance(done.exception, Halt)
    assert "config.json is missing" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_model_too_large_for_a_file_is_refused(folder, monkeypatch):
    monkeypatch.setattr(export, "MAX_ONNX_BYTES", 1000)
    with pytest.raises(Halt, match="too large for one ONNX file of 2 GB"):
        export.export_onnx(folder)
