"""What a packed dataset or a model is published as: the files that its hashes name, and its card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import Halt
from pipeline.markdown import dump_yaml
from pipeline.progress import Tick, quiet
from pipeline.shards.column import CARD_FILE, INDEX, SEAL, read_seal
from pipeline.shards.sums import CONFIG_FILE, SUMS_FILE, WEIGHTS_FILE, changed_files, read_sums

HUB_METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM", "lpips": "LPIPS", "fid": "FID"}
FENCE = "---\n"  # around the YAML header of a card


@dataclass(frozen=True)
class Publication:
    """Verified files by name, with their SHA-256, and the card that goes with them."""

    kind: Literal["dataset", "model"]
    folder: Path
    sums: dict[str, str]
    card: str
    license: str  # as the header of the card names it; "" if it names none
    measured: bool  # whether that header has the measures of a report

    @property
    def sizes(self) -> dict[str, int]:
        """The bytes of each file that goes, the card last."""
        names = (*self.sums, SUMS_FILE)
        sizes = {name: (self.folder / name).stat().st_size for name in names}
        return sizes | {CARD_FILE: len(self.card.encode())}


def read_publication(folder: Path, report: Path, tick: Tick = quiet) -> Publication:
    """Verify a packed dataset or a model, and read its card.

    The header of a model's card gets the measures of `report`, which evaluate wrote, if they are of this
    model. `tick` counts the verified files. Raise Halt if a file is missing or damaged.
    """
    if not (folder / SUMS_FILE).is_file():
        raise Halt(
            f"{folder} has no {SUMS_FILE}: name a packed dataset or a model, or run pack or train again"
        )
    sums = read_sums(folder)
    kind: Literal["dataset", "model"] = "model" if CONFIG_FILE in sums else "dataset"
    for name in (WEIGHTS_FILE, CONFIG_FILE) if kind == "model" else sealed_names(folder, sums):
        if name not in sums:
            raise Halt(f"{folder / SUMS_FILE} does not name {name}: run the stage that writes it again")
    if changed := changed_files(folder, sums, tick):
        raise Halt(f"{changed[0]} is missing or differs from {SUMS_FILE}: run the stage that writes it again")
    header, text = read_card(folder / CARD_FILE)
    measures = read_report(report, sums[WEIGHTS_FILE]) if kind == "model" else None
    if measures:
        header["model-index"] = model_index(measures)
    card = f"{FENCE}{dump_yaml(header)}{FENCE}{text}" if header else text
    return Publication(kind, folder, sums, card, str(header.get("license", "")), bool(measures))


def sealed_names(folder: Path, sums: dict[str, str]) -> list[str]:
    """Return the names of a dataset's files. Raise Halt unless its seal gives its shards the same hashes."""
    seal = read_seal(folder)
    for name, entry in seal["shards"].items():
        if sums.get(name, entry["sha256"]) != entry["sha256"]:
            raise Halt(f"{folder / name} has another hash in {SUMS_FILE} than in {SEAL}: run pack again")
    return [*seal["shards"], INDEX, SEAL]


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """Return the YAML header of a card and the text below it. Raise Halt if it has none that can be read."""
    from ruamel.yaml import YAML, YAMLError  # takes a tenth of a second

    try:
        card = path.read_text(encoding="utf-8")
        header, text = card.removeprefix(FENCE).split(FENCE, 1) if card.startswith(FENCE) else ("", card)
        fields = YAML(typ="safe").load(header) or {}
    except FileNotFoundError:
        raise Halt(f"{path} is missing: run the stage that writes it again") from None
    except (YAMLError, ValueError) as error:  # also if it is not UTF-8, or the header has no end
        raise Halt(f"{path} has no header of YAML between two lines --- ({error}): correct it") from None
    if not isinstance(fields, dict):
        raise Halt(f"{path} has a header without names: correct it")
    return fields, text


def read_report(report: Path, weights: str) -> dict[str, Any] | None:
    """Read a report of evaluate; None if there is none, or if it is of a model with other weights."""
    try:
        measured = json.loads(report.read_bytes()) if report.is_file() else {}
    except ValueError as error:
        raise Halt(f"{report} is no report of evaluate ({error}): run evaluate again") from None
    same = isinstance(measured, dict) and measured.get("model_sha256") == weights
    return measured if same else None


def model_index(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the measures of a model on the test split in the form that the Hub reads.

    https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    paired = report["conditions"]["paired"]
    scores = paired["scores"]["model"]
    means = {name: each["mean"] if isinstance(each, dict) else each for name, each in scores.items()}
    result = {
        "task": {"type": "image-to-image", "name": f"sketch colorization by {paired['guide']}"},
        "dataset": {
            "type": "sketch-colorization-pairs",
            "name": "Sketch colorization pairs",
            "split": "test",
            "args": {"fingerprint": report["dataset"], "images": report["images"]},
        },
        "metrics": [
            {"type": name, "value": means[name], "name": title}
            for name, title in HUB_METRICS.items()
            if name in means
        ],
    }
    return [{"name": f"inkwash {report['system']}", "results": [result]}]
