"""Rows of measures of single pictures -> means with intervals, pooled distances, and tables."""

import math
from collections import defaultdict
from io import BytesIO
from itertools import chain
from typing import Any, TypedDict

import pyarrow
import torch
from pyarrow import parquet
from torch import Tensor

from pipeline.evaluation.labels import GOAL, MODEL, MeasureRow
from pipeline.evaluation.learned import fid_and_kid
from pipeline.evaluation.measures import bootstrap_interval
from pipeline.params import Evaluate

PAIRED_NUMBERS = {"psnr_db": "psnr", "ssim": "ssim", "edges_f1": "edges", "colors_delta_e": "colors"}

PictureFeatures = dict[str, list[Tensor]]  # of Inception, (1, 2048) each, by who made the pictures


class Interval(TypedDict):
    """A mean and the ends of its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


Scores = dict[str, Interval | float]  # by measure; FID and KID, of all pictures together, have no interval


def summarize(rows: list[MeasureRow], features: PictureFeatures, params: Evaluate) -> dict[str, Any]:
    """Return `gain`, and `scores` of the model and of each baseline, from the rows of one condition.

    Scores are the mean of each measure with its 95 % bootstrap interval, and FID and KID of all pictures if
    there are features. The gain is by how many dB the PSNR of the model exceeds that of the best baseline.
    """
    return {"gain": psnr_gain(rows, params), "scores": mean_scores(rows, features, params)}


def mean_scores(rows: list[MeasureRow], features: PictureFeatures, params: Evaluate) -> dict[str, Scores]:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                values[row["by"]][name].append(value)
    summary: dict[str, Scores] = {
        by: {name: estimate(each, params) for name, each in columns.items()} for by, columns in values.items()
    }
    if features:
        for by, scores in summary.items():
            pooled = fid_and_kid(torch.cat(features[GOAL]), torch.cat(features[by]))
            scores |= {name: round(value, 6) for name, value in pooled.items()}
    return summary


def estimate(values: list[float], params: Evaluate) -> Interval:
    """Return the mean of values with its interval, to four decimals."""
    mean, low, high = bootstrap_interval(values, params.seed, params.resamples)
    return {"mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4)}


def psnr_by_key(rows: list[MeasureRow]) -> dict[str, dict[str, float]]:
    """Return the PSNR of every picture under one condition, by who made it and by key."""
    psnr: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        psnr[row["by"]][row["key"]] = row["psnr"]
    return psnr


def headline(summary: dict[str, Any]) -> dict[str, float]:
    """Return the few numbers to compare between runs: of the condition `paired`, and PSNR of most others."""
    conditions = summary["conditions"]
    scores = conditions["paired"]["scores"][MODEL]
    numbers = {name: scores[measure]["mean"] for name, measure in PAIRED_NUMBERS.items()}
    numbers["gain_db"] = conditions["paired"]["gain"]["mean"]
    others = [condition for condition in conditions if condition not in ("paired", "different")]
    return numbers | {f"{name}_psnr_db": conditions[name]["scores"][MODEL]["psnr"]["mean"] for name in others}


def psnr_gain(rows: list[MeasureRow], params: Evaluate) -> Interval:
    """Return by how many dB the PSNR of the model exceeds that of the best baseline, under one condition.

    The interval is that of the differences per picture, which vary less than the pictures do.
    """
    psnr = psnr_by_key(rows)
    own = psnr.pop(MODEL)
    best = max(psnr.values(), key=lambda column: math.fsum(column.values()))
    return estimate([own[key] - best[key] for key in own], params)


def to_parquet(rows: list[MeasureRow]) -> bytes:
    """Write rows as a Parquet table with all columns."""
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain(*rows))}
    file = BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def scatter_table(rows: list[MeasureRow]) -> str:
    """Write the paired PSNR of every picture, and that of its best baseline, as tab-separated text."""
    psnr = psnr_by_key([row for row in rows if row["condition"] == "paired"])
    own = psnr.pop(MODEL)
    best = {key: max(column[key] for column in psnr.values()) for key in own}
    return "key\tbaseline\tpsnr\n" + "".join(f"{key}\t{best[key]:.4f}\t{own[key]:.4f}\n" for key in own)
