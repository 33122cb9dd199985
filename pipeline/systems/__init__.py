"""The colorizers, and the contract that each of them fulfills: `System`.

`wash`, `pix2pix`, `nerk`, `liu`, `scft` and `mask` each hold the networks and losses of one colorizer, and an
instance of its subclass of `System`, called SYSTEM. `layers` has the layers, losses and initializations that
several share; `features` has the pretrained VGG of the perceptual losses. The ideas of `wash` are in
`backprojection`, `propagation` and `matching`, its optimizer is in `muon`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pipeline.params import Model, Reference, Train

SYSTEMS = ("pix2pix", "nerk", "liu", "scft", "mask", "wash")

Batch = dict[str, Tensor]  # images (B, C, H, W) by name, as `augment.prepare_batch` returns them
Terms = dict[str, Tensor]  # the weighted terms of a loss by name, each a map whose first axis is the batch
FeatureMaps = Callable[[Tensor], list[Tensor]] | None  # pictures (B, 3, H, W) in [-1, 1] -> feature maps


class Networks(NamedTuple):
    """The generator, and the discriminator that it learns to fool, if there is one."""

    generator: nn.Module
    discriminator: Any = None  # a nn.Module, if the system has one


class Optimizers(NamedTuple):
    """The optimizer of each network."""

    generator: Optimizer
    discriminator: Any = None  # an Optimizer, if there is that network


class System(ABC):
    """A colorizer: its networks, their inputs and outputs, and the losses that they minimize.

    Training minimizes the sum of the means of all terms of a loss. Everything is as published, unless a
    comment says otherwise. Most systems share the defaults.
    """

    width: int  # channels of the first convolution
    guides: tuple[str, ...]  # those of `params.GUIDES` that it takes; of several, each sample has one
    columns: tuple[str, ...]  # what it reads of the dataset besides the sketch; the first holds the guide
    lr: float  # learning rate of the generator
    discriminator_lr = 1.0  # learning rate of the discriminator, as a multiple of the generator's
    betas = (0.5, 0.999)  # of Adam
    clip = 0.0  # the largest norm of the gradients of a network; 0 does not clip
    stride = 32  # height and width must be multiples of it
    reference: Reference | None = None  # how references are bent, if it reads any
    vgg = ""  # the VGG whose features the losses compare, if they compare any
    double_backward = False  # whether a loss differentiates the discriminator twice: torch.compile cannot

    @abstractmethod
    def networks(self, model: Model) -> Networks:
        """Build the networks with fresh weights."""

    @abstractmethod
    def generator_loss(
        self, networks: Networks, batch: Batch, output: Any, train: Train, features: FeatureMaps
    ) -> Terms:
        """Return the loss of the generator; without `features`, leave out the terms that compare them."""

    def discriminator_loss(self, discriminator: nn.Module, batch: Batch, output: Any) -> Terms:
        """Return the loss of the discriminator; no gradient reaches the generator."""
        raise NotImplementedError

    def features(self, file: str) -> nn.Module | None:
        """Load the VGG whose features the losses compare; None if they compare none.

        `file` names its weights: "" for the published ones, "none" to train without it. Raise Halt if that
        fails.
        """
        return None

    def load(self, generator: nn.Module, tensors: dict[str, Tensor]) -> None:
        """Start a generator from the weights of a saved model. Raise RuntimeError if they do not fit."""
        generator.load_state_dict(tensors)

    def multiple(self, model: Model) -> int:
        """Return the number of which height and width must be multiples for this model."""
        return self.stride

    def learning_rate(self, model: Model) -> float:
        """Return the published learning rate of the generator."""
        return self.lr

    def optimizers(self, networks: Networks, lr: float) -> Optimizers:
        """Build the optimizer of each network; the generator learns at the rate `lr`."""
        generator, discriminator = (network.parameters() for network in networks)
        return Optimizers(
            Adam(generator, lr, betas=self.betas, fused=True),
            Adam(discriminator, lr * self.discriminator_lr, betas=self.betas, fused=True),
        )

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the arguments of the generator: the sketch, the guide, and its kind if there are several."""
        return batch["sketch"], batch[self.columns[0]]

    def picture(self, output: Any, batch: Batch) -> Tensor:
        """Return the picture (B, 3, H, W) in [-1, 1] that the output of the generator holds."""
        return output

    def target(self, batch: Batch) -> Tensor:
        """Return the picture (B, 3, H, W) in [-1, 1] that the generator should make."""
        return batch["target"]


def present(pair: Networks | Optimizers) -> dict[str, Any]:
    """Return the networks, or the optimizers, that there are, by name."""
    return {name: each for name, each in pair._asdict().items() if each is not None}


def system(name: str) -> System:
    """Return a colorizer, importing no other. Raise KeyError if there is none of this name."""
    if name not in SYSTEMS:
        raise KeyError(name)
    return import_module(f"pipeline.systems.{name}").SYSTEM
