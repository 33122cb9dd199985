"""The weights of trained networks in files: .safetensors, or a state dict that torch saved as .pth.

A file is read as tensors alone: no code in it runs. torch is imported only where tensors are made, since it
takes seconds.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from pipeline.errors import Halt

if TYPE_CHECKING:
    from torch import Tensor

WEIGHT_ERRORS = (  # what reading a damaged file, or loading the weights of another network, raises
    SafetensorError,
    UnpicklingError,
    RuntimeError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
)
DOWNLOAD_ADVICE = "download the weights, and name their file"


def read_weights(
    file: str | Path, sha256: str = "", *, name: str = "", advice: str = DOWNLOAD_ADVICE
) -> bytes:
    """Read a file of weights.

    Raise Halt, with a name for the file and with advice, if there is none; and if it has another SHA-256
    than the one that is given.
    """
    try:
        data = Path(file).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise Halt(f"{name or file} is missing: {advice}") from None
    if sha256 and sha256 != (found := hashlib.sha256(data).hexdigest()):
        raise Halt(f"{file} has the SHA-256 {found}: name the file that was asked for, or change sha256")
    return data


def parse_weights(data: bytes, file: str | Path) -> dict[str, "Tensor"]:
    """Return the tensors by name in the bytes of a file; its suffix tells the format.

    Raise one of UNUSABLE if the bytes hold anything else.
    """
    import torch
    from safetensors.torch import load

    if Path(file).suffix == ".safetensors":
        return load(data)
    tensors = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    if not isinstance(tensors, dict) or not all(isinstance(each, torch.Tensor) for each in tensors.values()):
        raise ValueError("not a dict of tensors")
    return tensors


@contextmanager
def halt_on_misfit(name: str, network: str, advice: str) -> Iterator[None]:
    """Raise Halt, with advice, if the body cannot read the weights of a network or load them into it."""
    try:
        yield
    except WEIGHT_ERRORS as error:
        raise Halt(f"{name} does not hold the weights of {network}: {advice}") from error
