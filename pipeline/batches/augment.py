"""Levels -> inputs of the networks: pictures are mirrored, tinted, bent and scaled in batches, on any device.

Pictures travel to the device as bytes. Nothing here waits for the device: no value is read, and an operation
on some samples of a batch is computed for all of them and then selected. `warp` does the same to one picture
on the host, where OpenCV rounds positions to a 32nd of a pixel.
"""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, interpolate

from pipeline.images.pixels import cosine_basis
from pipeline.operators import warp
from pipeline.operators.cue import UNIT_SIDE
from pipeline.params import GUIDES, Cue

COLOR_COLUMNS = ("color", "cue", "reference", "guide")  # with three channels, and opacity


def prepare_batch(raw: dict, device: torch.device | str = "cpu") -> dict:
    """Turn a batch of samples, as `Pairs` returns them, into the inputs of the systems: `key`, and float32.

    There are `sketch` (B, 1, H, W) and `color`, and, if the samples have them or say how to make them, `cue`,
    `reference` and `target` (B, 3, H, W), all in [-1, 1]; `mask` (B, 1, H, W) of 0 and 1; and, if the samples
    ask for it, `flow` (B, H, W, 2): the position in the target from which each pixel of the reference comes,
    x and y in [0, 1]. The target is the color, tinted if the reference is tinted before it is bent. Samples
    of several guides have `guide` (B, 4, H, W), whose opacity is in [0, 1], and `kind` (B).
    """
    device = torch.device(device)
    given = {name: values.to(device, non_blocking=True) for name, values in raw.items() if name != "key"}
    batch, images = {"key": raw["key"]}, to_planes(given)
    color = images["color"]
    if "points" in given:
        shift, tint_first = given["shift"], given["tinted"][:, None]
        flow = batch_flow(given, *color.shape[2:])
        images["target"] = tint_batch(color, shift * tint_first)  # by 0 where the tint comes after
        if "reference" not in images:
            images["reference"] = tint_batch(warp_batch(images["target"], flow), shift * ~tint_first)
        if "flow" in given:
            batch["flow"] = flow
    elif "reference" in images:
        images["target"] = color
    if "mask" in given:
        batch["mask"] = given["mask"][:, None].float()
    batch |= {name: scale_levels(levels) for name, levels in images.items() if name != "guide"}
    return batch | prepare_guide(given["kind"], images, batch) if "guide" in given else batch


def halve_batch(batch: dict) -> dict:
    """Average all that a batch holds of every 2 x 2 pixels; sides must be even.

    Colors of a guide count by their opacity, and a flow by its positions. A mask stays where most of it was.
    """
    small = dict(batch)
    for name in batch.keys() & {"sketch", "color", "cue", "reference", "target"}:
        small[name] = avg_pool2d(batch[name], 2)
    if "mask" in batch:
        small["mask"] = (avg_pool2d(batch["mask"], 2) > 0.5).float()
    if "flow" in batch:
        small["flow"] = avg_pool2d(batch["flow"].permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    if "guide" in batch:
        opacity = batch["guide"][:, 3:]
        weighted = avg_pool2d(batch["guide"][:, :3] * opacity, 2)
        mean = avg_pool2d(opacity, 2)
        small["guide"] = torch.cat([weighted / mean.clamp_min(1 / 1024), mean], dim=1)
    return small


def prepare_guide(kind: Tensor, images: dict[str, Tensor], batch: dict) -> dict:
    """Return the inputs of systems that take several guides: here are cues blurred and references put in."""
    colors, opacity = scale_levels(images["guide"][:, :3]), images["guide"][:, 3:] / 255
    full = {"cue": scale_levels(blur_batch(images["color"]))}
    if "reference" in batch:
        full["reference"] = batch["reference"]
    for name, each in full.items():
        chosen = kind == GUIDES.index(name)
        colors = choose_samples(chosen, each, colors)
        opacity = choose_samples(chosen, torch.ones_like(opacity), opacity)
    guide = torch.cat([colors, opacity], dim=1)
    return {"kind": kind, "guide": guide, "target": batch.get("target", batch["color"])}


def blur_batch(levels: Tensor) -> Tensor:
    """Blur pictures (B, 3, H, W) as `cue.blur_colors` does by default; in levels.

    On the host, the threads of NumPy's products would take the cores from those of the network.
    """
    sigma = Cue().sigma * min(levels.shape[2:]) / UNIT_SIDE
    down, across = (device_cosines(side, sigma, levels.device) for side in levels.shape[2:])
    return (down.mT @ (down @ levels.float() @ across.mT) @ across).round_().clamp_(0, 255)


@lru_cache(maxsize=4)
def device_cosines(side: int, sigma: float, device: torch.device) -> Tensor:
    """Return the cosines of `pixels.cosine_basis`, cached on a device."""
    return torch.from_numpy(cosine_basis(side, sigma)).float().to(device)


def to_planes(given: dict[str, Tensor]) -> dict[str, Tensor]:
    """View the pictures of a batch as (B, C, H, W), and flip those of the samples marked `mirrored`."""
    images = {name: given[name].permute(0, 3, 1, 2) for name in COLOR_COLUMNS if name in given}
    images["sketch"] = given["sketch"][:, None]
    if "mirrored" in given:
        for name in images.keys() - {"reference"}:
            images[name] = choose_samples(given["mirrored"], images[name].flip(3), images[name])
    return images


def choose_samples(which: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Take the samples (B, ...) of `one` where `which` (B) is true, else of `other`."""
    return torch.where(which.view(-1, *[1] * (other.ndim - 1)), one, other)


def tint_batch(levels: Tensor, shift: Tensor) -> Tensor:
    """Add a shift (B, 3) to each channel of pictures (B, 3, H, W), within [0, 255]."""
    return (levels + shift[:, :, None, None]).round_().clamp_(0, 255)


def warp_batch(levels: Tensor, flow: Tensor) -> Tensor:
    """Sample pictures (B, 3, H, W) where a flow says, bilinearly, reflected at the border; in levels."""
    return grid_sample(levels, 2 * flow - 1, padding_mode="reflection", align_corners=False).round_()


def batch_flow(given: dict[str, Tensor], height: int, width: int) -> Tensor:
    """Compute the position from which each pixel of the references comes: (B, H, W, 2), x and y in [0, 1]."""
    points = given["points"]
    side, grid = min(max(height, width), warp.LATTICE_SIDE), round(points.shape[1] ** 0.5)
    moved = points.mT.reshape(-1, grid**2) @ device_basis(grid, side, points.device)
    moved = moved.view(-1, 2, side, side)
    if (height, width) != (side, side):
        moved = interpolate(moved, (height, width), mode="bicubic", align_corners=False)
    x = moved[:, 0] + device_centers(width, points.device)
    y = moved[:, 1] + device_centers(height, points.device)[:, None]
    if "reference" in given:  # as packed: it shows the sample before it is mirrored
        x = choose_samples(given["mirrored"], 1 - x, x)
    flow = torch.stack((x, y), dim=3)
    return choose_samples(given["flipped"], flow.flip(2), flow)


@lru_cache(maxsize=4)
def device_basis(grid: int, side: int, device: torch.device) -> Tensor:
    """Return the displacement of each pixel by each point, (grid * grid, side * side), cached on a device."""
    return torch.from_numpy(warp.spline_basis(grid, side)).float().to(device)


def device_centers(side: int, device: torch.device) -> Tensor:
    return (torch.arange(side, device=device) + 0.5) / side


def scale_levels(levels: Tensor) -> Tensor:
    """Turn levels into float32 in [-1, 1], in the memory layout that is fastest on their device."""
    layout = torch.channels_last if levels.is_cuda else torch.contiguous_format
    return levels.contiguous(memory_format=layout).div(127.5).sub_(1)
