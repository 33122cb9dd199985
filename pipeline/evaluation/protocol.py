"""The protocol: measure a colorizer, and baselines that need no model, under up to three conditions.

`paired`: the guide is made from the picture itself, as packed. `different`, for systems that take a
reference: the reference is another picture of the test split. `unseen`: paired, with a kind of sketch on
which the model was not trained.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pipeline import systems
from pipeline.batches.dataset import Pairs, decode_column, to_array
from pipeline.batches.loader import single_pass
from pipeline.evaluation import measures
from pipeline.evaluation.learned import POOL_LEAST, LearnedMeasures, load_measures
from pipeline.evaluation.summary import GOAL, MODEL, MeasureRow, PictureFeatures, psnr_gain, summarize
from pipeline.models.folder import load_model
from pipeline.models.tiles import infer_tiled
from pipeline.operators.cue import params_from_metadata
from pipeline.params import GUIDES, Cue, Evaluate
from pipeline.progress import Tick, quiet

SHOWN_GUIDES = ("cue", "reference", "mask")
TINTED_GOAL = "tinted original"  # the goal where references were tinted before they were bent

Pictures = dict[str, np.ndarray]  # uint8, by name


@dataclass
class Evaluation:
    """The result: rows of numbers, their summary, and some of the pictures by key and name."""

    rows: list[MeasureRow] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Pictures] = field(default_factory=lambda: defaultdict(dict))


@dataclass(frozen=True)
class ColoredSample:
    """A sample: the goal, the inputs, and the pictures of the model and of each baseline; uint8."""

    key: str
    goal: np.ndarray
    given: Pictures
    pictures: Pictures


class OtherReferences(Dataset):
    """The samples of a split, each with the color picture of another as its reference."""

    def __init__(self, pairs: Pairs, seed: int):
        self.pairs, self.order = pairs, measures.derange([entry.key for entry in pairs.entries], seed)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> dict[str, Tensor | str]:
        """Read a sample as uint8, as packed; its goal is its own color."""
        own, other = (self.pairs.entries[place].read() for place in (number, self.order[number]))
        pictures = {"color": decode_column(own, "color"), "reference": decode_column(other, "color")}
        pictures["sketch"] = decode_column(own, self.pairs.sketches[0])[..., 0]
        if "guide" in self.pairs.columns:
            pictures["guide"] = np.zeros((*pictures["color"].shape[:2], 4), np.uint8)
            pictures["kind"] = np.int64(GUIDES.index("reference"))
        return {"key": own.key} | {name: torch.as_tensor(each) for name, each in pictures.items()}


def evaluate_model(
    data: Path, folder: Path, params: Evaluate, *, batch: int = 8, device: str = "cpu", tick: Tick = quiet
) -> Evaluation:
    """Measure the model in `folder`, and the baselines, on the test split of the packed dataset `data`.

    Each row holds the measures of one picture, by the model or by a baseline (`by`), under one condition, and
    the artist of the original ("" if unknown). The summary holds, for each condition and each `by`, the mean
    of each measure with its 95 % bootstrap interval, and FID and KID of all pictures. `gain` is by how many
    dB the paired PSNR of the model exceeds that of the best baseline. `own` says whether the model was
    trained on this dataset, `vgg` with which VGG; `lpips_sha256` and `inception_sha256` name the weights of
    those measures; `absent` gives the reason for each condition and measure that is missing. After each
    picture `tick` gets the number done and the total. Raise Halt if the model or the dataset cannot be used.
    """
    generator, config = load_model(folder, device)
    pairs = Pairs(data, "test", config["sketch"].split(",")[0], systems.system(config["system"]).columns)
    learned = load_measures(params.lpips, params.inception, device)
    conditions, absent = plan_conditions(pairs, data, config, params)
    absent |= missing_measures(pairs, learned)
    cue = params_from_metadata(pairs.metadata.get("cue", {}))
    artists = {
        entry.key: json.loads(entry.read().members["json"]).get("artist", "") for entry in pairs.entries
    }
    picked = {pairs.entries[int(number)].key for number in np.linspace(0, len(pairs) - 1, params.rows)}
    done, total = count(1), len(pairs) * len(conditions)
    result = Evaluation(summary=describe_evaluation(config, pairs, learned))
    for condition, samples in conditions.items():
        rows: list[MeasureRow] = []
        features: PictureFeatures = defaultdict(list)
        for sample in color_samples(generator, config, samples, batch):
            origin = {"condition": condition, "key": sample.key, "artist": artists[sample.key]}
            rows += [origin | row for row in measure_sample(sample, learned, cue)]
            if "fid" not in absent:
                for by, picture in ({GOAL: sample.goal} | sample.pictures).items():
                    features[by].append(learned.inception_features([picture]))
            if sample.key in picked:
                result.pictures[sample.key] |= pictures_to_show(condition, sample)
            tick(next(done), total)
        result.rows += rows
        result.summary[condition] = summarize(rows, features, params)
    result.summary |= {"gain": psnr_gain(result.rows, params), "absent": absent}
    return result


def describe_evaluation(config: dict[str, Any], pairs: Pairs, learned: LearnedMeasures) -> dict[str, Any]:
    """Return what was evaluated, on which dataset, and by which weights."""
    vgg = {"": "published", "none": "none"}.get(config.get("train", {}).get("vgg", ""), "file")
    return {
        "system": config["system"],
        "variant": config["variant"],
        "images": len(pairs),
        "side": pairs.side,
        "vgg": vgg if systems.system(config["system"]).vgg else "not in this system",
        "own": config.get("dataset") == pairs.fingerprint,
    } | {f"{name}_sha256": weights for name, weights in learned.weights.items()}


def plan_conditions(
    pairs: Pairs, data: Path, config: dict[str, Any], params: Evaluate
) -> tuple[dict[str, Dataset], dict[str, str]]:
    """Return the samples of each condition that a system allows, and the reasons why others are absent."""
    conditions: dict[str, Dataset] = {"paired": pairs}
    absent, columns = {}, pairs.columns
    if "reference" not in columns:
        absent["different"] = f"{config['system']} takes no reference"
    elif len(pairs) < 2:
        absent["different"] = "the test split has one picture"
    else:
        conditions["different"] = OtherReferences(pairs, params.seed)
    if "mask" in columns:
        absent["unseen"] = f"{config['system']} takes no sketch"
    elif not params.unseen:
        absent["unseen"] = "no sketch is named in evaluate.unseen"
    elif params.unseen in config["sketch"].split(","):
        absent["unseen"] = f"{params.unseen} was trained on"
    elif not all(f"sketch-{params.unseen}.png" in entry.row.sizes for entry in pairs.entries):
        absent["unseen"] = f"the dataset has no sketches {params.unseen}"
    else:
        conditions["unseen"] = Pairs(data, "test", params.unseen, columns)
    return conditions, absent


def missing_measures(pairs: Pairs, learned: LearnedMeasures) -> dict[str, str]:
    absent = dict(learned.absent)
    if pairs.side < measures.MS_SSIM_LEAST:
        absent["ms_ssim"] = f"a side of {pairs.side} is below {measures.MS_SSIM_LEAST}"
    if len(pairs) < POOL_LEAST:
        absent |= dict.fromkeys(("fid", "kid"), "the test split has one picture")
    return absent


def color_samples(
    generator: nn.Module, config: dict[str, Any], dataset: Dataset, batch: int
) -> Iterator[ColoredSample]:
    """Color samples with the model, and with the baselines."""
    system = systems.system(config["system"])
    for samples in single_pass(dataset, batch, workers=0):
        results, goals = infer_tiled(generator, config, samples), system.target(samples)
        images = name_guide(samples) if "guide" in samples else samples
        images = {name: values for name, values in images.items() if name not in ("key", "flow")}
        for number, key in enumerate(samples["key"]):
            given = {name: to_array(values[number]) for name, values in images.items()}
            if "mask" in given:
                given["mask"] = to_array(2 * images["mask"][number] - 1)
            pictures = {MODEL: to_array(results[number])} | baselines(given)
            yield ColoredSample(key, to_array(goals[number]), given, pictures)


def name_guide(samples: dict[str, Any]) -> dict[str, Any]:
    """Give the guide of a system of several guides, one for all samples, the name that others have for it."""
    guide, name = samples["guide"], GUIDES[int(samples["kind"][0])]
    images = {each: samples[each] for each in ("sketch", "color")}
    match name:
        case "reference":
            return images | {each: samples[each] for each in ("reference", "target")}
        case "gray":
            return images | {"mask": guide[:, 3:]}
        case "none":
            return images
    return images | {name: guide[:, :3]}


def baselines(given: Pictures) -> Pictures:
    """Return results that need no model: the guide itself, the guide under the lines, the picture in gray."""
    lines = given["sketch"][..., None] / 255
    results: Pictures = {}
    for name in ("cue", "reference"):
        if name in given:
            results[name] = given[name]
            results[f"{name}_times_sketch"] = np.rint(given[name] * lines).astype(np.uint8)
    if "mask" in given:
        results["gray"] = np.repeat(cv2.cvtColor(given["color"], cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return results


def measure_sample(sample: ColoredSample, learned: LearnedMeasures, cue: Cue) -> list[MeasureRow]:
    """Compare each picture with the goal and the inputs, and return a row of measures for each.

    A measure that is not defined for the sample is None. `colors` compares with the reference if there is
    one, otherwise with the goal. `cue` holds the parameters of the cues in the dataset.
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
        if "cue" in given:
            row["adherence"] = measures.adherence(picture, given["cue"], cue, sample.key)
        if "mask" in given:
            row["inside"] = measures.psnr_inside(goal, picture, given["mask"])
            row["leakage"] = measures.leakage(picture, given["mask"])
        rows.append(row)
    return rows


def pictures_to_show(condition: str, sample: ColoredSample) -> Pictures:
    """Return the pictures of a sample for the contact sheet by caption, in order."""
    sketch, result = sample.given["sketch"], sample.pictures[MODEL]
    if condition == "different":
        return {"another reference": sample.given["reference"], "colored by it": result}
    if condition == "unseen":
        return {"another kind of sketch": sketch, "colored from it": result}
    source = {"gray": sample.pictures["gray"]} if "mask" in sample.given else {"sketch": sketch}
    guides = {name: sample.given[name] for name in SHOWN_GUIDES if name in sample.given}
    shown = source | guides | {"colored": result, "original": sample.given["color"]}
    if np.array_equal(sample.goal, sample.given["color"]):
        return shown
    return shown | {TINTED_GOAL if "reference" in sample.given else GOAL: sample.goal}
