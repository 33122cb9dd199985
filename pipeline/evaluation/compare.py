"""Several colorizers on the same test pictures: one table, one contact sheet."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from pipeline import files, markdown
from pipeline.errors import Halt
from pipeline.evaluation.protocol import TINTED_GOAL, Evaluation, evaluate_model
from pipeline.evaluation.summary import MODEL, Interval, Scores, paired_psnr
from pipeline.images import png, sheets
from pipeline.models.folder import CONFIG_FILE
from pipeline.params import Evaluate
from pipeline.progress import Tick, quiet

MODEL_HEADS = ("model", "system", "parameters", "samples seen", "gain, dB")
TABLE_FILE, NUMBERS_FILE, PICTURES_FILE = "table.md", "table.json", "pictures.png"
MEASURE_COLUMNS = {  # of the table: the heading of each measure, and its decimals
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 3),
    "ms_ssim": ("MS-SSIM", 3),
    "lpips": ("LPIPS", 3),
    "fid": ("FID", 1),
    "kid": ("KID", 4),
    "edges": ("edge F1", 3),
    "colors": ("color distance, ΔE", 1),
    "adherence": ("distance to the cue, levels", 1),
    "inside": ("PSNR inside, dB", 2),
    "leakage": ("leakage outside", 4),
}
MAX_ARTISTS = 12  # rows of the table of artists
INPUT_ORDER = ("sketch", "original", "cue", "reference", TINTED_GOAL, "mask")  # on the contact sheet
CONDITION_TITLES = {
    "paired": "Guided by the picture itself",
    "different": "By the reference of another picture",
    "unseen": "From a kind of sketch not seen in training",
}


@dataclass(frozen=True)
class ModelResult:
    """A model by name, its config, and its evaluation."""

    name: str
    config: dict[str, Any]
    evaluation: Evaluation


def compare_models(
    data: Path, folders: Sequence[Path], params: Evaluate, *, device: str = "cpu", tick: Tick = quiet
) -> list[ModelResult]:
    """Evaluate the models in `folders` on the test split of `data`; each is named by its folder.

    Raise Halt if two have the same name, or one cannot be used.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise Halt(f"two of the models are named alike ({', '.join(names)}): rename a folder")
    results = []
    for number, (name, folder) in enumerate(zip(names, folders, strict=True)):

        def forward(done: int, total: int, number: int = number) -> None:
            tick(number * total + done, len(folders) * total)

        evaluation = evaluate_model(data, folder, params, device=device, tick=forward)
        results.append(ModelResult(name, json.loads((folder / CONFIG_FILE).read_bytes()), evaluation))
    return results


def write_comparison(results: list[ModelResult], dest: Path) -> None:
    """Write the table as Markdown and JSON, and the contact sheet, to a folder."""
    files.write(dest / TABLE_FILE, comparison_table(results).encode())
    files.write_json(dest / NUMBERS_FILE, comparison_numbers(results))
    files.write(dest / PICTURES_FILE, png.encode_png(comparison_sheet(results)))


def comparison_table(results: list[ModelResult]) -> str:
    """Write the numbers in Markdown, a table for each condition, and below what is absent and why."""
    summary = results[0].evaluation.summary
    parts = [
        f"{summary['images']} test pictures of {summary['side']} px; means, with 95 % bootstrap intervals in "
        "brackets. Below the systems are the baselines that need no model.",
        markdown.table(MODEL_HEADS, map(describe_result, results)),
    ]
    for condition, title in CONDITION_TITLES.items():
        if rows := rank_rows(results, condition):
            parts += [f"### {title} (`{condition}`)", condition_table(rows)]
    if by_artist := artist_rows(results):
        heads = ["artist", "pictures", *(result.name for result in results)]
        parts += ["### Paired PSNR by artist, dB", markdown.table(heads, by_artist)]
    parts.append("\n".join(list_missing(results)))
    return "\n\n".join(parts) + "\n"


def describe_result(result: ModelResult) -> list[str]:
    """Return the cells of a model: what it is, how long it trained, and its gain over the best baseline."""
    config, summary = result.config, result.evaluation.summary
    variant = f" {config['variant']}" if config["system"] == "liu" else ""
    vgg = ", no VGG" if summary["vgg"] == "none" else ""
    dataset = "" if summary["own"] else ", trained on another dataset"
    return [
        result.name,
        f"{config['system']}{variant}{vgg}{dataset}",
        f"{config['parameters']['generator'] / 1e6:.2f} M",
        f"{config['validation']['step'] * config['train']['batch']:,}",
        format_interval(summary["gain"], "+.2f"),
    ]


def rank_rows(results: list[ModelResult], condition: str) -> dict[str, Scores]:
    """Return the scores of a condition by row label: the models, then each baseline once."""
    measured = [result for result in results if condition in result.evaluation.summary]
    rows = {result.name: result.evaluation.summary[condition][MODEL] for result in measured}
    for result in measured:
        for by, scores in result.evaluation.summary[condition].items():
            label = f"*{by.replace('_', ' ')}*"
            if by != MODEL and rows.setdefault(label, scores) != scores:
                rows[f"{label} ({result.name})"] = scores
    return rows


def condition_table(rows: dict[str, Scores]) -> str:
    """Write a table of the scores of a condition in Markdown, with a column for each measure that occurs."""
    measured = [name for name in MEASURE_COLUMNS if any(name in scores for scores in rows.values())]
    lines = (
        [label, *(format_score(name, scores.get(name)) for name in measured)]
        for label, scores in rows.items()
    )
    return markdown.table(["", *(MEASURE_COLUMNS[name][0] for name in measured)], lines)


def format_score(name: str, score: Interval | float | None) -> str:
    form = f".{MEASURE_COLUMNS[name][1]}f"
    if score is None:
        return "-"
    return format_interval(score, form) if isinstance(score, dict) else f"{score:{form}}"


def format_interval(interval: Interval, form: str) -> str:
    return f"{interval['mean']:{form}} [{interval['low']:{form}}, {interval['high']:{form}}]"


def artist_rows(results: list[ModelResult]) -> list[list[str | int]]:
    """List the artists of the test split, the most frequent first, with the mean paired PSNR of each model.

    The means alone would not show that one artist drew most of a dataset. Empty if there is only one artist.
    """
    psnr: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        for row in result.evaluation.rows:
            if (row["condition"], row["by"]) == ("paired", MODEL):
                psnr[row["artist"]][result.name].append(row["psnr"])
    if len(psnr) < 2:
        return []
    sizes = {artist: len(by_model[results[0].name]) for artist, by_model in psnr.items()}
    return [
        [markdown.inline_code(artist), size, *(f"{fmean(values):.2f}" for values in psnr[artist].values())]
        for artist, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MAX_ARTISTS]
    ]


def list_missing(results: list[ModelResult]) -> list[str]:
    """List absent conditions and measures and the reason, with the models that lack them."""
    missing: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        for absence in result.evaluation.summary["absent"].items():
            missing[absence].append(result.name)
    return [f"- no `{name}`: {why} ({', '.join(models)})" for (name, why), models in sorted(missing.items())]


def comparison_numbers(results: list[ModelResult]) -> dict[str, Any]:
    """Return all numbers: flat rows of means, with equal names so that DVC plots them, and the summaries."""
    flat = []
    for result in results:
        summary = result.evaluation.summary
        row = {"model": result.name, "gain": summary["gain"]["mean"]}
        for condition in CONDITION_TITLES:
            for name, score in summary.get(condition, {}).get(MODEL, {}).items():
                row[f"{condition}_{name}"] = score["mean"] if isinstance(score, dict) else score
        flat.append(row)
    names = sorted(set(chain(*flat)))
    return {
        "rows": [{name: row.get(name) for name in names} for row in flat],
        "models": {result.name: result.config for result in results},
        "found": {result.name: result.evaluation.summary for result in results},
    }


def comparison_sheet(results: list[ModelResult]) -> np.ndarray:
    """Draw some test pictures, a row each: the inputs, then the result of each model."""
    psnr = {result.name: paired_psnr(result.evaluation.rows)[MODEL] for result in results}
    rows = []
    for key in results[0].evaluation.pictures:
        shown = {result.name: result.evaluation.pictures[key] for result in results}
        inputs = {name: each[name] for name in INPUT_ORDER for each in shown.values() if name in each}
        tiles = [(picture, name) for name, picture in inputs.items()]
        tiles += [(each["colored"], f"{name}\n{psnr[name][key]:.1f} dB") for name, each in shown.items()]
        rows.append(sheets.Strip("", tiles))
    return sheets.contact_sheet(rows, results[0].evaluation.summary["side"])
