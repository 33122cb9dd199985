"""The changes from one run to another: parameters, and the counts from search to pack."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.upkeep.report import all_counts

StageMetrics = Mapping[str, Mapping[str, Any]]  # by the name of the stage, as its file is called


def changed_params(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the values of the parameters that differ, before and after, by their dotted names.

    A parameter that one of them lacks is "-" there.
    """
    old, new = flatten(before), flatten(after)
    values = {name: (old.get(name, "-"), new.get(name, "-")) for name in [*old, *new]}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the values of nested sections as text, by dotted names, as `dvc exp run -S` takes them."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            plain = isinstance(value, str) and value
            flat[f"{prefix}{name}"] = value if plain else json.dumps(value, ensure_ascii=False, default=str)
    return flat


def metrics_names(params: Mapping[str, Any]) -> list[str]:
    """Name the stages from search to pack, with one of each sketch, in the order of the pipeline."""
    sketches = params.get("sketches")
    names = [f"sketchify-{name}" for name in sketches] if isinstance(sketches, Mapping) else []
    return ["search", "fetch", "clean", *names, "cue", "reference", "pack"]


def count_samples(metrics: StageMetrics) -> dict[str, int]:
    """Return how many samples each stage kept, and below how many it rejected for each reason."""
    counts: dict[str, int] = {}
    for stage, given in metrics.items():
        found = all_counts(given)
        if stage == "pack":
            counts |= {f"pack, {split}": found[split] for split in ("train", "val", "test") if split in found}
        elif (kept := found.get("written", found.get("posts"))) is not None:
            counts[stage] = kept
        reasons = found.get("rejected") or found.get("skipped") or {}
        counts |= {f"{stage}, rejected: {reason}": count for reason, count in reasons.items()}
    return counts


def pair_counts(before: StageMetrics, after: StageMetrics) -> dict[str, tuple[int | None, int | None]]:
    """Return the counts of both, in the order of the stages; None for a count that one of them lacks."""
    old, new = count_samples(before), count_samples(after)
    stages = list(dict.fromkeys(name.partition(",")[0] for name in [*new, *old]))
    names = sorted(dict.fromkeys([*new, *old]), key=lambda name: stages.index(name.partition(",")[0]))
    return {name: (old.get(name), new.get(name)) for name in names}
