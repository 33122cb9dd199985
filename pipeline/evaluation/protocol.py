"""The protocol: measure a colorizer, and baselines that need no model, in up to three conditions.

`paired`: the guide is made from the picture itself, as it was packed. `different`, for systems that take a
reference: the reference is another picture of the test split. `unseen`: paired, with a kind of sketches on
which the model was not trained.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import torch
from pyarrow import parquet
from torch import Tensor, nn
from torch.utils.data import Dataset

from pipeline import systems
from pipeline.batches.dataset import Pairs, to_array
from pipeline.batches.loader import single_pass
from pipeline.evaluation import learned, measures
from pipeline.evaluation.learned import LearnedMeasures
from pipeline.models.folder import load_model
from pipeline.models.tiles import infer_tiled
from pipeline.operators import cue
from pipeline.params import Evaluate
from pipeline.progress import Tick, quiet

MODEL, GOAL = "model", "goal"  # who made pictures; all others are baselines
GUIDES = ("cue", "reference", "mask")
TINTED_GOAL = "tinted original"  # the goal where references were tinted before they were bent


@dataclass
class Evaluation:
    """The result: rows of numbers, their summary, and some of the pictures by key and name."""

    rows: list[dict] = field(default_factory=list)
    summary: dict = field(default_factory=dict)
    pictures: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class ColoredSample:
    """A sample: the goal, the inputs, and the pictures of the model and of each baseline; uint8."""

    key: str
    goal: np.ndarray
    given: dict[str, np.ndarray]
    pictures: dict[str, np.ndarray]


class OtherReferences(Dataset):
    """The samples of a split, each with the color picture of another as its reference."""

    def __init__(self, pairs: Pairs, seed: int):
        self.pairs, self.order = pairs, measures.derange([entry.key for entry in pairs.entries], seed)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> dict:
        """Read a sample in levels, as packed; its goal is its own color."""
        own, other = self.pairs.entries[number], self.pairs.entries[self.order[number]]
        found = {"color": own.picture("color"), "sketch": own.picture(self.pairs.sketches[0])[..., 0]}
        found["reference"] = other.picture("color")
        return {"key": own.key} | {name: torch.from_numpy(levels) for name, levels in found.items()}


@dataclass
class Condition:
    """A condition: its samples, and what was measured on them so far.

    `features` are those of Inception, each (1, 2048), by who made the picture; `pictures` are those to show.
    """

    name: str
    samples: Dataset
    rows: list[dict] = field(default_factory=list)
    features: dict[str, list[Tensor]] = field(default_factory=lambda: defaultdict(list))
    pictures: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def evaluate_model(
    data: Path,
    folder: Path,
    params: Evaluate,
    *,
    batch: int = 8,
    device: str = "cpu",
    tick: Tick = quiet,
) -> Evaluation:
    """Measure the model in `folder`, and the baselines, on the test split of the packed dataset `data`.

    Each row holds the numbers of one picture, by the model or by a baseline (`by`), in one condition, and the
    artist of the original, or "" if unknown: see measures.py. The summary holds, for each condition and for
    each `by`, the mean of each measure with its 95 % bootstrap interval, and FID and KID of all pictures;
    `psnr_gain`, with its interval, is by how many dB the paired PSNR of the model exceeds that of the best
    baseline. `own` says whether the model was trained on this dataset, `vgg` with whose features;
    `lpips_sha256` and `inception_sha256` name the weights of those measures; `absent` gives the reason for
    each condition and measure that is missing. After each picture `tick` gets how many are done, and of how
    many. Raise Halt if the model or the dataset cannot be used.
    """
    generator, config = load_model(folder, device)
    columns = systems.system(config["system"]).columns
    pairs = Pairs(data, "test", config["sketch"].split(",")[0], columns)
    judges = learned.load_measures(params.lpips, params.inception, device)
    conditions, absent = plan_conditions(pairs, data, config, params)
    absent |= missing_measures(pairs, judges)
    cued = pairs.facts.get("cue", {})
    artists = {entry.key: json.loads(entry.read("json")).get("artist", "") for entry in pairs.entries}
    picked = {pairs.entries[int(number)].key for number in np.linspace(0, len(pairs) - 1, params.rows)}
    done, total = count(1), len(pairs) * len(conditions)
    for condition in conditions:
        for shot in color_samples(generator, config, condition.samples, batch):
            facts = {"condition": condition.name, "key": shot.key, "artist": artists[shot.key]}
            condition.rows += [facts | row for row in measure_sample(shot, judges, cued)]
            if "fid" not in absent:
                for by, picture in ({GOAL: shot.goal} | shot.pictures).items():
                    condition.features[by].append(judges.describe([picture]))
            if shot.key in picked:
                condition.pictures[shot.key] = pictures_to_show(condition.name, shot)
            tick(next(done), total)
    rows = [row for condition in conditions for row in condition.rows]
    summary = {condition.name: summarize(condition, params) for condition in conditions}
    summary |= description(config, pairs, judges) | {"gain": psnr_gain(rows, params), "absent": absent}
    return Evaluation(rows, summary, gathered(conditions))


def gathered(conditions: list[Condition]) -> dict[str, dict[str, np.ndarray]]:
    """Join the pictures to show of all conditions, by key."""
    found: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for condition in conditions:
        for key, pictures in condition.pictures.items():
            found[key] |= pictures
    return dict(found)


def description(config: dict, pairs: Pairs, judges: LearnedMeasures) -> dict:
    """Return what was measured, on what, and by which weights."""
    facts = {
        "system": config["system"],
        "variant": config["variant"],
        "images": len(pairs),
        "side": pairs.side,
        "vgg": vgg_origin(config),
        "own": config["dataset"] == pairs.fingerprint,
    }
    return facts | {f"{name}_sha256": weights for name, weights in judges.weights.items()}


def plan_conditions(
    pairs: Pairs, data: Path, config: dict, params: Evaluate
) -> tuple[list[Condition], dict[str, str]]:
    """Return the conditions that a system allows, and the reasons why others are absent."""
    conditions, absent, columns = [Condition("paired", pairs)], {}, pairs.columns
    if "reference" not in columns:
        absent["different"] = f"{config['system']} takes no reference"
    elif len(pairs) < 2:
        absent["different"] = "the test split has one picture"
    else:
        conditions.append(Condition("different", OtherReferences(pairs, params.seed)))
    if "mask" in columns:
        absent["unseen"] = f"{config['system']} takes no sketch"
    elif not params.unseen:
        absent["unseen"] = "no sketch is named in evaluate.unseen"
    elif params.unseen in config["sketch"].split(","):
        absent["unseen"] = f"{params.unseen} was trained on"
    elif not all(f"sketch-{params.unseen}.png" in entry.members for entry in pairs.entries):
        absent["unseen"] = f"the dataset has no sketches {params.unseen}"
    else:
        conditions.append(Condition("unseen", Pairs(data, "test", params.unseen, columns)))
    return conditions, absent


def color_samples(
    generator: nn.Module, config: dict, dataset: Dataset, batch: int
) -> Iterator[ColoredSample]:
    """Color the samples of a condition."""
    system = systems.system(config["system"])
    for samples in single_pass(dataset, batch, workers=0):
        results, goals = infer_tiled(generator, config, samples), system.goal(samples)
        images = {name: values for name, values in samples.items() if name not in ("key", "flow")}
        for number, key in enumerate(samples["key"]):
            given = {name: to_array(values[number]) for name, values in images.items()}
            if "mask" in given:
                given["mask"] = to_array(2 * images["mask"][number] - 1)
            pictures = {MODEL: to_array(results[number])} | baselines(given)
            yield ColoredSample(key, to_array(goals[number]), given, pictures)


def baselines(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what needs no model: the guide as it is, the guide under the lines, the picture in gray."""
    lines = given["sketch"][..., None] / 255
    rivals: dict[str, np.ndarray] = {}
    for name in ("cue", "reference"):
        if name in given:
            rivals |= {
                name: given[name],
                f"{name}_times_sketch": np.rint(given[name] * lines).astype(np.uint8),
            }
    if "mask" in given:
        rivals["gray"] = np.repeat(cv2.cvtColor(given["color"], cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return rivals


def measure_sample(shot: ColoredSample, judges: LearnedMeasures, cued: dict) -> list[dict]:
    """Compare each picture with the goal and the inputs: a row of numbers each.

    A measure that is not defined for the sample is None. `colors` are compared with the reference if there is
    one, else with the goal. `cued` are the parameters of the cues in the dataset.
    """
    rows, given, goal = [], shot.given, shot.goal
    for by, picture in shot.pictures.items():
        numbers: dict[str, float | None] = {
            "psnr": measures.psnr(goal, picture),
            "ssim": measures.ssim(goal, picture),
            "edges": measures.edge_f1(goal, picture),
            "colors": measures.color_distance(picture, given.get("reference", goal)),
        }
        if min(goal.shape[:2]) >= measures.MS_SSIM_LEAST:
            numbers["ms_ssim"] = measures.ms_ssim(goal, picture)
        if "lpips" in judges.networks:
            numbers["lpips"] = judges.distance(goal, picture)
        if "cue" in given:
            numbers["adherence"] = cue_adherence(picture, shot, cued)
        if "mask" in given:
            numbers["inside"] = measures.psnr_inside(goal, picture, given["mask"])
            numbers["leakage"] = measures.leakage(picture, given["mask"])
        rows.append({"by": by} | numbers)
    return rows


def cue_adherence(picture: np.ndarray, shot: ColoredSample, cued: dict) -> float | None:
    """Return how well a picture follows its cue; None for a sample whose cue says nothing."""
    made_by = cue.params_from_metadata(cued)
    if not measures.is_adherent(made_by, shot.key):
        return None
    return measures.adherence(picture, shot.given["cue"], made_by, shot.key)


def pictures_to_show(condition: str, shot: ColoredSample) -> dict[str, np.ndarray]:
    """Return the pictures of a condition for people to see, by caption, in order."""
    sketch, result = shot.given["sketch"], shot.pictures[MODEL]
    if condition == "different":
        return {"another reference": shot.given["reference"], "colored by it": result}
    if condition == "unseen":
        return {"another kind of sketch": sketch, "colored from it": result}
    read = {"gray": shot.pictures["gray"]} if "mask" in shot.given else {"sketch": sketch}
    guides = {name: shot.given[name] for name in GUIDES if name in shot.given}
    shown = read | guides | {"colored": result, "original": shot.given["color"]}
    if np.array_equal(shot.goal, shot.given["color"]):
        return shown
    return shown | {TINTED_GOAL if "reference" in shot.given else GOAL: shot.goal}


def summarize(condition: Condition, params: Evaluate) -> dict[str, dict]:
    """Return, for the model and each baseline, each mean with its interval, and FID and KID."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in condition.rows:
        for name, value in row.items():
            if type(value) is float:
                values[row["by"]][name].append(value)
    summary: dict[str, dict] = {
        by: {name: estimate(each, params) for name, each in columns.items()} for by, columns in values.items()
    }
    if condition.features:
        for by, numbers in summary.items():
            numbers |= pooled_distances(condition.features[GOAL], condition.features[by])
    return summary


def estimate(values: list[float], params: Evaluate) -> dict[str, float]:
    """Return the mean of values and the ends of its interval, to four decimals."""
    ends = measures.bootstrap_interval(values, params.seed, params.resamples)
    return dict(zip(("mean", "low", "high"), (round(end, 4) for end in ends), strict=True))


def pooled_distances(goals: list[Tensor], made: list[Tensor]) -> dict[str, float]:
    """Measure FID and KID of all pictures together."""
    distances = learned.fid_and_kid(torch.cat(goals), torch.cat(made))
    return {name: round(value, 6) for name, value in distances.items()}


def missing_measures(pairs: Pairs, judges: LearnedMeasures) -> dict[str, str]:
    """Return the reason for each measure that is absent."""
    absent = dict(judges.absent)
    if pairs.side < measures.MS_SSIM_LEAST:
        absent["ms_ssim"] = f"a side of {pairs.side} is below {measures.MS_SSIM_LEAST}"
    if len(pairs) < learned.POOL_LEAST:
        absent |= dict.fromkeys(("fid", "kid"), "the test split has one picture")
    return absent


def psnr_gain(rows: list[dict], params: Evaluate) -> dict[str, float]:
    """Return by how many dB the paired PSNR of the model exceeds that of the best baseline.

    Its interval is that of the differences of each picture, which vary less than the pictures do.
    """
    psnr = defaultdict(list)
    for row in rows:
        if row["condition"] == "paired":
            psnr[row["by"]].append(row["psnr"])
    own = psnr.pop(MODEL)
    best = max(psnr.values(), key=math.fsum)
    return estimate([one - other for one, other in zip(own, best, strict=True)], params)


def vgg_origin(config: dict) -> str:
    """Say whose VGG the losses compared: none, the published one, a file, or that the system has none."""
    if not systems.system(config["system"]).vgg:
        return "not in this system"
    return {"": "published", "none": "none"}.get(config["train"]["vgg"], "file")


def to_parquet(rows: list[dict]) -> bytes:
    """Write rows as a Parquet table, each with all columns."""
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain(*rows))}
    file = BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def scatter_table(rows: list[dict]) -> str:
    """Write the paired PSNR of every picture, and that of its best baseline, as tab-separated text."""
    best: dict[str, float] = {}
    own: dict[str, float] = {}
    for row in rows:
        if row["condition"] == "paired" and row["by"] == MODEL:
            own[row["key"]] = row["psnr"]
        elif row["condition"] == "paired":
            best[row["key"]] = max(best.get(row["key"], 0.0), row["psnr"])
    lines = [f"{key}\t{best[key]:.4f}\t{psnr:.4f}\n" for key, psnr in own.items()]
    return "key\tbaseline\tpsnr\n" + "".join(lines)
