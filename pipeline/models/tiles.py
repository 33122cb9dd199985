"""A trained colorizer on pictures of any size, whole or in tiles."""

from collections.abc import Iterator

import numpy as np

from pipeline.images.pixels import resize
from pipeline.models.network import Arrays, Network
from pipeline.params import GUIDES

UNTILED = ("reference", "kind")  # never cut into tiles: any part of a reference may color any part
OVERLAP = 4  # a tile shares a quarter of its side with the next


def colorize_picture(network: Network, given: Arrays, tile: int = 0) -> np.ndarray:
    """Color one picture of any size, and return it as uint8 (H, W, 3).

    `given` is uint8: `sketch` (H, W), and the guide of the system: `cue` (H, W, 3), `reference` of any size
    (h, w, 3), or `mask` (H, W), 255 where to color, with `color` (H, W, 3), which gives the brightness. For
    a system of several guides it is one of them under its name, (H, W, 3) or with opacity (H, W, 4), a mask
    in place of the sketch's colors, or none.
    `tile` is that of `infer_tiled`. Raise ValueError for another shape or type.
    """
    height, width = given["sketch"].shape[:2]
    several = len(network.guides) > 1
    for name, image in given.items():
        wanted = (height, width) if name in ("sketch", "mask") else (height, width, 3)
        fits = (
            image.shape == wanted
            or (several and image.shape == (height, width, 4))
            or (name in UNTILED and image.ndim == 3 and image.shape[2] == 3)
        )
        if not fits or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"{name} must be uint8 {wanted}, got {image.dtype} {image.shape}")
    inputs = one_guide(given) if several else {name: image_planes(image) for name, image in given.items()}
    if "mask" in inputs:
        inputs["mask"] = (inputs["mask"] > 0).astype(np.float32)
    picture = infer_tiled(network, inputs, tile)[0]
    return ((picture.transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)


def image_planes(image: np.ndarray) -> np.ndarray:
    """Turn uint8 (H, W) or (H, W, C) into float32 (1, C, H, W) in [-1, 1]."""
    planes = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)
    return planes[None].astype(np.float32) / 127.5 - 1


def one_guide(given: Arrays) -> Arrays:
    """Turn a sketch and at most one guide under its name into the inputs of a system of several guides."""
    height, width = given["sketch"].shape
    (name,) = (given.keys() & set(GUIDES)) or ({"gray"} if "mask" in given else {"none"})
    guide = np.zeros((1, 4, height, width), np.float32)
    if name == "gray":
        guide[:, 3] = given["mask"] > 0
    elif name != "none":
        colors = (
            given[name] if given[name].shape[:2] == (height, width) else resize(given[name], width, height)
        )
        guide[:, : colors.shape[2]] = image_planes(colors)
        guide[:, 3] = colors[..., 3] / np.float32(255) if colors.shape[2] == 4 else 1
    return {"sketch": image_planes(given["sketch"]), "guide": guide, "kind": np.array([GUIDES.index(name)])}


def infer_tiled(network: Network, inputs: Arrays, tile: int = 0) -> np.ndarray:
    """Run a network on the inputs of one picture of any size, and return the picture (1, 3, H, W).

    With a `tile`, larger pictures are colored in overlapping squares of at most that many pixels a side, each
    fading into the next, so that memory does not grow with the picture; a network that looks at the whole
    picture sees only the tile. Raise ValueError if a tile is too small.
    """
    check_tile(network, tile)
    height, width = inputs["sketch"].shape[2:]
    if not tile or max(height, width) <= tile:
        return network.infer(inputs)
    total = np.zeros((1, 3, height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    for rows, down in tile_windows(height, tile):
        for columns, right in tile_windows(width, tile):
            part = {name: cut_tile(name, values, rows, columns) for name, values in inputs.items()}
            weight = np.outer(down, right)
            total[..., rows, columns] += weight * network.infer(part)
            weights[rows, columns] += weight
    return total / weights


def check_tile(network: Network, tile: int) -> None:
    """Raise ValueError if a tile is smaller than twice the multiple that the network needs."""
    least = 2 * network.multiple
    if tile and tile < least:
        raise ValueError(f"tile must be 0 or at least {least}, got {tile}")


def cut_tile(name: str, values: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    return values if name in UNTILED else np.ascontiguousarray(values[..., rows, columns])


def tile_windows(side: int, tile: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Cover a side evenly with windows of at most `tile` pixels, each with weights that fade to its ends.

    Windows share at least a quarter of their pixels. The weights need not add up to one.
    """
    size, step = min(side, tile), tile - tile // OVERLAP
    count = -(-(side - size) // step) + 1
    for number in range(count):
        start = (side - size) * number // max(count - 1, 1)
        away = np.minimum(np.arange(size), np.arange(size)[::-1]) + np.float32(1)
        yield slice(start, start + size), (away / (tile // OVERLAP)).clip(max=1).astype(np.float32)
