"""Train the model that ships with the package on a folder of pictures, and write its folder: make weights.

The folder has a MANIFEST.csv with the file, repo, license and author of each picture; a picture whose license
is not in LICENSES is left out. A killed run goes on. Equal pictures, options and machines give equal bytes.
"""

import argparse
import csv
import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from systems import prep

from pipeline.errors import Halt
from pipeline.files import hash_file, write
from pipeline.markdown import printable, table, templates
from pipeline.models import card
from pipeline.models.export import export_onnx
from pipeline.models.folder import read_config, save_model
from pipeline.models.network import SHIPPED, SHIPPED_ONNX
from pipeline.shards.column import CARD_FILE, list_shards
from pipeline.shards.sums import WEIGHTS_FILE
from pipeline.weights import parse_weights
from stages.arguments import read_params

WORK = Path(".bench", "weights")
MANIFEST_COLUMNS = ("file", "repo", "license", "author")
LICENSES = (  # of pictures from which a network may learn that is shared under another license, with credit
    "CC0-1.0", "CC-BY", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "MIT", "ISC", "Apache-2.0",
    "BSD-2-Clause", "BSD-3-Clause", "Unlicense", "PDDL-1.0",
)  # fmt: skip
UNSEEN = "ink"  # the sketches of params.yaml from which it does not learn
GUIDES = "cue 0.3, reference 0.25, strokes 0.15, points 0.1, palette 0.05, gray 0.05, none 0.1"
MEASURES = {"psnr": 2, "ssim": 3, "edges": 3, "colors": 2}  # with their digits in the card
CARD_TEXT = templates(Path(__file__).with_suffix(".md"))

Rows = list[dict[str, str]]  # of a manifest


@dataclass(frozen=True)
class Material:
    """The pictures: those to learn from, and how many were left out, by license."""

    rows: Rows
    left_out: Counter[str]


def weights_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("corpus", type=Path, help="the folder of the pictures, with MANIFEST.csv")
    add("--steps", type=int, default=40_000, help="the budget: 40,000 take about two core-hours")
    add("--side", type=int, default=256, help="of the pictures to learn from, in pixels")
    add("--halve", type=float, default=0.85, help="as train.halve")
    add("--width", type=int, default=0, help="as model.width")
    add("--device", default="cpu", help="cpu, cuda or auto")
    add("--threads", type=int, default=1, help="that train on a CPU; another number gives other bytes")
    add("--seed", type=int, default=0)
    add("--dest", type=Path, default=SHIPPED, help="the folder of the model")
    return parser


def read_material(corpus: Path) -> Material:
    """Read the manifest of a folder. Raise Halt if there is none, or if it lacks a column."""
    try:
        with (corpus / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                {name.replace("licence", "license"): row[name] for name in row}
                for row in csv.DictReader(file)
            ]
    except FileNotFoundError:
        raise Halt(f"{corpus} has no MANIFEST.csv: write one, with {', '.join(MANIFEST_COLUMNS)}") from None
    if not rows or not set(MANIFEST_COLUMNS) <= rows[0].keys():
        raise Halt(f"{corpus}/MANIFEST.csv lacks one of the columns {', '.join(MANIFEST_COLUMNS)}: add it")
    left_out = Counter(row["license"] or "none given" for row in rows if row["license"] not in LICENSES)
    allowed = (row for row in rows if row["license"] in LICENSES)
    return Material(sorted(allowed, key=lambda row: row["file"]), left_out)


def link_pictures(corpus: Path, rows: Rows, folder: Path) -> Path:
    """Fill a folder with links to the pictures of the rows, and with their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for row in rows:
        (folder / row["file"]).symlink_to((corpus / row["file"]).resolve())
    with (folder / "MANIFEST.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def make_dataset(pictures: Path, side: int) -> Path:
    """Run all stages up to pack, with the parameters of params.yaml."""
    params = read_params(Path("params.yaml"))
    host, limit, posts = str(pictures), 10**6, WORK / "posts.jsonl"
    originals, color, drawn, bent = (WORK / name for name in ("original", "color", "sketch", "reference"))
    prep("search", posts, host=host, size=params["search"]["size"], limit=limit, metrics=WORK / "search.json")
    prep("fetch", posts, originals, host=host, metrics=WORK / "fetch.json")
    prep("clean", originals, color, **params["clean"] | {"side": side})
    for name, sketch in params["sketches"].items():
        prep("sketchify", color, drawn / name, **sketch)
    prep("cue", color, WORK / "cue", **params["cue"])
    prep("reference", color, bent, **params["reference"] | {"order": "before"})
    prep("pack", color, drawn, WORK / "cue", bent, WORK / "pairs", **params["pack"] | {"history": WORK})
    return WORK / "pairs"


def train(pairs: Path, given: argparse.Namespace) -> Path:
    """Train wash on all sketches but one, and return the folder of the model."""
    sketches = [name for name in read_params(Path("params.yaml"))["sketches"] if name != UNSEEN]
    prep(
        "train", pairs, WORK / "model", system="wash", width=given.width, sketch=",".join(sketches),
        steps=given.steps, batch=4, lr=0.01, decay="cosine", ema=0.998, flip=0.5, permute=0.3,
        halve=given.halve, guides=GUIDES, validate=max(1, given.steps // 24), seed=given.seed,
        device=given.device,
    )  # fmt: skip
    return WORK / "model"


def write_model(trained: Path, dest: Path) -> dict:
    """Write a model with weights of 16 bits, and as ONNX, without a card; return its config."""
    config = read_config(trained)
    tensors = parse_weights((trained / WEIGHTS_FILE).read_bytes(), WEIGHTS_FILE)
    save_model(dest, {name: tensor.half() for name, tensor in tensors.items()}, card.public(config), "")
    write(dest / SHIPPED_ONNX.name, export_onnx(dest))
    return config


def measure(pairs: Path, model: Path) -> dict:
    """Evaluate the model as it is written, without the measures whose networks are not shipped."""
    found = {"report": WORK / "evaluate.json", "sheet": WORK / "evaluate.png"}
    prep("evaluate", pairs, model, unseen=UNSEEN, lpips="none", inception="none", **found)
    return json.loads(found["report"].read_bytes())


def weights_card(config: dict, material: Material, splits: Counter[str], scores: dict) -> str:
    """Write the card of the model: what it learned from, whom to credit, how good it is and what it lacks."""
    samples = config["train"]["steps"] * config["train"]["batch"]
    numbers = {f"{name}_pictures": f"{count:,}" for name, count in splits.items()}
    numbers |= {"rows": f"{len(material.rows):,}", "left_out": describe_left_out(material.left_out)}
    return "\n\n".join([
        card.model_front_matter(config),
        card.describe_model(config),
        CARD_TEXT["use"].substitute(),
        card.describe_sizes(config),
        card.describe_data(config),
        CARD_TEXT["sources"].substitute(numbers, credits=credit_table(material.rows)),
        card.describe_training(config),
        CARD_TEXT["samples"].substitute(samples=f"{samples:,}", seed=config["train"]["seed"]),
        CARD_TEXT["scores"].substitute(images=scores["images"], table=score_table(scores)),
        CARD_TEXT["faults"].substitute(side=config["side"]),
    ]) + "\n"  # fmt: skip


def describe_left_out(left_out: Counter[str]) -> str:
    counts = [f"{count:,} under {printable(name)}" for name, count in sorted(left_out.items())]
    return ", ".join(counts) or "none"


def credit_table(rows: Rows) -> str:
    """Credit the authors of each source, sorted by the number of its pictures."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[row["repo"], row["license"]].append(printable(row["author"]).replace("|", "/"))
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    cells = [
        (f"github.com/{repo}", name, len(each), "; ".join(sorted(set(each)))) for (repo, name), each in ranked
    ]
    return table(("source", "license", "pictures", "authors"), cells)


def score_table(scores: dict) -> str:
    """List the measures of the model, and of what needs no model, with their 95 % intervals."""
    rows = [
        (condition, by, *(describe_interval(each.get(name), digits) for name, digits in MEASURES.items()))
        for condition, found in scores["conditions"].items()
        for by, each in sorted(found["scores"].items(), key=lambda item: item[0] != "model")
    ]  # fmt: skip
    return table(("condition", "by", *MEASURES), rows)


def describe_interval(interval: dict | None, digits: int) -> str:
    if interval is None:
        return ""
    return "{mean:.{n}f} ({low:.{n}f} to {high:.{n}f})".format(n=digits, **interval)


def count_splits(pairs: Path) -> Counter[str]:
    splits: Counter[str] = Counter()
    for shard in list_shards(pairs):
        splits[shard.name.partition("-")[0]] += len(shard.rows)
    return splits


def main() -> None:
    given = weights_parser().parse_args()
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    try:
        material = read_material(given.corpus)
        print(
            f"weights: {len(material.rows):,} pictures; left out: {describe_left_out(material.left_out)}",
            flush=True,
        )
        pairs = make_dataset(link_pictures(given.corpus, material.rows, WORK / "pictures"), given.side)
        config = write_model(train(pairs, given), given.dest)
        text = weights_card(config, material, count_splits(pairs), measure(pairs, given.dest))
        write(given.dest / CARD_FILE, text.encode())
    except Halt as error:
        sys.exit(f"weights: {error}")
    size = sum(path.stat().st_size for path in given.dest.iterdir())
    print(f"weights: {size:,} bytes in {given.dest}, SHA-256 {hash_file(given.dest / WEIGHTS_FILE)}")


if __name__ == "__main__":
    main()
