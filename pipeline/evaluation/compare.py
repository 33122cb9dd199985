"""Several colorizers on the same test pictures: one table, one picture."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean

import numpy as np

from pipeline import files, markdown
from pipeline.errors import Halt
from pipeline.evaluation.protocol import MODEL, TINTED_GOAL, Evaluation, evaluate_model
from pipeline.images import png, sheets
from pipeline.models.folder import CONFIG_FILE
from pipeline.params import Evaluate
from pipeline.progress import Tick, quiet

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
MAX_ARTISTS = 12  # the most that the table names
GIVEN_ORDER = ("sketch", "original", "cue", "reference", TINTED_GOAL, "mask")  # in this order
CONDITION_TITLES = {
    "paired": "Guided by the picture itself",
    "different": "By the reference of another picture",
    "unseen": "From a kind of sketch not seen in training",
}


@dataclass(frozen=True, eq=False)
class ModelResult:
    """A model by name, its config, and what was measured."""

    name: str
    config: dict
    found: Evaluation


def compare_models(
    data: Path,
    folders: Sequence[Path],
    params: Evaluate,
    *,
    device: str = "cpu",
    tick: Tick = quiet,
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

        found = evaluate_model(data, folder, params, device=device, tick=forward)
        results.append(ModelResult(name, json.loads((folder / CONFIG_FILE).read_bytes()), found))
    return results


def write_comparison(results: list[ModelResult], dest: Path) -> None:
    """Write the table as Markdown and JSON, and the contact sheet, to a folder."""
    files.write(dest / TABLE_FILE, comparison_table(results).encode())
    files.write_json(dest / NUMBERS_FILE, comparison_numbers(results))
    files.write(dest / PICTURES_FILE, png.encode_png(comparison_sheet(results)))


def comparison_table(results: list[ModelResult]) -> str:
    """Write the numbers in Markdown, a table for each condition, and below what is absent and why."""
    first, names = results[0].found.summary, [result.name for result in results]
    parts = [
        f"{first['images']} test pictures of {first['side']} px; means, with 95 % bootstrap intervals in "
        "brackets. Below the systems are the baselines that need no model.",
        markdown.table(
            ("model", "system", "parameters", "samples seen", "gain, dB"), map(describe_result, results)
        ),
    ]
    for condition, title in CONDITION_TITLES.items():
        if rows := rank_rows(results, condition):
            measured = [name for name in MEASURE_COLUMNS if any(name in told for told in rows.values())]
            lines = (
                [label, *(format_number(name, told.get(name)) for name in measured)]
                for label, told in rows.items()
            )
            heads = ["", *(MEASURE_COLUMNS[name][0] for name in measured)]
            parts += [f"### {title} (`{condition}`)", markdown.table(heads, lines)]
    if by_artist := artist_rows(results):
        heads = ["artist", "pictures", *names]
        parts += ["### Paired PSNR by artist, dB", markdown.table(heads, by_artist)]
    parts.append(
        "\n".join(f"- no `{what}`: {why} ({', '.join(of)})" for (what, why), of in list_missing(results))
    )
    return "\n\n".join(parts) + "\n"


def describe_result(result: ModelResult) -> list[str]:
    """Return the cells of a model: what it is, how long it trained, and its gain over the best baseline."""
    config, summary = result.config, result.found.summary
    system = config["system"] + (f" {config['variant']}" if config["system"] == "liu" else "")
    untaught = ", no VGG" if summary["vgg"] == "none" else ""
    elsewhere = "" if summary["own"] else ", trained on another dataset"
    sizes = f"{config['parameters']['generator'] / 1e6:.2f} M"
    seen = f"{config['validation']['step'] * config['train']['batch']:,}"
    return [
        result.name,
        f"{system}{untaught}{elsewhere}",
        sizes,
        seen,
        format_interval(summary["gain"], "+.2f"),
    ]


def rank_rows(results: list[ModelResult], condition: str) -> dict[str, dict]:
    """Return the numbers of a condition by row label: the models, then each baseline once."""
    told = {
        result: result.found.summary[condition] for result in results if condition in result.found.summary
    }
    rows = {result.name: each[MODEL] for result, each in told.items()}
    for result, each in told.items():
        for by, numbers in each.items():
            label = f"*{by.replace('_', ' ')}*"
            if by != MODEL and rows.setdefault(label, numbers) != numbers:
                rows[f"{label} ({result.name})"] = numbers
    return rows


def format_number(name: str, told: dict | float | None) -> str:
    """Write a number, with its interval if there is one."""
    form = f".{MEASURE_COLUMNS[name][1]}f"
    if told is None:
        return "-"
    return format_interval(told, form) if type(told) is dict else f"{told:{form}}"


def format_interval(told: dict[str, float], form: str) -> str:
    """Write a mean and, in brackets, the ends of its interval."""
    return f"{told['mean']:{form}} [{told['low']:{form}}, {told['high']:{form}}]"


def artist_rows(results: list[ModelResult]) -> list[list]:
    """List the artists of the test split, the most frequent first, with the mean paired PSNR of each model.

    Otherwise one who drew most of a dataset would go unnoticed in the means. Empty if there is only one.
    """
    found: dict = defaultdict(lambda: defaultdict(list))
    for result in results:
        for row in result.found.rows:
            if (row["condition"], row["by"]) == ("paired", MODEL):
                found[row["artist"]][result.name].append(row["psnr"])
    sizes = {artist: len(told[results[0].name]) for artist, told in found.items()}
    frequent = sorted(sizes, key=lambda artist: (-sizes[artist], artist))[:MAX_ARTISTS]
    lines = [
        [
            markdown.inline_code(artist),
            sizes[artist],
            *(f"{fmean(psnr):.2f}" for psnr in found[artist].values()),
        ]
        for artist in frequent
    ]
    return lines if len(sizes) > 1 else []


def list_missing(results: list[ModelResult]) -> list[tuple[tuple[str, str], list[str]]]:
    """List what is absent and why, with the models that lack it."""
    found: dict = {}
    for result in results:
        for absence in result.found.summary["absent"].items():
            found.setdefault(absence, []).append(result.name)
    return sorted(found.items())


def comparison_numbers(results: list[ModelResult]) -> dict:
    """Return all numbers: flat rows of means, with equal names so that DVC plots them, and the summaries."""
    flat = []
    for result in results:
        row = {"model": result.name, "gain": result.found.summary["gain"]["mean"]}
        for condition in CONDITION_TITLES:
            for name, told in result.found.summary.get(condition, {}).get(MODEL, {}).items():
                row[f"{condition}_{name}"] = told["mean"] if type(told) is dict else told
        flat.append(row)
    names = sorted(set(chain(*flat)))
    flat = [{name: row.get(name) for name in names} for row in flat]
    told = {result.name: result.found.summary for result in results}
    return {"rows": flat, "models": {result.name: result.config for result in results}, "found": told}


def comparison_sheet(results: list[ModelResult]) -> np.ndarray:
    """Draw some test pictures, a row each: the inputs, then the result of each model."""
    psnr = {
        (result.name, row["key"]): row["psnr"]
        for result in results
        for row in result.found.rows
        if (row["condition"], row["by"]) == ("paired", MODEL)
    }
    rows = []
    for key in results[0].found.pictures:
        shown = {result.name: result.found.pictures[key] for result in results}
        given = {name: each[name] for name in GIVEN_ORDER for each in shown.values() if name in each}
        tiles = [(picture, name) for name, picture in given.items()]
        tiles += [(each["colored"], f"{name}\n{psnr[name, key]:.1f} dB") for name, each in shown.items()]
        rows.append(sheets.Strip("", tiles))
    return sheets.contact_sheet(rows, results[0].found.summary["side"])
