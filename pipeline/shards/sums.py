"""SHA256SUMS: the hashes of the files of a dataset or a model, as `sha256sum --check` reads them."""

import re
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import hash_file, write
from pipeline.progress import Tick, quiet

SUMS_FILE = "SHA256SUMS"
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"  # of a model, beside its card
CROISSANT_FILE, SCORES_FILE = "croissant.json", "scores.parquet"  # of a packed dataset, beside its card
SUM_LINE = re.compile(r"([0-9a-f]{64})  ([\w-][\w.-]*)", re.ASCII)  # a file of the same folder


def write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    """Write the SHA-256 of each file by its name."""
    lines = (f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items()))
    write(folder / SUMS_FILE, "".join(lines).encode())


def read_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its name. Raise Halt if a line says something else."""
    lines = (folder / SUMS_FILE).read_bytes().decode("ascii", "replace").splitlines()
    found = [SUM_LINE.fullmatch(line) for line in lines]
    if None in found:
        raise Halt(f"{folder / SUMS_FILE} is damaged: run the stage that writes it again")
    return {match[2]: match[1] for match in found if match}


def changed_files(folder: Path, sums: Mapping[str, str], tick: Tick = quiet) -> list[Path]:
    """List the files that are missing or differ from their SHA-256; `tick` counts the files."""
    changed = []
    for number, (name, sha256) in enumerate(sums.items(), 1):
        path = folder / name
        if not path.is_file() or hash_file(path) != sha256:
            changed.append(path)
        tick(number, len(sums))
    return changed
