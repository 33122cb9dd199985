"""A trained colorizer on pictures of any size."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from pipeline import systems
from pipeline.batches.dataset import to_array, to_tensor
from pipeline.models.folder import model_params
from pipeline.params import GUIDES

UNTILED = ("reference", "kind")  # never cut into tiles: any part of a reference may color any part
OVERLAP = 4  # a tile shares a quarter of its side with the next


def colorize_picture(
    generator: nn.Module, config: dict, given: dict[str, np.ndarray], tile: int = 0
) -> np.ndarray:
    """Color one picture of any size, and return it as uint8 (H, W, 3).

    `given` is uint8: `sketch` (H, W), and the guide of the system: `cue` (H, W, 3), `reference` of any size
    (h, w, 3), or `mask` (H, W), 255 where to color, with `color` (H, W, 3), which gives the brightness. For
    a system of several guides it is one of them under its name, (H, W, 3) or with opacity (H, W, 4), a mask
    in place of the sketch's colors, or none.
    `tile` is that of `infer_tiled`. Raise ValueError for another shape or type.
    """
    height, width = given["sketch"].shape[:2]
    several = len(systems.system(config["system"]).guides) > 1
    for name, image in given.items():
        wanted = (height, width) if name in ("sketch", "mask") else (height, width, 3)
        fits = (
            image.shape == wanted
            or (several and image.shape == (height, width, 4))
            or (name in UNTILED and image.ndim == 3 and image.shape[2] == 3)
        )
        if not fits or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"{name} must be uint8 {wanted}, got {image.dtype} {image.shape}")
    batch = {name: to_tensor(image)[None] for name, image in given.items()}
    if "mask" in batch:
        batch["mask"] = (batch["mask"] > 0).float()
    if several:
        batch = one_guide(batch)
    return to_array(infer_tiled(generator, config, batch, tile)[0])


def one_guide(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Turn a sketch and at most one guide under its name into the inputs of a system of several guides."""
    sketch = batch["sketch"]
    guide = torch.zeros(1, 4, *sketch.shape[2:])
    (name,) = (batch.keys() & set(GUIDES)) or ({"gray"} if "mask" in batch else {"none"})
    if name == "gray":
        guide[:, 3:] = batch["mask"]
    elif name != "none":
        colors = interpolate(batch[name], sketch.shape[2:], mode="bilinear", antialias=True)
        guide[:, :3], guide[:, 3:] = colors[:, :3], (colors[:, 3:] + 1) / 2 if colors.shape[1] == 4 else 1
    return {"sketch": sketch, "guide": guide, "kind": torch.tensor([GUIDES.index(name)])}


@torch.inference_mode()
def infer_tiled(generator: nn.Module, config: dict, batch: dict, tile: int = 0) -> Tensor:
    """Run a generator on a batch of any size and return its pictures (B, 3, H, W).

    With a `tile`, larger pictures are colored in overlapping squares of at most that many pixels a side, each
    fading into the next, so that memory does not grow with the picture; a network that looks at the whole
    picture sees only the tile. Raise ValueError if a tile is too small.
    """
    check_tile(config, tile)
    height, width = batch["sketch"].shape[2:]
    if not tile or max(height, width) <= tile:
        return infer_padded(generator, config, batch)
    total = torch.zeros(len(batch["sketch"]), 3, height, width)
    weights = torch.zeros(height, width)
    for rows, down in tile_windows(height, tile):
        for columns, right in tile_windows(width, tile):
            part = {name: cut_tile(name, values, rows, columns) for name, values in batch.items()}
            weight = torch.outer(down, right)
            total[..., rows, columns] += weight * infer_padded(generator, config, part)
            weights[rows, columns] += weight
    return total / weights


def check_tile(config: dict, tile: int) -> None:
    """Raise ValueError if a tile is smaller than twice the multiple that the system needs."""
    least = 2 * systems.system(config["system"]).multiple(model_params(config))
    if tile and tile < least:
        raise ValueError(f"tile must be 0 or at least {least}, got {tile}")


def cut_tile(name: str, values: Tensor | list, rows: slice, columns: slice) -> Tensor | list:
    return values[..., rows, columns] if isinstance(values, Tensor) and name not in UNTILED else values


def tile_windows(side: int, tile: int) -> Iterator[tuple[slice, Tensor]]:
    """Cover a side evenly with windows of at most `tile` pixels, each with weights that fade to its ends.

    Windows share at least a quarter of their pixels. The weights need not add up to one.
    """
    size, step = min(side, tile), tile - tile // OVERLAP
    count = -(-(side - size) // step) + 1
    for number in range(count):
        start = (side - size) * number // max(count - 1, 1)
        away = torch.minimum(torch.arange(size), torch.arange(size).flip(0)) + 1.0
        yield slice(start, start + size), (away / (tile // OVERLAP)).clamp(max=1)


def infer_padded(generator: nn.Module, config: dict, batch: dict) -> Tensor:
    """Run a generator on a batch that is padded at right and bottom to multiples, and crop the result.

    Sketches are padded with white, all others with the pixels of their edges.
    """
    system = systems.system(config["system"])
    multiple = system.multiple(model_params(config))
    height, width = batch["sketch"].shape[2:]
    device = next(generator.parameters()).device
    names = batch.keys() - {"key", "flow", "kind"}
    images = {name: pad_to_multiple(name, batch[name], multiple).to(device) for name in names}
    if "kind" in batch:
        images["kind"] = batch["kind"].to(device)
    return system.picture(generator(*system.inputs(images)), images)[..., :height, :width].cpu()


def pad_to_multiple(name: str, values: Tensor, multiple: int) -> Tensor:
    """Pad the sides of images (B, C, H, W) to multiples."""
    margin = (0, -values.shape[3] % multiple, 0, -values.shape[2] % multiple)
    return pad(values, margin, value=1.0) if name == "sketch" else pad(values, margin, mode="replicate")
