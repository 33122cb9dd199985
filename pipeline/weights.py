"""Files of network weights: .safetensors, or a state dict that torch saved as .pth.

Only tensors are read from a file: no code in it runs. Functions import torch, since that takes seconds.
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

WEIGHT_ERRORS = (  # of a damaged file, and of the weights of another network
    SafetensorError, UnpicklingError, RuntimeError, ValueError, TypeError, EOFError, LookupError,
)  # fmt: skip
DOWNLOAD_ADVICE = "download the weights, and name their file"


def read_weights(
    file: str | Path, sha256: str = "", *, name: str = "", advice: str = DOWNLOAD_ADVICE
) -> bytes:
    """Read a file of weights.

    Raise Halt with `advice` if there is no file, which the message calls `name`, or if `sha256` is given and
    differs from that of the file.
    """
    try:
        data = Path(file).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise Halt(f"{name or file} is missing: {advice}") from None
    if sha256 and sha256 != (found := hashlib.sha256(data).hexdigest()):
        raise Halt(f"{file} has the SHA-256 {found}: name the file that was asked for, or change sha256")
    return data


def parse_weights(data: bytes, file: str | Path) -> dict[str, "Tensor"]:
    """Return the tensors in the bytes of a file by name; the suffix of `file` gives the format.

    Raise one of WEIGHT_ERRORS if the bytes are anything else.
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
    """Raise Halt with `advice` if the body cannot parse the weights or load them into the network."""
    try:
        yield
    except WEIGHT_ERRORS as error:
        raise Halt(f"{name} does not hold the weights of {network}: {advice}") from error
