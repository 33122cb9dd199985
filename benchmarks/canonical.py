"""pix2pix as everybody writes it: what the benchmark of training compares with.

A dataset decodes three PNGs by Pillow and makes float32 of them, a DataLoader shuffles, batches move by
`.to(device)`, all is computed in float32 with the library's defaults, and every loss is asked for at every
step. The shards, which are made here, the networks and their first weights are the same as ours, but all
transposed convolutions are the library's.
"""

import io
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset

from pipeline import files
from pipeline.batches.dataset import Pairs
from pipeline.booru import artist
from pipeline.errors import Halt
from pipeline.images import pixels, png
from pipeline.operators import cue, sketch, warp
from pipeline.params import Cue, Model, Reference, Sketch
from pipeline.shards.column import seal_column, write_shard
from pipeline.shards.tar import Sample
from pipeline.systems.layers import Doubling
from pipeline.systems.pix2pix import SYSTEM as PIX2PIX

PICTURES, HELD_OUT = 32, 4  # different ones that are drawn; those of validation
L1_WEIGHT = 100.0
FLAGS = (torch.backends.cuda.matmul, "allow_tf32"), (torch.backends.cudnn, "allow_tf32")
FLAGS += ((torch.backends.cudnn, "benchmark"),)
DEFAULTS = [getattr(place, name) for place, name in FLAGS]  # read before anything sets them


def defaults() -> None:
    """Compute by the library's defaults again: on a GPU, TF32 in convolutions and float32 elsewhere."""
    for (place, name), value in zip(FLAGS, DEFAULTS, strict=True):
        setattr(place, name, value)


class Pictures(Dataset):
    """Sketch, cue and color of every sample, as float32 (C, H, W) in [-1, 1]."""

    def __init__(self, pairs: Pairs):
        """Read the samples of a split where they are packed."""
        self.entries = pairs.entries
        self.columns = ((pairs.sketches[0], "L"), ("cue", "RGB"), ("color", "RGB"))

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.entries)

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        """Decode a sample."""
        entry = self.entries[number]
        return tuple(tensor(entry.read(f"{column}.png"), mode) for column, mode in self.columns)


def tensor(data: bytes, mode: str) -> Tensor:
    """Decode a picture by Pillow."""
    image = np.asarray(Image.open(io.BytesIO(data)).convert(mode), dtype=np.float32)
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return torch.from_numpy(planes / 127.5 - 1)


def loader(pairs: Pairs, batch: int, workers: int) -> Iterator[list[Tensor]]:
    """Yield shuffled batches without end. The processes stay, since only steps are timed, not their start.

    Raise Halt if there are fewer samples than fill a batch.
    """
    if len(pairs) < batch:
        raise Halt(f"{len(pairs)} training samples do not fill a batch of {batch}: name smaller batches")
    # not by fork, which may hang after threads have run
    kept = {"persistent_workers": True, "multiprocessing_context": "spawn"} if workers else {}
    told = DataLoader(Pictures(pairs), batch, shuffle=True, drop_last=True, num_workers=workers, **kept)
    while True:
        yield from told


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
    feed: Iterable[tuple[Tensor, ...]],
    device: torch.device | str,
    freeze: bool,
) -> Iterator[dict[str, float]]:
    """Take a step for every batch, and yield its losses, weighted.

    Unless `freeze`, the update of the generator computes the gradients of the discriminator's weights too,
    which nobody uses.
    """
    generator, discriminator = (network.to(device) for network in networks)
    g_optimizer = Adam(generator.parameters(), PIX2PIX.lr, betas=(0.5, 0.999))
    d_optimizer = Adam(discriminator.parameters(), PIX2PIX.lr, betas=(0.5, 0.999))
    cross_entropy, distance = nn.BCEWithLogitsLoss(), nn.L1Loss()

    for batch in feed:
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
        passing = cross_entropy(logits, torch.ones_like(logits))
        close = L1_WEIGHT * distance(fake, color)
        (passing + close).backward()
        g_optimizer.step()
        discriminator.requires_grad_(True)

        losses = {"adversarial": passing, "l1": close, "real": real_loss / 2, "fake": fake_loss / 2}
        yield {name: loss.item() for name, loss in losses.items()}


def drawn(folder: Path, count: int, side: int) -> Path:
    """Draw portraits and pack `count` training samples of them, the same ones again where there are more."""
    made = [members(number, side) for number in range(min(count, PICTURES))]
    listed = [
        write_shard(
            folder / f"{name}-000000.tar",
            (Sample(f"{start + number:06d}", made[number % len(made)]) for number in range(size)),
        )
        for name, start, size in (("train", 0, count), ("val", count, HELD_OUT))
    ]
    seal_column(folder, listed, count + HELD_OUT, {})
    return folder


def members(number: int, side: int) -> dict[str, bytes]:
    """Draw a portrait and make its columns."""
    color = pixels.resize(artist.draw(artist.portrait(number)), side, side)
    facts = warp.draw_reference(str(number), Reference())
    made = {
        "color": color,
        "sketch-b7": sketch.draw_sketch(color, Sketch()),
        "cue": cue.draw_cue(color, Cue()),
    }
    made["reference"] = warp.bend_picture(color, facts)
    pictures = {f"{name}.png": png.encode_png(image) for name, image in made.items()}
    return pictures | {"json": files.dumps({"reference": facts})}
