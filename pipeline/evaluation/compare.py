"""Several colorizers on the same test pictures: one table, one contact sheet."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline import files, markdown
from pipeline.batches.dataset import dataset_fingerprint
from pipeline.errors import Halt
from pipeline.evaluation.labels import MEASURE_COLUMNS, MODEL, compared_conditions, condition_title
from pipeline.evaluation.pictures import models_sheet
from pipeline.evaluation.protocol import Evaluation, evaluate_model
from pipeline.evaluation.seen import find_seen, read_test_metadata, read_traces
from pipeline.evaluation.summary import Interval, Scores
from pipeline.images import png
from pipeline.models.folder import read_model
from pipeline.params import Evaluate
from pipeline.progress import Tick, quiet
from pipeline.shards.column import list_shards

MODEL_HEADS = ("model", "system", "parameters", "samples seen", "gain, dB")
TABLE_FILE, NUMBERS_FILE, PICTURES_FILE = "table.md", "table.json", "pictures.png"
MAX_ARTISTS = 12  # rows of the table of artists


@dataclass(frozen=True)
class ModelResult:
    """A model by name, its config, its evaluation, and how many test pictures it has seen in training.

    `seen` is None if it was trained on a dataset that is not known, and `left_out` counts the pictures that
    one of the models has seen.
    """

    name: str
    config: dict[str, Any]
    evaluation: Evaluation
    seen: int | None = 0
    left_out: int = 0


def compare_models(
    data: Path,
    folders: Sequence[Path],
    params: Evaluate,
    *,
    trained_on: Sequence[Path] = (),
    device: str = "cpu",
    tick: Tick = quiet,
) -> list[ModelResult]:
    """Evaluate the models in `folders` on the test split of `data`; each is named by its folder.

    Test pictures that a model has seen in one of the datasets `trained_on` are left out for all. Raise Halt
    if two models have the same name, if one cannot be used, or if no test picture is left.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        raise Halt(f"two of the models are named alike ({', '.join(names)}): rename a folder")
    configs = [read_model(folder)[1] for folder in folders]
    tested = read_test_metadata(data)
    seen = list_seen(data, tested, configs, trained_on)
    left_out = {key for keys in seen for key in keys or ()}
    if tested and not tested.keys() - left_out:
        raise Halt(f"the models have seen all test pictures of {data}: compare them on another dataset")
    results = []
    for number, (name, folder) in enumerate(zip(names, folders, strict=True)):

        def forward(done: int, total: int, number: int = number) -> None:
            tick(number * total + done, len(folders) * total)

        evaluation = evaluate_model(data, folder, params, left_out=left_out, device=device, tick=forward)
        own = seen[number]
        results.append(
            ModelResult(name, configs[number], evaluation, None if own is None else len(own), len(left_out))
        )
    return results


def list_seen(
    data: Path,
    tested: Mapping[str, Mapping[str, Any]],
    configs: Sequence[dict[str, Any]],
    trained_on: Sequence[Path],
) -> list[set[str] | None]:
    """Return the keys of the test pictures of `data` that each model has seen; None if that is not known.

    Raise Halt if no model was trained on one of the datasets `trained_on`.
    """
    seen: dict[str | None, set[str]] = {}
    for folder in trained_on:
        fingerprint, found = read_traces(folder)
        if fingerprint not in (config.get("dataset") for config in configs):
            raise Halt(f"none of the models was trained on {folder} as it is now: name their datasets")
        seen[fingerprint] = find_seen(tested, found)
    seen[dataset_fingerprint(list_shards(data))] = set()  # its test split is not in its training
    return [seen.get(config.get("dataset")) for config in configs]


def write_comparison(results: list[ModelResult], dest: Path) -> None:
    """Write the table as Markdown and JSON, and the contact sheet, to a folder."""
    evaluations = {result.name: result.evaluation for result in results}
    files.write(dest / TABLE_FILE, comparison_table(results).encode())
    files.write_json(dest / NUMBERS_FILE, comparison_numbers(results))
    files.write(dest / PICTURES_FILE, png.encode_png(models_sheet(evaluations)))


def comparison_table(results: list[ModelResult]) -> str:
    """Write the numbers in Markdown, a table for each condition, and below what is absent and why."""
    summary, left_out = results[0].evaluation.summary, results[0].left_out
    fewer = f" ({left_out} that a model has seen in training are left out)" if left_out else ""
    parts = [
        f"{summary['images']} test pictures of {summary['side']} px{fewer}; means, with 95 % bootstrap "
        "intervals in brackets. Below the systems are the baselines that need no model. A gain is the "
        "difference of PSNR to the best of them, picture by picture.",
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
    dataset = "" if summary["own"] else f", trained on another dataset, {describe_seen(result.seen)}"
    return [
        result.name,
        f"{config['system']}{variant}{vgg}{dataset}",
        f"{config['parameters']['generator'] / 1e6:.2f} M",
        f"{config['validation']['step'] * config['train']['batch']:,}",
        format_interval(summary["conditions"]["paired"]["gain"], "+.2f"),
    ]


def describe_seen(seen: int | None) -> str:
    """Say how many test pictures a dataset has shown to a model that was trained on it."""
    return "which may have these pictures" if seen is None else f"which had {seen} of the test pictures"


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
        "seen": {result.name: result.seen for result in results},
        "left_out": results[0].left_out,
        "found": {result.name: result.evaluation.summary for result in results},
    }
