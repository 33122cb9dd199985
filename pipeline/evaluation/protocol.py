"""The protocol: measure a colorizer, and baselines that need no model, under every condition that it allows.

`conditions` says what these are.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor, nn

from pipeline import systems
from pipeline.batches.dataset import Pairs, to_array
from pipeline.batches.loader import single_pass
from pipeline.errors import Halt
from pipeline.evaluation import measures
from pipeline.evaluation.conditions import Condition, fill_hints, plan_conditions
from pipeline.evaluation.labels import GOAL, MODEL, MeasureRow
from pipeline.evaluation.learned import POOL_LEAST, LearnedMeasures, load_measures
from pipeline.evaluation.summary import PictureFeatures, summarize
from pipeline.files import hash_file
from pipeline.models.folder import load_model
from pipeline.models.inference import infer_padded
from pipeline.operators.cue import HINT_METHODS, draw_cue, empty_cue, is_dropped
from pipeline.params import Cue, Evaluate
from pipeline.progress import Tick, quiet
from pipeline.shards.sums import WEIGHTS_FILE

COLORS_IN_PLACE = ("cue", *HINT_METHODS)  # the guides that say which color belongs where

Pictures = dict[str, np.ndarray]  # uint8, by name


@dataclass(frozen=True)
class ColoredSample:
    """A sample: its guide, the goal, the inputs, and the pictures of the model and of each baseline; uint8.

    `given` has `color` and `sketch`, and the guide under its name, but a `mask` for the guide gray; strokes
    and points are RGBA.
    """

    key: str
    guide: str
    goal: np.ndarray
    given: Pictures
    pictures: Pictures


@dataclass
class Evaluation:
    """The result: rows of numbers, their summary, and some of the samples by key and condition."""

    rows: list[MeasureRow] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, dict[str, ColoredSample]] = field(default_factory=lambda: defaultdict(dict))


def evaluate_model(
    data: Path,
    folder: Path,
    params: Evaluate,
    *,
    left_out: Collection[str] = (),
    batch: int = 8,
    device: str = "cpu",
    tick: Tick = quiet,
) -> Evaluation:
    """Measure the model in `folder`, and the baselines, on the test split of the packed dataset `data`.

    Pictures with the keys `left_out` do not count. Each row holds the measures of one picture, by the model
    or by a baseline (`by`), under one condition with its guide, and the artist and the source of the original
    ("" if unknown). The summary has `conditions`, see `summarize`, and the reason for each condition and
    measure that is `absent`. `dataset` names the dataset, `own` says whether the model was trained on it,
    `vgg` with which VGG; `model_sha256` names its weights, `lpips_sha256` and `inception_sha256` those of the
    measures. After each picture `tick` gets the number done and the total. Raise Halt if the model or the
    dataset cannot be used.
    """
    generator, config = load_model(folder, device)
    conditions, absent = plan_conditions(data, config, params, left_out)
    pairs = conditions["paired"].samples
    assert isinstance(pairs, Pairs)
    learned = load_measures(params.lpips, params.inception, device)
    absent |= missing_measures(pairs, learned)
    origins = {entry.key: read_origin(entry.read().members["json"]) for entry in pairs.entries}
    picked = {pairs.entries[int(number)].key for number in np.linspace(0, len(pairs) - 1, params.rows)}
    done, total = count(1), len(pairs) * len(conditions)
    result = Evaluation(summary=describe_evaluation(config, pairs, learned) | {"conditions": {}})
    result.summary["model_sha256"] = hash_file(folder / WEIGHTS_FILE)
    for name, condition in conditions.items():
        rows: list[MeasureRow] = []
        features: PictureFeatures = defaultdict(list)
        for sample in color_samples(generator, config, condition, batch):
            origin = {"condition": name, "guide": condition.guide, "key": sample.key} | origins[sample.key]
            rows += [origin | row for row in measure_sample(sample, learned, condition.cue)]
            if "fid" not in absent:
                for by, picture in ({GOAL: sample.goal} | sample.pictures).items():
                    features[by].append(learned.inception_features([picture]))
            if sample.key in picked:
                result.samples[sample.key][name] = sample
            tick(next(done), total)
        result.rows += rows
        result.summary["conditions"][name] = {"guide": condition.guide} | summarize(rows, features, params)
    result.summary["absent"] = absent
    return result


def read_origin(metadata: bytes) -> dict[str, str]:
    values = json.loads(metadata)
    return {name: values.get(name, "") for name in ("artist", "source")}


def describe_evaluation(config: dict[str, Any], pairs: Pairs, learned: LearnedMeasures) -> dict[str, Any]:
    """Return what was evaluated, on which dataset, and by which weights."""
    vgg = {"": "published", "none": "none"}.get(config.get("train", {}).get("vgg", ""), "file")
    return {
        "system": config["system"],
        "variant": config["variant"],
        "images": len(pairs),
        "side": pairs.side,
        "vgg": vgg if systems.system(config["system"]).vgg else "not in this system",
        "dataset": pairs.fingerprint,
        "own": config.get("dataset") == pairs.fingerprint,
    } | {f"{name}_sha256": weights for name, weights in learned.weights.items()}


def missing_measures(pairs: Pairs, learned: LearnedMeasures) -> dict[str, str]:
    absent = dict(learned.absent)
    if pairs.side < measures.MS_SSIM_LEAST:
        absent["ms_ssim"] = f"a side of {pairs.side} is below {measures.MS_SSIM_LEAST}"
    if len(pairs) < POOL_LEAST:
        absent |= dict.fromkeys(("fid", "kid"), "the test split has one picture")
    return absent


def color_samples(
    generator: nn.Module, config: dict[str, Any], condition: Condition, batch: int
) -> Iterator[ColoredSample]:
    """Color the samples of a condition with the model, and with the baselines."""
    system = systems.system(config["system"])
    for samples in single_pass(condition.samples, batch, workers=0):
        results, goals = infer_padded(generator, config, samples), system.target(samples)
        for number, key in enumerate(samples["key"]):
            planes = {
                name: values[number]
                for name, values in samples.items()
                if name not in ("key", "kind", "flow")
            }
            given = given_pictures(condition, planes, key)
            pictures = {MODEL: to_array(results[number])} | baselines(condition.guide, given)
            yield ColoredSample(key, condition.guide, to_array(goals[number]), given, pictures)


def color_again(data: Path, folder: Path, name: str) -> dict[str, ColoredSample]:
    """Color the test split of the packed dataset `data` by the model in `folder` under one condition, by key.

    Raise Halt if the model or the dataset cannot be used, or if it does not allow the condition.
    """
    generator, config = load_model(folder)
    conditions, absent = plan_conditions(data, config, Evaluate())
    if name not in conditions:
        raise Halt(f"{folder} cannot color under the condition {name} ({absent.get(name, 'unknown')})")
    return {sample.key: sample for sample in color_samples(generator, config, conditions[name], batch=1)}


def given_pictures(condition: Condition, planes: dict[str, Tensor], key: str) -> Pictures:
    """Return the sketch, the color picture, and the guide under its name; strokes and points are RGBA.

    Strokes and points are drawn again, because batches and datasets show them on white or without scale.
    """
    given = {name: to_array(planes[name]) for name in ("sketch", "color")}
    guide, cue = condition.guide, condition.cue
    if guide in HINT_METHODS:
        dropped = is_dropped(key, cue)
        given[guide] = empty_cue(given["color"], cue) if dropped else draw_cue(given["color"], cue, key)
    elif guide == "gray":
        mask = planes["mask"] if "mask" in planes else planes["guide"][3:]
        given["mask"] = to_array(2 * mask - 1)
    elif guide == "reference":
        given["reference"] = to_array(planes["reference"])
    elif guide != "none":
        given[guide] = to_array(planes["cue"] if "cue" in planes else planes["guide"][:3])
    return given


def baselines(guide: str, given: Pictures) -> Pictures:
    """Return results that need no model: the guide itself, and the same under the lines.

    Strokes and points are filled up to the lines. Without a guide there is the sketch, and with a mask the
    picture in gray.
    """
    lines = given["sketch"][..., None] / 255
    if guide == "none":
        return {"sketch": np.repeat(given["sketch"][..., None], 3, axis=2)}
    if guide == "gray":
        gray = cv2.cvtColor(given["color"], cv2.COLOR_RGB2GRAY)
        return {"gray": np.repeat(gray[..., None], 3, axis=2)}
    name, colors = guide, given[guide]
    if guide in HINT_METHODS:
        name, colors = "fill", fill_hints(given["sketch"], colors)
    return {name: colors, f"{name}_times_sketch": np.rint(colors * lines).astype(np.uint8)}


def measure_sample(sample: ColoredSample, learned: LearnedMeasures, cue: Cue) -> list[MeasureRow]:
    """Compare each picture with the goal and the inputs, and return a row of measures for each.

    A measure that is not defined for the sample is None. `colors` compares with the reference if there is
    one, otherwise with the goal. `cue` says how the cue, the strokes or the points of the sample were drawn.
    """
    rows, given, goal = [], sample.given, sample.goal
    for by, picture in sample.pictures.items():
        row: MeasureRow = {
            "by": by,
            "psnr": measures.psnr(goal, picture),
            "ssim": measures.ssim(goal, picture),
            "edges": measures.edge_f1(goal, picture),
            "colors": measures.color_distance(picture, given.get("reference", goal)),
        }
        if min(goal.shape[:2]) >= measures.MS_SSIM_LEAST:
            row["ms_ssim"] = measures.ms_ssim(goal, picture)
        if "lpips" in learned.networks:
            row["lpips"] = learned.lpips(goal, picture)
        if sample.guide in COLORS_IN_PLACE:
            hints = given[sample.guide][..., :3]
            row["adherence"] = measures.adherence(picture, hints, cue, sample.key)
        if "mask" in given:
            row["inside"] = measures.psnr_inside(goal, picture, given["mask"])
            row["leakage"] = measures.leakage(picture, given["mask"])
        rows.append(row)
    return rows
