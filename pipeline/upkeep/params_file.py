"""The parameter `search.forget` in params.yaml: words are added, and every other line stays byte for byte."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from pipeline.errors import Halt
from pipeline.files import write


def add_to_params(params: Path, words: list[str]) -> None:
    """Add words to `search.forget` in a YAML file, unless they are there.

    Raise Halt if the file is not the parameters of a project, or if ruamel would change another line.
    """
    try:
        text = params.read_bytes().decode()
        yaml = open_yaml(text)
        document = yaml.load(text)
    except (FileNotFoundError, YAMLError):
        raise Halt(f"{params} is missing or no YAML: run this in the folder of a project") from None
    section = document.get("search") if isinstance(document, CommentedMap) else None
    if not isinstance(section, CommentedMap):
        raise Halt(f"{params} has no section search: run this in the folder of a project")
    before = str(section.get("forget") or "").split()
    added = [word for word in dict.fromkeys(words) if word not in before]
    if not added:
        return
    forgotten = DoubleQuotedScalarString(" ".join([*before, *added]))
    if dump(yaml, document) != text:
        raise Halt(
            f"{params} has lines that YAML writes otherwise, so adding to it would change them too: set "
            f'forget: "{forgotten}" in its section search by hand, then run this again'
        )
    if "forget" in section:
        section["forget"] = forgotten
    else:
        section.insert(0, "forget", forgotten)
    write(params, dump(yaml, document).encode())


def open_yaml(text: str) -> YAML:
    """Return a reader and writer that keeps the comments, quotes, long lines and line ends of this text."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10**6
    yaml.line_break = "\r\n" if "\r\n" in text else "\n"  # type: ignore[assignment]
    return yaml


def dump(yaml: YAML, document: Any) -> str:
    out = io.StringIO(newline="")
    yaml.dump(document, out)
    return out.getvalue()
