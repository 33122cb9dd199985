"""The networks of a run and their optimizers, on their device and ready for updates."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pipeline import systems
from pipeline.errors import Halt
from pipeline.models.folder import model_params, read_model
from pipeline.params import Model, Train
from pipeline.systems import FeatureMaps, Networks, Optimizers, System, present
from pipeline.training.hardware import Hardware, Log, compile_network
from pipeline.training.recompute import recompute_blocks

if TYPE_CHECKING:
    from lightning_fabric import Fabric

GPU_LAYOUT = torch.channels_last  # what tensor cores read; on a CPU it made training slower
FIT_ADVICE = "name another train.start, or train a model like it"


@dataclass(frozen=True)
class Learner:
    """The networks and everything that an update needs.

    `networks` are the ones to call; `plain` are the same without the wrappers that distribute and convert.
    `average` is the generator that becomes the model: the moving average, or `plain` without one.
    """

    system: System
    train: Train
    fabric: "Fabric"
    plain: Networks
    networks: Networks
    optimizers: Optimizers
    average: nn.Module
    features: FeatureMaps
    graphs: bool

    @property
    def parts(self) -> dict[str, Any]:
        """Everything that has a state, by its name in the checkpoint."""
        optimizers = {f"{name[0]}_optimizer": each for name, each in present(self.optimizers).items()}
        return present(self.networks) | optimizers | {"average": self.average}


def assemble(model: Model, train: Train, fabric: "Fabric", hardware: Hardware, say: Log) -> Learner:
    """Build the networks and optimizers of a run on its device. Raise Halt if weights or norms are unfit."""
    system = systems.system(model.system)
    torch.manual_seed(train.seed)
    networks = system.networks(model)
    if train.start:
        start_from(train.start, model, system, networks.generator)
    features = system.features(train.vgg)
    plain = lay_out(networks, train, fabric)
    average = deepcopy(plain.generator) if train.ema else plain.generator
    optimizers = system.optimizers(plain, train.lr or system.learning_rate(model))
    ready = {
        name: fabric.setup(network, getattr(optimizers, name)) for name, network in present(plain).items()
    }
    wrap_forward(plain, system, fabric, hardware, say)
    for _, optimizer in ready.values():
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return Learner(
        system=system,
        train=train,
        fabric=fabric,
        plain=plain,
        networks=Networks(**{name: network for name, (network, _) in ready.items()}),
        optimizers=Optimizers(**{name: optimizer for name, (_, optimizer) in ready.items()}),
        average=fabric.to_device(average),
        features=in_precision(fabric, fabric.to_device(features)) if features else None,
        graphs=hardware.graphs,
    )


def start_from(folder: str, model: Model, system: System, generator: nn.Module) -> None:
    """Load the weights of a saved model into a generator. Raise Halt if they are damaged or do not fit."""
    tensors, config = read_model(Path(folder))
    saved = model_params(config)
    for name, found, wanted in (
        ("system", saved.system, model.system),
        ("width", saved.width or system.width, model.width or system.width),
    ):
        if found != wanted:
            raise Halt(f"the model in {folder} has the {name} {found}, and this run {wanted}: {FIT_ADVICE}")
    try:
        system.load(generator, tensors)
    except RuntimeError as error:
        raise Halt(f"the model in {folder} has other parts than the one to train: {FIT_ADVICE}") from error


def lay_out(networks: Networks, train: Train, fabric: "Fabric") -> Networks:
    """Give networks the norms and the memory layout of a run. Raise Halt if norms cannot be shared."""
    if train.norm == "all" and fabric.world_size > 1:
        if fabric.device.type == "cpu":
            raise Halt("BatchNorm over all processes needs GPUs: set train.norm to each, or use one process")
        converted = {
            name: nn.SyncBatchNorm.convert_sync_batchnorm(each) for name, each in present(networks).items()
        }
        networks = Networks(**converted)
    if fabric.device.type == "cuda":
        for network in present(networks).values():
            network.to(memory_format=GPU_LAYOUT)
    return networks


def wrap_forward(networks: Networks, system: System, fabric: "Fabric", hardware: Hardware, say: Log) -> None:
    """Let networks recompute, or compile them, in place, as the hardware asks."""
    if hardware.recompute:
        recompute_blocks(networks.generator)
    if hardware.compiles(fabric.device.type):
        if not hardware.recompute:
            compile_network(networks.generator, hardware, say)
        if networks.discriminator is not None and not system.double_backward:
            compile_network(networks.discriminator, hardware, say)


def in_precision(fabric: "Fabric", features: nn.Module) -> FeatureMaps:
    """Let features be computed in the precision of the run, and returned as float32."""

    def compute(image: Tensor) -> list[Tensor]:
        with fabric.autocast():
            return [maps.float() for maps in features(image)]

    return compute
