"""Several colorizers on the same test pictures: one table, one contact sheet."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline import files, markdown
from pipeline.errors import Halt
from pipeline.evaluation.labels import MEASURE_COLUMNS, MODEL, compared_conditions, condition_title
from pipeline.evaluation.pictures import models_sheet
from pipeline.evaluation.protocol import Evaluation, evaluate_model
from pipeline.evaluation.summary import Interval, Scores
from pipeline.images import png
from pipeline.models.folder import CONFIG_FILE
from pipeline.params import Evaluate
from pipeline.progress import Tick, quiet

MODEL_HEADS = ("model", "system", "parameters", "samples seen", "gain, dB")
TABLE_FILE, NUMBERS_FILE, PICTURES_FILE = "table.md", "table.json", "pictures.png"
MAX_ARTISTS = 12  # rows of the table of artists


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
    evaluations = {result.name: result.evaluation for result in results}
    files.write(dest / TABLE_FILE, comparison_table(results).encode())
    files.write_json(dest / NUMBERS_FILE, comparison_numbers(results))
    files.write(dest / PICTURES_FILE, png.encode_png(models_sheet(evaluations)))


def comparison_table(results: list[ModelResult]) -> str:
    """Write the numbers in Markdown, a table for each condition, and below what is absent and why."""
    summary = results[0].evaluation.summary
    parts = [
        f"{summary['images']} test pictures of {summary['side']} px; means, with 95 % bootstrap intervals in "
        "brackets. Below the systems are the baselines that need no model. A gain is the difference of PSNR "
        "to the best of them, picture by picture.",
        markdown.table(MODEL_HEADS, map(result_cells, results)),
    ]
    summaries = {result.name: result.evaluation.summary for result in results}
    for (condition, guide), names in compared_conditions(summaries).items():
        found = {name: summaries[name]["conditions"][own] for name, own in names.items()}
        parts += [f"### {condition_title(condition, guide)} (`{condition}`)", condition_table(found)]
    if by_artist := artist_rows(results):
        heads = ["artist", "pictures", *(result.name for result in results)]
        parts += ["### Paired PSNR by artist, dB", markdown.table(heads, by_artist)]
    parts.append("\n".join(list_missing(results)))
    return "\n\n".join(parts) + "\n"


def result_cells(result: ModelResult) -> list[str]:
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
        format_interval(summary["conditions"]["paired"]["gain"], "+.2f"),
    ]


def condition_table(found: dict[str, dict[str, Any]]) -> str:
    """Write a table of the scores under a condition in Markdown, with a column for each measure that occurs.

    `found` has what `summary.summarize` returns of each model.
    """
    rows = rank_rows(found)
    measured = [name for name in MEASURE_COLUMNS if any(name in scores for scores in rows.values())]
    lines = (
        [
            label,
            *(format_score(name, scores.get(name)) for name in measured),
            format_interval(found[label]["gain"], "+.2f") if label in found else "",
        ]
        for label, scores in rows.items()
    )
    return markdown.table(["", *(MEASURE_COLUMNS[name][0] for name in measured), "gain, dB"], lines)


def rank_rows(found: dict[str, dict[str, Any]]) -> dict[str, Scores]:
    """Return scores by row label: the models, then each baseline once."""
    rows = {name: scored["scores"][MODEL] for name, scored in found.items()}
    for name, scored in found.items():
        for by, scores in scored["scores"].items():
            label = f"*{by.replace('_', ' ')}*"
            if by != MODEL and rows.setdefault(label, scores) != scores:
                rows[f"{label} ({name})"] = scores
    return rows


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
        conditions = summary["conditions"]
        row = {"model": result.name, "gain": conditions["paired"]["gain"]["mean"]}
        for condition, scored in conditions.items():
            for name, score in scored["scores"][MODEL].items():
                row[f"{condition}_{name}"] = score["mean"] if isinstance(score, dict) else score
        flat.append(row)
    names = sorted(set(chain(*flat)))
    return {
        "rows": [{name: row.get(name) for name in names} for row in flat],
        "models": {result.name: result.config for result in results},
        "found": {result.name: result.evaluation.summary for result in results},
    }
