"""pix2pix as tutorials write it: the loop with which the training benchmark compares.

A dataset decodes three PNGs with Pillow into float32, a DataLoader shuffles, batches move by `.to(device)`,
all is computed in float32 with the library's defaults, and every loss is read at every step. The shards, the
networks and their first weights are those of this project, but all transposed convolutions are the library's.
"""

import io
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset

from pipeline.batches.dataset import Pairs
from pipeline.errors import Halt
from pipeline.params import Model
from pipeline.systems.layers import Doubling
from pipeline.systems.pix2pix import SYSTEM as PIX2PIX

L1_WEIGHT = 100.0


def restore_defaults() -> None:
    """Compute with torch's defaults: on a GPU, TF32 in convolutions and float32 elsewhere."""
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, True
    torch.backends.cudnn.benchmark = False


class PlainPairs(Dataset):
    """Sketch, cue and color of every sample, as float32 (C, H, W) in [-1, 1]."""

    def __init__(self, pairs: Pairs):
        self.entries = pairs.entries
        self.columns = ((pairs.sketches[0], "L"), ("cue", "RGB"), ("color", "RGB"))

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        members = self.entries[number].read().members
        return tuple(plain_tensor(members[f"{column}.png"], mode) for column, mode in self.columns)


def plain_tensor(data: bytes, mode: str) -> Tensor:
    image = np.asarray(Image.open(io.BytesIO(data)).convert(mode), dtype=np.float32)
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes / 127.5 - 1)


def plain_batches(pairs: Pairs, batch: int, workers: int) -> Iterator[list[Tensor]]:
    """Yield shuffled batches without end. The processes persist: steps are timed, not their start.

    Raise Halt if there are fewer samples than fill a batch.
    """
    if len(pairs) < batch:
        raise Halt(f"{len(pairs)} training samples do not fill a batch of {batch}: name smaller batches")
    # not by fork, which may hang after threads have run
    options = {"persistent_workers": True, "multiprocessing_context": "spawn"} if workers else {}
    samples = PlainPairs(pairs)
    loader = DataLoader(samples, batch, shuffle=True, drop_last=True, num_workers=workers, **options)
    while True:
        yield from loader


def plain_networks(model: Model, seed: int = 0) -> tuple[nn.Module, nn.Module]:
    """Build generator and discriminator with the weights that training begins with."""
    torch.manual_seed(seed)
    generator, discriminator = PIX2PIX.networks(model)
    for module in generator.modules():
        if isinstance(module, Doubling):
            module.forward = partial(nn.ConvTranspose2d.forward, module)
    return generator, discriminator


def train_canonical(
    networks: tuple[nn.Module, nn.Module],
    batches: Iterable[tuple[Tensor, ...]],
    device: torch.device | str,
    freeze: bool,
) -> Iterator[dict[str, float]]:
    """Take a step for every batch, and yield its weighted losses.

    Unless `freeze`, the update of the generator also computes gradients of the discriminator's weights, which
    nothing uses.
    """
    generator, discriminator = (network.to(device) for network in networks)
    g_optimizer = Adam(generator.parameters(), PIX2PIX.lr, betas=(0.5, 0.999))
    d_optimizer = Adam(discriminator.parameters(), PIX2PIX.lr, betas=(0.5, 0.999))
    cross_entropy, distance = nn.BCEWithLogitsLoss(), nn.L1Loss()

    for batch in batches:
        sketch, cue, color = (values.to(device) for values in batch)
        fake = generator(sketch, cue)

        d_optimizer.zero_grad()
        logits = discriminator(sketch, cue, color)
        real_loss = cross_entropy(logits, torch.ones_like(logits))
        logits = discriminator(sketch, cue, fake.detach())
        fake_loss = cross_entropy(logits, torch.zeros_like(logits))
        ((real_loss + fake_loss) / 2).backward()
        d_optimizer.step()

        if freeze:
            discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        logits = discriminator(sketch, cue, fake)
        adversarial = cross_entropy(logits, torch.ones_like(logits))
        l1 = L1_WEIGHT * distance(fake, color)
        (adversarial + l1).backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)

        losses = {"adversarial": adversarial, "l1": l1, "real": real_loss / 2, "fake": fake_loss / 2}
        yield {name: loss.item() for name, loss in losses.items()}
