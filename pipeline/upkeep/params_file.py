"""The parameter `search.forget` in params.yaml: words are added, as DVC edits parameters: by a round trip."""

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

    Other values and comments stay. So does the layout, unless the file was laid out by hand in another way
    than ruamel does it. Raise Halt if the file is not the parameters of a project, or if a comment would be
    lost.
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
    if "forget" in section:
        section["forget"] = forgotten
    else:
        section.insert(0, "forget", forgotten)
    edited = dump(yaml, document)
    if any(line.strip() not in edited for line in text.splitlines() if line.lstrip().startswith("#")):
        raise Halt(
            f"{params} has a comment that an edit would lose: set "
            f'forget: "{forgotten}" in its section search by hand, then run this again'
        )
    write(params, edited.encode())


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
