"""The metrics of all stages -> a line for each."""

import json
from pathlib import Path

from pipeline.errors import Halt

DATA = ("search", "fetch", "clean", "sketchify-*", "cue", "reference", "pack")
REPORTED_STAGES = (*DATA, "train/metrics", "evaluate")


def report_metrics(folder: Path) -> str:
    """Describe the results of the stages whose metrics are in `folder`. Raise Halt if there are none."""
    lines = [line for line in (describe_metrics(path) for path in find_metrics(folder)) if line]
    if not lines:
        raise Halt(f"{folder} holds no metrics: run the pipeline first")
    return "\n".join(lines)


def find_metrics(folder: Path) -> list[Path]:
    """List the metrics in the order of the pipeline."""
    return [path for name in REPORTED_STAGES for path in sorted(folder.glob(f"{name}.json"))]


def describe_metrics(path: Path) -> str:
    """Describe the metrics of one stage in a line."""
    metrics = json.loads(path.read_bytes())
    name = path.parent.name if path.stem == "metrics" else path.stem
    if "rejected" in metrics:
        return f"{name:16} {describe_outcome(metrics)}"
    if "paired" in metrics:
        return f"{name:16} {describe_scores(metrics)}"
    if "skipped" in metrics:
        skipped = summarize_counts(metrics["skipped"])
        return f"{name:16} {metrics['posts']} posts" + (f"; skipped: {skipped}" if skipped else "")
    numbers = [(key, value) for key, value in sorted(metrics.items()) if type(value) in (int, float)]
    return f"{name:16} " + ", ".join(f"{round(value, 2):g} {key}" for key, value in numbers)


def summarize_counts(counts: dict[str, int]) -> str:
    """List the reasons with their counts."""
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


def describe_outcome(metrics: dict) -> str:
    """Say how many samples a stage wrote, why it rejected others, and the means of their scores."""
    reasons = summarize_counts(metrics["rejected"])
    scored = {key: value["mean"] for key, value in metrics.items() if type(value) is dict and "mean" in value}
    means = ", ".join(f"mean {key} {mean:.1f}" for key, mean in scored.items())
    parts = [f"{metrics['written']} of {metrics['taken']}", reasons and f"rejected: {reasons}", means]
    return "; ".join(part for part in parts if part)


def describe_scores(metrics: dict) -> str:
    """Compare the scores of a model with those of the baselines."""
    means = {
        by: {name: score["mean"] for name, score in each.items() if type(score) is dict}
        for by, each in metrics["paired"].items()
    }
    own = means.pop("model")
    baselines = ", ".join(f"{by.replace('_', ' ')} {mean['psnr']:.2f} dB" for by, mean in means.items())
    quality = f"{own['psnr']:.2f} dB PSNR, {own['ssim']:.3f} SSIM on {metrics['images']} pictures"
    return f"{metrics['system']}: {quality}; baselines: {baselines}; gain {metrics['gain']['mean']:+.2f} dB"
