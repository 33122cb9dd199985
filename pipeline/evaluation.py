"""What a trained colorizer is worth, in numbers, and its use on pictures of any size."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline.dataset import Pairs, array, once, tensor
from pipeline.systems import SYSTEMS
from pipeline.training import load, shape

CAP = 100.0  # dB, in place of the infinite PSNR of equal pictures


def evaluate(
    data: Path,
    folder: Path,
    *,
    batch: int = 8,
    device: str = "cpu",
    keep: int = 8,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[dict], dict, list[list[np.ndarray]]]:
    """Measure the model in `folder`, and what needs no model, on the test split of the packed dataset `data`.

    Return a row of numbers per picture, the summary, and [sketch, guide, result, goal] of the first `keep`
    pictures. PSNR is in dB; `gain` is that of the model less that of the better baseline. After each batch
    `tick` gets how many pictures are done, of how many.
    """
    generator, config = load(folder, device)
    system = SYSTEMS[config["system"]]
    rows, pictures = [], []
    pairs = Pairs(data, "test", config["sketch"].split(",")[0], system.COLUMNS)
    for samples in once(pairs, batch, workers=0):
        results, goals = paint(generator, config, samples), system.goal(samples)
        for number, key in enumerate(samples["key"]):
            shown = {
                name: array(values[number]) for name, values in samples.items() if name not in ("key", "flow")
            }
            goal, result = array(goals[number]), array(results[number])
            rivals = baselines(shown)
            rows.append({"key": key} | measure(goal, {"": result} | rivals))
            if len(pictures) < keep:
                pictures.append([shown["sketch"], *[*rivals.values()][:1], result, goal])
        tick(len(rows), len(pairs))
    return rows, summarize(rows), pictures


def baselines(shown: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """List what needs no model: the guide as it is, the guide under the lines, the picture in gray."""
    lines = shown["sketch"][..., None] / 255
    rivals = {}
    for name in ("cue", "reference"):
        if name in shown:
            rivals |= {
                name: shown[name],
                f"{name}_times_sketch": np.rint(shown[name] * lines).astype(np.uint8),
            }
    if "mask" in shown:
        rivals["gray"] = np.repeat(cv2.cvtColor(shown["color"], cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return rivals


def measure(goal: np.ndarray, pictures: dict[str, np.ndarray]) -> dict[str, float]:
    """Compare pictures with what should be there: `psnr` and `ssim` of each, its name before them."""
    measures = {"psnr": psnr, "ssim": ssim}
    return {
        f"{name}_{measured}" if name else measured: compare(goal, picture)
        for name, picture in pictures.items()
        for measured, compare in measures.items()
    }


def summarize(rows: list[dict]) -> dict:
    """Average the rows, to four decimals."""
    mean = {name: fmean(row[name] for row in rows) for name in rows[0] if name != "key"}
    rivals = [name.removesuffix("_psnr") for name in mean if name.endswith("_psnr")]
    summary = {"images": len(rows), "psnr": mean["psnr"], "ssim": mean["ssim"]}
    summary["gain"] = mean["psnr"] - max(mean[f"{name}_psnr"] for name in rivals)
    summary = {name: round(value, 4) for name, value in summary.items()}
    for name in rivals:
        summary[name] = {m: round(mean[f"{name}_{m}"], 4) for m in ("psnr", "ssim")}
    return summary


def table(rows: list[dict]) -> str:
    """Write the rows as tab-separated text, to four decimals."""
    lines = [list(rows[0])]
    lines += [[value if isinstance(value, str) else f"{value:.4f}" for value in row.values()] for row in rows]
    return "".join("\t".join(line) + "\n" for line in lines)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of two uint8 pictures in dB, at most 100 (equal pictures)."""
    if np.array_equal(first, second):
        return CAP
    return min(CAP, float(peak_signal_noise_ratio(first, second, data_range=255)))


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Return the structural similarity of two uint8 RGB pictures of at least 11 pixels a side.

    The settings are those of Wang et al., Image Quality Assessment: From Error Visibility to Structural
    Similarity, 2004: a Gaussian window of sigma 1.5, population covariance.
    """
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(first, second, data_range=255, channel_axis=2, **settings))


def colorize(generator: nn.Module, config: dict, given: dict[str, np.ndarray]) -> np.ndarray:
    """Color one picture of any size, uint8 (H, W, 3).

    `given` is uint8: `sketch` (H, W), and what the system reads beside it: `cue` or `reference` (H, W, 3), or
    `color` (H, W, 3) of which the brightness counts and `mask` (H, W), 255 where it is to be colored. Raise
    ValueError if a shape or type is another.
    """
    height, width = given["sketch"].shape[:2]
    for name, image in given.items():
        wanted = (height, width) if name in ("sketch", "mask") else (height, width, 3)
        if image.shape != wanted or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"{name} must be uint8 {wanted}, got {image.dtype} {image.shape}")
    batch = {name: tensor(image)[None] for name, image in given.items()}
    if "mask" in batch:
        batch["mask"] = (batch["mask"] > 0).float()
    return array(paint(generator, config, batch)[0])


@torch.inference_mode()
def paint(generator: nn.Module, config: dict, batch: dict) -> Tensor:
    """Run a generator on a batch of any size and return its pictures (B, 3, H, W).

    Sides are padded at right and bottom to a multiple that the system can halve: the sketch is continued in
    white, all others with the pixels of their edges.
    """
    system, model = SYSTEMS[config["system"]], shape(config)
    height, width = batch["sketch"].shape[2:]
    margin = (0, -width % system.multiple(model), 0, -height % system.multiple(model))
    device = next(generator.parameters()).device
    padded = {
        name: pad(values, margin, **({"value": 1.0} if name == "sketch" else {"mode": "replicate"})).to(
            device
        )
        for name, values in batch.items()
        if name not in ("key", "flow")
    }
    return system.shown(generator(*system.inputs(padded)), padded)[..., :height, :width].cpu()
