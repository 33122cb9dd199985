"""Evaluations of several systems, each with one or several seeds -> a table for each guide."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from pipeline.evaluation.compare import rank_rows
from pipeline.evaluation.labels import MEASURE_COLUMNS, MODEL, compared_conditions, condition_title
from pipeline.evaluation.summary import Scores
from pipeline.markdown import table

# Summaries of evaluations, by seed and system. The first seed has all systems.
Found = Mapping[int, Mapping[str, dict[str, Any]]]


def seed_table(found: Found, steps: Mapping[str, int], batch: int, times: Mapping[str, float]) -> str:
    """Write the means over the seeds, with the least and the largest in brackets, a table for each guide."""
    budgets = (
        (name, f"{count * batch:,}", f"{times[name]:.1f}", f"{count * batch * times[name] / 1000:.0f}")
        for name, count in steps.items()
    )
    parts = [
        "Means over the seeds, with the least and the largest in brackets; a gain is the difference of PSNR "
        "to the best baseline that needs no model.",
        table(("system", "samples", "CPU ms per sample, measured first", "CPU seconds"), budgets),
    ]
    for (condition, guide), names in compared_conditions(next(iter(found.values()))).items():
        parts += [f"### {condition_title(condition, guide)} (`{condition}`)", condition_rows(found, names)]
    return "\n\n".join(parts) + "\n"


def condition_rows(found: Found, names: Mapping[str, str]) -> str:
    """Write the table of one guide, with the baselines below; `names` has each system's own condition."""
    first = next(iter(found.values()))
    ranked = rank_rows({name: first[name]["conditions"][own] for name, own in names.items()})
    measured = [key for key in MEASURE_COLUMNS if any(key in scores for scores in ranked.values())]
    rows = []
    for label, scores in ranked.items():
        by_seed = [mean_values(scores)]
        if label in names:
            by_seed = list(values_by_seed(found, label, names[label]))
        cells = [spread(by_seed, key, f".{MEASURE_COLUMNS[key][1]}f") for key in measured]
        rows.append((label, len(by_seed) if label in names else "", *cells, spread(by_seed, "gain", "+.2f")))
    return table(("", "seeds", *(MEASURE_COLUMNS[key][0] for key in measured), "gain, dB"), rows)


def values_by_seed(found: Found, name: str, condition: str) -> Iterator[dict[str, float]]:
    """Yield the mean of each measure, and the gain, for each seed of a system."""
    for summaries in found.values():
        if name in summaries:
            scored = summaries[name]["conditions"][condition]
            yield mean_values(scored["scores"][MODEL]) | {"gain": scored["gain"]["mean"]}


def mean_values(scores: Scores) -> dict[str, float]:
    return {key: each["mean"] if isinstance(each, dict) else each for key, each in scores.items()}


def spread(by_seed: list[dict[str, float]], key: str, form: str) -> str:
    """Format the mean of a measure over the seeds, and its range if there are several."""
    values = [each[key] for each in by_seed if key in each]
    if not values:
        return "-"
    mean = f"{fmean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} [{min(values):{form}}, {max(values):{form}}]"


def mean_gains(found: Found) -> dict[str, float]:
    """Return the mean gain of each system by its first guide."""
    names = dict.fromkeys(name for summaries in found.values() for name in summaries)
    return {name: fmean(each["gain"] for each in values_by_seed(found, name, "paired")) for name in names}
