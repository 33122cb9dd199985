"""A trained model -> ONNX, which programs in any language can run: two pictures in, a picture out.

The graph pads the inputs and crops the picture, as `tiles.infer_padded` does. The file does not say when,
where or by which lines of code it was made: equal models give equal bytes.
"""

import warnings
from pathlib import Path
from typing import Any

import onnxscript  # noqa: F401  torch's exporter needs it
import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch.export import Dim

from pipeline import systems
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.models.card import public
from pipeline.models.folder import load_model, model_params
from pipeline.systems import System

MAX_ONNX_BYTES = 2_000_000_000  # of weights: a file of this format can have 2 GiB
TRACES = ("metadata_props", "doc_string")  # here the exporter notes lines of code and their paths


class OnnxColorizer(nn.Module):
    """Color pictures of any size by a guide, with operations that ONNX has.

    Take the sketch, or the gray picture, (B, 1, H, W), and its cue or reference (B, 3, H, W), all in [-1, 1],
    or its mask (B, 1, H, W) of 0 and 1; only the reference may have another size. Return RGB pictures
    (B, 3, H, W) in [-1, 1].
    """

    def __init__(self, generator: nn.Module, config: dict):
        super().__init__()
        self.generator, self.system = generator, systems.system(config["system"])
        self.multiple = self.system.multiple(model_params(config))

    def forward(self, picture: Tensor, guide: Tensor) -> Tensor:
        first, second = input_names(self.system)
        fill = 1.0 if first == "sketch" else None
        batch = {first: pad_in_graph(picture, self.multiple, fill)}
        batch[second] = pad_in_graph(guide, self.multiple)
        if first == "gray":
            batch["color"] = batch[first].expand(-1, 3, -1, -1)
        colored = self.system.picture(self.generator(*self.system.inputs(batch)), batch)
        height, width = picture.shape[2:]
        return colored.index_select(2, torch.arange(height)).index_select(3, torch.arange(width))


def input_names(system: System) -> tuple[str, str]:
    """Name the two inputs of a system: sketch or gray, and the guide."""
    guide = system.columns[0]
    return ("gray" if guide == "mask" else "sketch"), guide


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
    proto = strip_traces(trace_onnx(OnnxColorizer(generator, config).eval()))
    system = systems.system(config["system"])
    metadata = {"system": config["system"], "multiple": system.multiple(model_params(config)), "sides": "any"}
    metadata["config"] = dumps(public(config)).decode()
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


def example_inputs(names: tuple[str, str]) -> tuple[Tensor, Tensor]:
    """Return pictures to trace; no two sides are equal or 1, or the exporter would take that for a rule."""
    sides = (75, 110) if names[1] == "reference" else (70, 90)
    return torch.zeros(2, 1, 70, 90), torch.zeros(2, 1 if names[1] == "mask" else 3, *sides)


def dynamic_axes(names: tuple[str, str]) -> tuple[dict[int, Dim], dict[int, Dim]]:
    """Return the axes of any size; axes of the same name must agree."""
    batch, height, width = (Dim(name, min=1) for name in ("batch", "height", "width"))
    own = {0: batch, 2: height, 3: width}
    if names[1] != "reference":
        return own, own
    return own, {0: batch, 2: Dim("reference_height", min=1), 3: Dim("reference_width", min=1)}


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
