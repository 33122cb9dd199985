"""Where training runs and how fast: devices, processes, precision, compilation, memory.

None of this is a parameter: it decides how long a run takes, and at most the last bits of its result.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import Halt
from pipeline.models.folder import find_device
from pipeline.params import Train

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision
    from lightning_fabric.strategies import DDPStrategy

Log = Callable[[str], None]


def log_nothing(sentence: str) -> None:
    """Ignore the sentence."""


@dataclass(frozen=True)
class Hardware:
    """The devices that a run may use, and how.

    `devices` GPUs (or processes, on a CPU) of each of `nodes` machines share every batch; `workers` processes
    load samples for each GPU. `compile` is None for "on a GPU"; `graphs` replays CUDA graphs, which saves
    small batches the time of launching kernels; `recompute` keeps less of the generator's forward pass and
    computes it again, to the same bits.
    """

    device: str = "cpu"
    devices: int = 1
    nodes: int = 1
    workers: int = 0
    compile: bool | None = None
    graphs: bool = False
    recompute: bool = False

    @property
    def processes(self) -> int:
        return self.devices * self.nodes

    def compiles(self, kind: str) -> bool:
        return kind == "cuda" if self.compile is None else self.compile


CPU = Hardware()
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")  # of torchrun, Fabric and Slurm


def is_first_process() -> bool:
    """Return whether this process leads those of its run, or is alone, before they are connected."""
    return all(os.environ.get(name, "0") == "0" for name in RANK_VARIABLES)


def launch_fabric(hardware: Hardware, precision: str) -> "Fabric":
    """Start, or join, the processes of a run. Raise Halt if the machine lacks the devices asked for."""
    Fabric = import_fabric()
    kind = find_device(hardware.device).type
    check_devices(hardware, kind, precision)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "32"
    torch.backends.cudnn.benchmark = kind == "cuda"  # every batch has the same shape
    try:
        fabric = Fabric(
            accelerator=kind,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            plugins=[bfloat16_precision(kind)] if precision == "bf16" else [],
            strategy=ddp_strategy() if hardware.processes > 1 else "auto",
        )
        fabric.launch()
    except ValueError as error:
        raise Halt(f"these processes do not make a run: {error}") from error
    return fabric


def import_fabric() -> type["Fabric"]:
    """Import Fabric without torchmetrics, which Fabric would import, in seconds, to read its version."""
    hidden = "torchmetrics" not in sys.modules
    if hidden:
        sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # lets its import fail
    try:
        from lightning_fabric import Fabric
    finally:
        if hidden:
            del sys.modules["torchmetrics"]
    return Fabric


def check_devices(hardware: Hardware, kind: str, precision: str) -> None:
    """Raise Halt if the machine lacks the devices, or they lack the precision, that a run asks for."""
    if kind == "cuda" and hardware.devices > torch.cuda.device_count():
        raise Halt(f"there are {torch.cuda.device_count()} GPUs, not {hardware.devices}: lower --devices")
    if kind == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise Halt("this GPU has no bfloat16: set train.precision to 32 or tf32")
    if hardware.graphs and not (kind == "cuda" and hardware.compiles(kind)):
        raise Halt("--graphs replays what is compiled for a GPU: leave it out, or have both")
    processes = hardware.processes
    started = os.environ["WORLD_SIZE"] if "TORCHELASTIC_RUN_ID" in os.environ else processes
    if int(started) != processes:
        raise Halt(f"torchrun started {started} processes, but --devices times --nodes is {processes}")


def ddp_strategy() -> "DDPStrategy":
    """Share gradients among processes, but not the statistics of BatchNorm: `fit` averages them."""
    from lightning_fabric.strategies import DDPStrategy

    new = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters
    options: dict[str, Any] = {"forward_sync_buffers" if new else "broadcast_buffers": False}
    return DDPStrategy(**options)


def bfloat16_precision(kind: str) -> "MixedPrecision":
    """Compute in bfloat16 where it is safe.

    It needs no gradient scaler; so backward is torch's own, not Fabric's, which R1 cannot differentiate.
    """
    from lightning_fabric.plugins.precision import MixedPrecision, Precision

    class Plain(MixedPrecision):
        backward = Precision.backward

    return Plain("bf16-mixed", kind)


def compile_network(network: nn.Module, hardware: Hardware, say: Log) -> None:
    """Compile a network in place with torch.compile; if that fails, say so and go on without.

    Raise what the network raises.
    """
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InductorError

    plain = network.forward
    fast = torch.compile(plain, dynamic=False, mode="reduce-overhead" if hardware.graphs else None)

    def forward(*given: Any) -> Any:
        if not network.training:  # in validation: its sizes and its mode would be compiled again
            return plain(*given)
        try:
            return fast(*given)
        except (TorchDynamoException, InductorError) as error:
            network.forward = plain
            reason = type(getattr(error, "inner_exception", error)).__name__
            say(f"torch.compile failed ({reason}): training goes on without it, as with --no-compile")
            return plain(*given)

    network.forward = forward


@contextmanager
def halt_on_full_memory(train: Train) -> Iterator[None]:
    """Raise Halt, with advice, if the body runs out of memory."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        reason = f"out of memory with {train.batch} samples per update in {train.accumulate} part(s)"
        advice = "raise accumulate, lower batch or width, compute in bf16, or add --recompute"
        raise Halt(f"{reason}: {advice}; --fit finds the batch") from error
