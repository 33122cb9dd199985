"""The protocol: what a colorizer is worth, beside what needs no model, in up to three conditions.

`paired`: the guide is made from the picture itself, as it was packed. `different`, for systems that take a
reference: the reference is another picture of the test split. `unseen`: paired, with sketches of a kind that
the model was not trained on.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import torch
from pyarrow import parquet
from torch import Tensor, nn
from torch.utils.data import Dataset

from pipeline import cue, measures, perception
from pipeline.dataset import Pairs, array
from pipeline.feed import once
from pipeline.models import load
from pipeline.painting import paint
from pipeline.params import Evaluate
from pipeline.perception import Judges
from pipeline.progress import Tick, quiet
from pipeline.systems import SYSTEMS

MODEL, GOAL = "model", "goal"  # whose pictures they are; all others are baselines
GUIDES = ("cue", "reference", "mask")
TINTED = "tinted original"  # the goal where references were tinted before they were bent


@dataclass
class Found:
    """What a model is worth: rows of numbers, their summary, and some of the pictures by key and name."""

    rows: list[dict] = field(default_factory=list)
    summary: dict = field(default_factory=dict)
    pictures: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Shot:
    """What is compared: the goal, what was given, and pictures by the model and by each baseline; uint8."""

    key: str
    goal: np.ndarray
    given: dict[str, np.ndarray]
    pictures: dict[str, np.ndarray]


class Others(Dataset):
    """The samples of a split, each with the color picture of another as its reference."""

    def __init__(self, pairs: Pairs, seed: int):
        """Choose the others by a derangement."""
        self.pairs, self.order = pairs, measures.derange([entry.key for entry in pairs.entries], seed)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.pairs)

    def __getitem__(self, number: int) -> dict:
        """Read a sample in levels, without draws: what should be shown is its own color."""
        own, other = self.pairs.entries[number], self.pairs.entries[self.order[number]]
        found = {"color": own.picture("color"), "sketch": own.picture(self.pairs.sketches[0])[..., 0]}
        found["reference"] = other.picture("color")
        return {"key": own.key} | {name: torch.from_numpy(levels) for name, levels in found.items()}


def evaluate(
    data: Path,
    folder: Path,
    params: Evaluate,
    *,
    batch: int = 8,
    device: str = "cpu",
    tick: Tick = quiet,
) -> Found:
    """Measure the model in `folder`, and what needs no model, on the test split of the packed dataset `data`.

    Each row holds the numbers of one picture, by the model or by a baseline (`by`), in one condition, and the
    artist of the original, if one is told: see measures.py. The summary has, for each condition and for each
    of these, the mean of each measure with its 95 % bootstrap interval, and FID and KID of all pictures;
    `gain`, with its interval, is how much the paired PSNR of the model exceeds that of the best baseline, in
    dB; `own` tells
    whether it was trained on this dataset, `vgg` with whose features; `lpips_sha256` and `inception_sha256`
    name the weights of those measures; `absent` names conditions and measures that cannot be had, and why.
    After each picture `tick` gets how many are done, of how many. Raise Halt if the model or the dataset
    cannot be used.
    """
    generator, config = load(folder, device)
    pairs = Pairs(data, "test", config["sketch"].split(",")[0], SYSTEMS[config["system"]].COLUMNS)
    judges = perception.judges(params.lpips, params.inception, device)
    conditions, absent = plan(pairs, data, config, params)
    absent |= lacking(pairs, judges)
    cued = pairs.facts.get("cue")
    artists = {entry.key: json.loads(entry.read("json")).get("artist", "") for entry in pairs.entries}
    picked = {int(place) for place in np.linspace(0, len(pairs) - 1, params.rows)}  # from all artists
    found, done = Found(), 0
    for name, dataset in conditions.items():
        rows, seen = [], defaultdict(list)
        for number, shot in enumerate(shots(generator, config, dataset, batch)):
            told = {"condition": name, "key": shot.key, "artist": artists[shot.key]}
            rows += [told | row for row in measure(shot, judges, cued)]
            if number in picked:
                found.pictures.setdefault(shot.key, {}).update(display(name, shot))
            for by, picture in ({GOAL: shot.goal} | shot.pictures).items() if "fid" not in absent else ():
                seen[by].append(judges.describe([picture]))
            done += 1
            tick(done, len(pairs) * len(conditions))
        found.rows += rows
        found.summary[name] = summarize(rows, params)
        for by in found.summary[name] if seen else ():
            found.summary[name][by] |= pool(seen[GOAL], seen[by])
    told = {
        "system": config["system"],
        "variant": config["variant"],
        "images": len(pairs),
        "side": pairs.side,
    }
    told |= {"vgg": taught(config), "own": config["dataset"] == pairs.fingerprint}
    told |= {f"{name}_sha256": weights for name, weights in judges.weights.items()}
    found.summary |= told | {"gain": gain(found.rows, params), "absent": absent}
    return found


def plan(pairs: Pairs, data: Path, config: dict, params: Evaluate) -> tuple[dict[str, Dataset], dict]:
    """List the conditions that a system allows, and say why others are absent."""
    conditions: dict[str, Dataset] = {"paired": pairs}
    absent: dict[str, str] = {}
    columns = SYSTEMS[config["system"]].COLUMNS
    if "reference" not in columns:
        absent["different"] = f"{config['system']} takes no reference"
    elif len(pairs) < 2:
        absent["different"] = "the test split has one picture"
    else:
        conditions["different"] = Others(pairs, params.seed)
    if "mask" in columns:
        absent["unseen"] = f"{config['system']} takes no sketch"
    elif not params.unseen:
        absent["unseen"] = "no sketch is named in evaluate.unseen"
    elif params.unseen in config["sketch"].split(","):
        absent["unseen"] = f"{params.unseen} was trained on"
    elif not all(f"sketch-{params.unseen}.png" in entry.members for entry in pairs.entries):
        absent["unseen"] = f"the dataset has no sketches {params.unseen}"
    else:
        conditions["unseen"] = Pairs(data, "test", params.unseen, columns)
    return conditions, absent


def shots(generator: nn.Module, config: dict, dataset: Dataset, batch: int) -> Iterator[Shot]:
    """Color the samples of a condition."""
    goal = SYSTEMS[config["system"]].goal
    for samples in once(dataset, batch, workers=0):
        results, goals = paint(generator, config, samples), goal(samples)
        images = {name: values for name, values in samples.items() if name not in ("key", "flow")}
        for number, key in enumerate(samples["key"]):
            given = {name: array(values[number]) for name, values in images.items()}
            if "mask" in given:
                given["mask"] = array(2 * images["mask"][number] - 1)
            pictures = {MODEL: array(results[number])} | baselines(given)
            yield Shot(key, array(goals[number]), given, pictures)


def baselines(given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """List what needs no model: the guide as it is, the guide under the lines, the picture in gray."""
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


def measure(shot: Shot, judges: Judges, cued: dict | None) -> list[dict]:
    """Compare each picture with the goal and with what was given, in a row of numbers.

    None is a measure that is not defined for the sample. `colors` are held against the reference where there
    is one, else against the goal. `cued` are the facts of how cues were made.
    """
    rows, given, goal = [], shot.given, shot.goal
    for by, picture in shot.pictures.items():
        told = {
            "psnr": measures.psnr(goal, picture),
            "ssim": measures.ssim(goal, picture),
            "edges": measures.edges(goal, picture),
            "colors": measures.colors(picture, given.get("reference", goal)),
        }
        if min(goal.shape[:2]) >= measures.MS_SSIM_LEAST:
            told["ms_ssim"] = measures.ms_ssim(goal, picture)
        if "lpips" in judges.networks:
            told["lpips"] = judges.distance(goal, picture)
        if "cue" in given:
            drawn = cue.parameters(cued)
            held = measures.adherent(drawn, shot.key)
            told["adherence"] = measures.adherence(picture, given["cue"], drawn, shot.key) if held else None
        if "mask" in given:
            told["inside"] = measures.inside(goal, picture, given["mask"])
            told["leakage"] = measures.leakage(picture, given["mask"])
        rows.append({"by": by} | told)
    return rows


def display(condition: str, shot: Shot) -> dict[str, np.ndarray]:
    """Name the pictures of a condition that people should see, in the order in which to show them."""
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
    return shown | {TINTED if "reference" in shot.given else GOAL: shot.goal}


def summarize(rows: list[dict], params: Evaluate) -> dict[str, dict]:
    """Average the rows of a condition, for the model and each baseline: each measure with its interval."""
    values: dict = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for name, value in row.items():
            if type(value) is float:
                values[row["by"]][name].append(value)
    return {
        by: {name: estimate(each, params) for name, each in columns.items()} for by, columns in values.items()
    }


def estimate(values: list[float], params: Evaluate) -> dict[str, float]:
    """Return the mean of values and the ends of its interval, to four decimals."""
    ends = measures.interval(values, params.seed, params.resamples)
    return dict(zip(("mean", "low", "high"), (round(end, 4) for end in ends), strict=True))


def pool(goals: list[Tensor], made: list[Tensor]) -> dict[str, float]:
    """Measure FID and KID of all pictures together."""
    distances = perception.pooled(torch.cat(goals), torch.cat(made))
    return {name: round(value, 6) for name, value in distances.items()}


def lacking(pairs: Pairs, judges: Judges) -> dict[str, str]:
    """Name the measures that cannot be had, and say why."""
    absent = dict(judges.absent)
    if pairs.side < measures.MS_SSIM_LEAST:
        absent["ms_ssim"] = f"a side of {pairs.side} is below {measures.MS_SSIM_LEAST}"
    if len(pairs) < perception.POOL_LEAST:
        absent |= dict.fromkeys(("fid", "kid"), "the test split has one picture")
    return absent


def gain(rows: list[dict], params: Evaluate) -> dict[str, float]:
    """Return how much the paired PSNR of the model exceeds that of the best baseline, in dB.

    Its interval is that of the differences picture by picture, which vary less than the pictures do.
    """
    psnr = defaultdict(list)
    for row in rows:
        if row["condition"] == "paired":
            psnr[row["by"]].append(row["psnr"])
    own = psnr.pop(MODEL)
    best = max(psnr.values(), key=math.fsum)
    return estimate([one - other for one, other in zip(own, best, strict=True)], params)


def taught(config: dict) -> str:
    """Say by which VGG the model was taught: none, the published one, a file, or that its system has none."""
    if not SYSTEMS[config["system"]].VGG:
        return "not in this system"
    return {"": "published", "none": "none"}.get(config["train"]["vgg"], "file")


def table(rows: list[dict]) -> bytes:
    """Write rows as a Parquet table, all of them with all columns."""
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain(*rows))}
    file = BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def scatter(rows: list[dict]) -> str:
    """Write the paired PSNR of every picture beside that of its best baseline, as tab-separated text."""
    found: dict = defaultdict(lambda: [0.0, 0.0])  # of the best baseline, of the model
    for row in rows:
        if row["condition"] == "paired":
            place, numbers = int(row["by"] == MODEL), found[row["key"]]
            numbers[place] = max(numbers[place], row["psnr"])
    lines = [f"{key}\t{baseline:.4f}\t{own:.4f}\n" for key, (baseline, own) in found.items()]
    return "key\tbaseline\tpsnr\n" + "".join(lines)
