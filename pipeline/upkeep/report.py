"""The metrics of each stage: the few numbers that DVC compares beside all counts, and a line about them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.params import misnamed_blocksize

REPORTED_FILES = (  # in the order of the pipeline
    "search", "fetch", "clean", "sketchify-*", "cue", "reference", "pack", "train/metrics", "evaluate_report"
)  # fmt: skip
PACK_NUMBERS = ("train", "val", "test", "groups", "torn", "leaks")


def to_metrics(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few numbers of a data stage to compare between runs, and all its `counts` in a list.

    DVC reads no lists of metrics, so that it compares the numbers alone.
    """
    if "posts" in counts:
        numbers = {"posts": counts["posts"], "skipped": sum(counts["skipped"].values())}
    elif "groups" in counts:
        numbers = {name: counts[name] for name in PACK_NUMBERS}
    else:
        numbers = {"pictures": counts["written"], "rejected": sum(counts["rejected"].values())}
    means = {f"{name}_mean": mean for name, mean in reported_means(counts).items()}
    return {**numbers, **means, "counts": [counts]}


def all_counts(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the counts in the metrics of a stage; earlier versions wrote nothing else."""
    return {**metrics.get("counts", [metrics])[0]}


def read_results(
    folder: Path, sketches: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Read the metrics of the stages in `folder`, by stage. Raise Halt if there are none.

    `sketches` are those of params.yaml: their `settings` are added, and other sketches left out.
    """
    paths = [path for name in REPORTED_FILES for path in sorted(folder.glob(f"{name}.json"))]
    if not paths:
        raise Halt(f"{folder} holds no metrics: run the pipeline first")
    results = {}
    for path in paths:
        name = path.parent.name if path.stem == "metrics" else path.stem.removesuffix("_report")
        stage, _, sketch = name.partition("-")
        results[name] = all_counts(json.loads(path.read_bytes()))
        if stage == "sketchify" and sketches is not None:
            if sketch in sketches:
                results[name]["settings"] = sketches[sketch] or {}
            else:
                del results[name]
    return results


def describe_result(name: str, metrics: Mapping[str, Any]) -> str:
    """Say in one line what a stage did, as its metrics tell."""
    if "settings" in metrics:
        settings = ", ".join(f"{name} {value}" for name, value in metrics["settings"].items())
        line = f"{name:16} {describe_outcome(metrics)}; drawn with {settings or 'the defaults'}"
        blocksize = misnamed_blocksize(name.removeprefix("sketchify-"), metrics["settings"])
        return f"{line}; despite its name, the blocksize is {blocksize}" if blocksize else line
    if "rejected" in metrics:
        return f"{name:16} {describe_outcome(metrics)}"
    if "conditions" in metrics:
        return f"{name:16} {describe_scores(metrics)}"
    if "skipped" in metrics:
        skipped = summarize_counts(metrics["skipped"])
        return f"{name:16} {metrics['posts']} posts" + (f"; skipped: {skipped}" if skipped else "")
    numbers = [(key, value) for key, value in sorted(metrics.items()) if type(value) in (int, float)]
    return f"{name:16} " + ", ".join(f"{round(value, 2):g} {key}" for key, value in numbers)


def summarize_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


def describe_outcome(metrics: Mapping[str, Any]) -> str:
    """Say how many samples a stage wrote, why it rejected others, and the means of their scores."""
    reasons = summarize_counts(metrics["rejected"])
    means = ", ".join(f"mean {name} {mean:.1f}" for name, mean in reported_means(metrics).items())
    parts = [f"{metrics['written']} of {metrics['taken']}", reasons and f"rejected: {reasons}", means]
    return "; ".join(part for part in parts if part)


def reported_means(counts: Mapping[str, Any]) -> dict[str, float]:
    return {name: value["mean"] for name, value in counts.items() if type(value) is dict and "mean" in value}


def describe_scores(report: Mapping[str, Any]) -> str:
    """Compare the scores of a model with those of the baselines, and add its PSNR under other conditions."""
    conditions = report["conditions"]
    scores = conditions["paired"]["scores"]
    psnr = {by: each["psnr"]["mean"] for by, each in scores.items()}
    quality = f"{psnr.pop('model'):.2f} dB PSNR, {scores['model']['ssim']['mean']:.3f} SSIM"
    others = {
        name: scored["scores"]["model"]["psnr"]["mean"]
        for name, scored in conditions.items()
        if name != "paired"
    }
    best = f"baselines: {in_db(psnr)}; gain {conditions['paired']['gain']['mean']:+.2f} dB"
    line = f"{report['system']}: {quality} on {report['images']} pictures; {best}"
    return f"{line}; also {in_db(others)}" if others else line


def in_db(psnr: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {mean:.2f} dB" for name, mean in psnr.items())
