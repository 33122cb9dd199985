"""params.yaml, edited in place: only the values that change are written, and every other byte stays."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from pipeline.errors import Halt
from pipeline.files import write

PLAIN_WORD = re.compile("(?!(?:true|false|null|yes|no|on|off|y|n)$)[a-z][a-z0-9-]*")  # needs no quotes


def add_to_params(params: Path, words: list[str]) -> None:
    """Add words to `search.forget` in a YAML file, unless they are there. Raise Halt as `set_params` does."""
    try:
        text = params.read_bytes().decode()
        section = parse_params(text).get("search")
    except (FileNotFoundError, ValueError):
        raise Halt(f"{params} is missing or no YAML: run this in the folder of a project") from None
    if not isinstance(section, dict):
        raise Halt(f"{params} has no section search: run this in the folder of a project")
    before = str(section.get("forget") or "").split()
    if added := [word for word in dict.fromkeys(words) if word not in before]:
        edited = set_params(params, text, "search", {"forget": " ".join([*before, *added])})
        write(params, edited.encode())


def parse_params(text: str) -> dict[str, Any]:
    """Read the sections of params.yaml. Raise ValueError if the text is something else."""
    try:
        document = YAML(typ="safe", pure=True).load(text) or {}
    except YAMLError as error:
        raise ValueError(f"no YAML ({error})") from None
    if not isinstance(document, dict):
        raise ValueError("no sections of parameters")
    return document


def set_params(params: Path, text: str, section: str, values: Mapping[str, Any]) -> str:
    """Return the text of params.yaml with these values in a section: numbers, words, or words by name.

    A name that the section lacks becomes its last. Raise Halt if there is no such section, or if an edit
    would change anything else, as in a file with anchors.
    """
    before = parse_params(text)
    if not isinstance(before.get(section), dict):
        raise Halt(f"{params} has no section {section}: run this in the folder of a project")
    edited = text
    try:
        for name, value in values.items():
            edited = set_value(edited, section, name, value)
        fits = parse_params(edited) == before | {section: before[section] | values}
    except ValueError:
        fits = False
    if not fits:
        wanted = ", ".join(f"{name}: {flow_value(value)}" for name, value in values.items())
        raise Halt(f"{params} cannot be edited by a program: set {wanted} in its section {section} by hand")
    return edited


def set_value(text: str, section: str, name: str, value: Any) -> str:
    """Replace or add one value of a section. Raise ValueError if a comment may be within the value."""
    parent = find(YAML(typ="safe", pure=True).compose(text), section)[1]
    key, node = find(parent, name)
    if key is None:
        add = add_to_flow if parent.flow_style else add_to_block
        return add(text, parent, name, value)
    start, end = span(text, node)
    if {"\n", "#"} <= set(text[start:end]):
        raise ValueError("a value of several lines may have a comment")
    if start == end:  # no value, for which the parser names the place of what comes next
        start = end = text.index(":", key.end_mark.index) + 1
        return f"{text[:start]} {flow_value(value)}{text[end:]}"
    return text[:start] + flow_value(value) + text[end:]


def find(node: MappingNode, name: str) -> tuple[Any, Any]:
    """Return the nodes of a name and of its value in a mapping; None and None if it is not there."""
    return next((pair for pair in node.value if pair[0].value == name), (None, None))


def span(text: str, node: Node) -> tuple[int, int]:
    """Return where a node begins and ends; the parser counts what follows a block as a part of it."""
    start, end = node.start_mark.index, node.end_mark.index
    return start, start + len(text[start:end].rstrip())


def add_to_flow(text: str, parent: MappingNode, name: str, value: Any) -> str:
    end = parent.end_mark.index - 1
    comma = ", " if parent.value else ""
    return f"{text[:end].rstrip()}{comma}{name}: {flow_value(value)}{text[end:]}"


def add_to_block(text: str, parent: MappingNode, name: str, value: Any) -> str:
    """Add a line, or several, below the last line of a block, which may end with a comment."""
    indent = " " * parent.value[0][0].start_mark.column
    lines = [f"{name}: {flow_value(value)}"]
    if isinstance(value, Mapping):
        lines = [f"{name}:", *(f"{indent}{key}: {flow_value(each)}" for key, each in value.items())]
    last: Any = parent
    while isinstance(last, MappingNode) and not last.flow_style and last.value:
        last = last.value[-1][1]
    end = text.find("\n", span(text, last)[1])
    newline = "\r\n" if "\r\n" in text else "\n"
    head, tail = (text + newline, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return head + "".join(indent + line + newline for line in lines) + tail


def flow_value(value: Any) -> str:
    """Write a value on one line: as JSON, but words and numbers as they are written by hand."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {flow_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, str):
        return value if PLAIN_WORD.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return repr(value)
