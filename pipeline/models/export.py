"""A trained model -> ONNX, which programs in any language can run: a sketch and a guide in, a picture out.

The graph pads the inputs and crops the picture, as `inference.infer_padded` does. Weights that 16 bits hold
exactly are stored so. The file does not say when, where or by which lines of code it was made: equal models
give equal bytes.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxscript  # noqa: F401  torch's exporter needs it
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.export import Dim

from pipeline import systems
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.models.card import public
from pipeline.models.folder import load_model, model_params
from pipeline.systems import System

MAX_ONNX_BYTES = 2_000_000_000  # of weights: a file of this format can have 2 GiB
HALVED_LEAST = 64  # values of a constant that is stored in 16 bits; a Cast takes the place of a few
TRACES = ("metadata_props", "doc_string")  # here the exporter notes lines of code and their paths


class OnnxColorizer(nn.Module):
    """Color pictures of any size by a guide, with operations that ONNX has.

    Take the sketch, or the gray picture, (B, 1, H, W), and its cue or reference (B, 3, H, W), all in [-1, 1],
    or its mask (B, 1, H, W) of 0 and 1; only the reference may have another size. A system of several guides
    takes the sketch, or the gray picture, the guide (B, 4, H, W), whose last channel is its opacity in
    [0, 1], and its kind (B), the place in GUIDES. Return RGB pictures (B, 3, H, W) in [-1, 1].
    """

    def __init__(self, generator: nn.Module, config: dict):
        super().__init__()
        self.generator, self.system = generator, systems.system(config["system"])
        self.multiple = self.system.multiple(model_params(config))

    def forward(self, picture: Tensor, guide: Tensor, *kind: Tensor) -> Tensor:
        names = input_names(self.system)
        fill = 1.0 if names[0] == "sketch" else None
        batch = dict(zip(names[2:], kind, strict=True))
        batch[names[0]] = pad_in_graph(picture, self.multiple, fill)
        batch[names[1]] = pad_in_graph(guide, self.multiple)
        if names[0] == "gray":
            batch["color"] = batch["gray"].expand(-1, 3, -1, -1)
        colored = self.system.picture(self.generator(*self.system.inputs(batch)), batch)
        height, width = picture.shape[2:]
        return colored.index_select(2, torch.arange(height)).index_select(3, torch.arange(width))


def input_names(system: System) -> tuple[str, ...]:
    """Name the inputs of a system: sketch or gray, the guide, and its kind if there are several."""
    guide = system.columns[0]
    return ("gray" if guide == "mask" else "sketch"), guide, *(["kind"] if len(system.guides) > 1 else [])


def pad_in_graph(image: Tensor, multiple: int, fill: float | None = None) -> Tensor:
    """Pad pictures (B, C, H, W) at right and bottom to a multiple, with a value or with their edges."""
    (height, rows), (width, columns) = ((side, padded_positions(side, multiple)) for side in image.shape[2:])
    image = image.index_select(2, rows.clamp(max=height - 1)).index_select(3, columns.clamp(max=width - 1))
    if fill is None:
        return image
    return torch.where((rows < height)[:, None] & (columns < width), image, fill)


def padded_positions(side: int, multiple: int) -> Tensor:
    """Count from 0 to below the next multiple of a side.

    The exporter follows the sides through all layers of a network. A tensor hides from it how the multiple is
    computed; for `side + -side % 32` it would have to prove at each layer that the side can be halved.
    """
    blocks = torch.tensor((side + multiple - 1) // multiple).item()
    torch._check(blocks >= 1)
    return torch.arange(blocks * multiple)


def export_onnx(folder: Path) -> bytes:
    """Return the model in `folder` as the bytes of an ONNX file, for batches and pictures of any size.

    Raise Halt if it cannot be read or is too large.
    """
    generator, config = load_model(folder)
    if sum(tensor.nbytes for tensor in generator.state_dict().values()) > MAX_ONNX_BYTES:
        raise Halt(f"{folder} is too large for one ONNX file of 2 GB: train a model of less width")
    proto = halve_weights(strip_traces(trace_onnx(OnnxColorizer(generator, config).eval())))
    system = systems.system(config["system"])
    metadata = {"system": config["system"], "multiple": system.multiple(model_params(config)), "sides": "any"}
    metadata |= {"guides": ",".join(system.guides), "config": dumps(public(config)).decode()}
    for name, value in metadata.items():
        proto.metadata_props.add(key=name, value=str(value))
    return proto.SerializeToString(deterministic=True)


def trace_onnx(colorizer: OnnxColorizer) -> ModelProto:
    names = input_names(colorizer.system)
    with warnings.catch_warnings():  # axes share names on purpose
        warnings.filterwarnings("ignore", "# The axis name", UserWarning)
        program = torch.onnx.export(
            colorizer,
            example_inputs(names),
            dynamo=True,
            dynamic_shapes=dynamic_axes(names),
            input_names=names,
            output_names=["picture"],
            verbose=False,
        )
    assert program  # dynamo always returns one
    return program.model_proto


def example_inputs(names: tuple[str, ...]) -> tuple[Tensor, ...]:
    """Return pictures to trace; no two sides are equal or 1, or the exporter would take that for a rule."""
    sides = (75, 110) if names[1] == "reference" else (70, 90)
    channels = {"mask": 1, "guide": 4}.get(names[1], 3)
    kinds = [torch.zeros(2, dtype=torch.int64) for _ in names[2:]]
    return torch.zeros(2, 1, 70, 90), torch.zeros(2, channels, *sides), *kinds


def dynamic_axes(names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the axes of any size; axes of the same name must agree."""
    batch, height, width = (Dim(name, min=1) for name in ("batch", "height", "width"))
    own = {0: batch, 2: height, 3: width}
    other = {0: batch, 2: Dim("reference_height", min=1), 3: Dim("reference_width", min=1)}
    kinds = tuple({0: batch} for _ in names[2:])
    return own, (other if names[1] == "reference" else own), *([kinds] if kinds else [])


def halve_weights(proto: ModelProto) -> ModelProto:
    """Store in 16 bits each constant of 32 that loses nothing by it, and cast it back where it is used."""
    casts: list[NodeProto] = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if values.size < HALVED_LEAST or not np.array_equal(halved.astype(np.float32), values):
            continue
        name = f"{tensor.name}.half"
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(halved, name))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return proto


def strip_traces(proto: ModelProto) -> ModelProto:
    """Remove the exporter's notes on the code and the machine."""
    graph = proto.graph
    parts: list[Any] = [graph, proto, *graph.node, *graph.initializer]
    parts += [*graph.input, *graph.output, *graph.value_info]
    for part in parts:
        for name in TRACES:
            part.ClearField(name)
    proto.producer_name, proto.producer_version = "inkwash", ""  # torch's version names its build
    return proto
