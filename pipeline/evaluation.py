"""What a trained colorizer is worth, in numbers, and its use on pictures of any size."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from torch.nn.functional import pad

from pipeline.dataset import Pairs, array, once, tensor
from pipeline.training import load

CAP = 100.0  # dB, in place of the infinite PSNR of equal pictures
BASELINES = ("cue", "cue_times_sketch")


def evaluate(
    data: Path,
    folder: Path,
    *,
    batch: int = 8,
    device: str = "cpu",
    keep: int = 8,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[dict], dict, list[list[np.ndarray]]]:
    """Measure the model in `folder`, and two baselines, on the test split of the packed dataset `data`.

    Return a row of numbers per picture, the summary, and [sketch, cue, result, original] of the first `keep`
    pictures. PSNR is in dB; `gain` is that of the model less that of the better baseline. After each batch
    `tick` gets how many pictures are done, of how many.
    """
    generator, config = load(folder, device)
    rows, pictures = [], []
    pairs = Pairs(data, "test", config["sketch"])
    for samples in once(pairs, batch, workers=0):
        results = paint(generator, samples["sketch"], samples["cue"], config["depth"])
        for number, key in enumerate(samples["key"]):
            sketch, cue, color = (array(samples[name][number]) for name in ("sketch", "cue", "color"))
            result = array(results[number])
            rows.append({"key": key} | measure(color, sketch, cue, result))
            if len(pictures) < keep:
                pictures.append([sketch, cue, result, color])
        tick(len(rows), len(pairs))
    return rows, summarize(rows), pictures


def measure(color: np.ndarray, sketch: np.ndarray, cue: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """Compare the result, the cue alone, and the cue under the lines of the sketch with the original."""
    lines = np.rint(cue * (sketch[..., None] / 255)).astype(np.uint8)
    pictures = {"": result, "cue_": cue, "cue_times_sketch_": lines}
    measures = {"psnr": psnr, "ssim": ssim}
    return {prefix + m: f(color, image) for prefix, image in pictures.items() for m, f in measures.items()}


def summarize(rows: list[dict]) -> dict:
    """Average the rows, to four decimals."""
    mean = {name: fmean(row[name] for row in rows) for name in rows[0] if name != "key"}
    summary = {"images": len(rows), "psnr": mean["psnr"], "ssim": mean["ssim"]}
    summary["gain"] = mean["psnr"] - max(mean[f"{name}_psnr"] for name in BASELINES)
    summary = {name: round(value, 4) for name, value in summary.items()}
    for name in BASELINES:
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


def colorize(
    generator: nn.Module, sketch: np.ndarray, cue: np.ndarray | None = None, depth: int = 8
) -> np.ndarray:
    """Color a sketch, uint8 (H, W) of any size, by a cue, uint8 (H, W, 3), or by all ones (white).

    Raise ValueError if a shape or type is another.
    """
    cue = np.full((*sketch.shape, 3), 255, np.uint8) if cue is None else cue
    if sketch.ndim != 2 or not sketch.size or cue.shape != (*sketch.shape, 3):
        raise ValueError(f"sketch and cue must be (H, W) and (H, W, 3), got {sketch.shape} and {cue.shape}")
    if sketch.dtype != np.uint8 or cue.dtype != np.uint8:
        raise ValueError(f"sketch and cue must be uint8, got {sketch.dtype} and {cue.dtype}")
    return array(paint(generator, tensor(sketch)[None], tensor(cue)[None], depth)[0])


@torch.inference_mode()
def paint(generator: nn.Module, sketch: Tensor, cue: Tensor, depth: int) -> Tensor:
    """Run a generator on (B, C, H, W) of any size: padded at right and bottom to a multiple of 2**depth.

    The sketch is continued in white, the cue with the colors of its edge.
    """
    height, width = sketch.shape[2:]
    margin = (0, -width % 2**depth, 0, -height % 2**depth)
    device = next(generator.parameters()).device
    sketch, cue = pad(sketch, margin, value=1.0), pad(cue, margin, mode="replicate")
    return generator(sketch.to(device), cue.to(device))[..., :height, :width].cpu()
