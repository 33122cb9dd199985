"""Validations of several trainings -> dB over processor time, as a table and as a picture.

Systems that learn from different guides are validated by different guides: only curves of one part of the
picture compare.
"""

import csv
import math
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pipeline import files
from pipeline.evaluation.labels import CONDITION_TITLES
from pipeline.models.folder import read_config
from pipeline.params import guide_shares
from pipeline.systems import system

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe and Ito
WIDTH, HEIGHT, MARGIN = 640, 260, 48  # of each part, in pixels


@dataclass(frozen=True)
class Run:
    """A training: its validations as (step, seconds of the processor, PSNR in dB), and by which guide."""

    name: str
    seed: int
    guide: str
    points: list[tuple[int, float, float]]


def folder_of(model: Path) -> Path:
    """Return the folder of the curves of a model."""
    return model.with_name(f"{model.name}-curves")


def read_run(name: str, seed: int, model: Path, step_time: float) -> Run:
    """Read the validations of a training; a step takes `step_time` milliseconds of the processor."""
    path = folder_of(model) / "plots/metrics/val_psnr.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [(int(row["step"]), float(row["val_psnr"])) for row in csv.DictReader(file, delimiter="\t")]
    points = [(step, step * step_time / 1000, psnr) for step, psnr in rows]
    return Run(name, seed, validation_guide(model), points)


def validation_guide(model: Path) -> str:
    """Return the guide by which a model was validated: of several, the one with the largest share."""
    config = read_config(model)
    guides = system(config["system"]).guides
    if len(guides) == 1:
        return guides[0]
    shares = guide_shares(config["train"]["guides"])
    return max(shares, key=lambda guide: shares[guide])


def write_curves(runs: list[Run], dest: Path) -> None:
    """Write curves.tsv, which DVC can plot too, and curves.svg."""
    lines = [
        f"{run.name}\t{run.seed}\t{run.guide}\t{step}\t{seconds:.1f}\t{psnr:.4f}\n"
        for run in runs
        for step, seconds, psnr in run.points
    ]
    head = "system\tseed\tguide\tstep\tcpu_seconds\tval_psnr\n"
    files.write(dest / "curves.tsv", (head + "".join(lines)).encode())
    files.write(dest / "curves.svg", draw_curves(runs).encode())


def draw_curves(runs: list[Run]) -> str:
    """Draw a part for each guide, with a line for each training."""
    colors = dict(zip(dict.fromkeys(run.name for run in runs), COLORS, strict=False))
    end = max(seconds for run in runs for _, seconds, _ in run.points)
    runs = sorted(runs, key=lambda run: run.guide)
    parts = [
        draw_part(number * (HEIGHT + MARGIN), guide, list(own), colors, end)
        for number, (guide, own) in enumerate(groupby(runs, key=lambda run: run.guide))
    ]
    size = f'width="{WIDTH}" height="{len(parts) * (HEIGHT + MARGIN)}"'
    style = 'font-family="sans-serif" font-size="12" fill="none"'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{paper}{"".join(parts)}</svg>\n'


def draw_part(top: int, guide: str, runs: list[Run], colors: dict[str, str], end: float) -> str:
    """Draw the axes and the lines of one guide, below `top`."""
    levels = [psnr for run in runs for *_, psnr in run.points]
    low, high = math.floor(min(levels)), math.ceil(max(levels)) + 1

    def place(seconds: float, psnr: float) -> str:
        x = MARGIN + seconds / end * (WIDTH - 3 * MARGIN)
        return f"{x:.1f},{top + HEIGHT - (psnr - low) / (high - low) * (HEIGHT - MARGIN):.1f}"

    drawn = [text(MARGIN, top + MARGIN - 16, f"{CONDITION_TITLES[guide]}: validation PSNR, dB")]
    for level in range(low, high + 1, max(1, (high - low) // 6)):
        height = place(0, level).split(",")[1]
        drawn += [line(f"{place(0, level)} {place(end, level)}", "#ddd", 1)]
        drawn += [text(12, float(height) + 4, str(level))]
    for quarter in range(5):
        x = float(place(end * quarter / 4, low).split(",")[0])
        drawn += [text(x - 10, top + HEIGHT + 16, f"{end * quarter / 4:.0f} s")]
    for run in runs:
        drawn += [line(" ".join(place(*point[1:]) for point in run.points), colors[run.name], 1.5)]
    for number, name in enumerate(dict.fromkeys(run.name for run in runs)):
        drawn += [text(WIDTH - 2 * MARGIN + 12, top + MARGIN + 16 * number, name, colors[name])]
    return "".join(drawn)


def line(points: str, color: str, width: float) -> str:
    return f'<polyline points="{points}" stroke="{color}" stroke-width="{width}"/>'


def text(x: float, y: float, words: str, color: str = "#333") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{color}">{words}</text>'
