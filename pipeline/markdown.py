"""Markdown and YAML in which text from outside never becomes markup."""

import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from typing import Any

LONGEST_NAME = 80  # characters; longer names are cut


def templates(path: Path) -> dict[str, Template]:
    """Read a file of Markdown whose parts each follow a line <!-- NAME -->; return them by name.

    `Template.substitute` inserts values as they are: a $ or a brace in a value has no meaning.
    """
    parts = re.split(r"^<!-- (.+) -->\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: Template(text.strip()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def definitions(part: Template) -> dict[str, str]:
    """Return a part whose lines are NAME: DESCRIPTION as a dictionary."""
    return dict(line.split(": ", 1) for line in part.template.splitlines())


def printable(text: str) -> str:
    """Return the printable characters of a text on one line; others could reverse the writing direction."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def inline_code(text: str) -> str:
    """Show a text from outside literally, anywhere in Markdown, also in a table."""
    text = printable(text)
    text = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
    if not re.search(r"[`|\\]", text):  # with one of these, backticks are not safe in a table
        return f"`{text}`" if text else "none given"
    return f"<code>{re.sub('[^a-zA-Z0-9 ]', lambda found: f'&#{ord(found[0])};', text)}</code>"


def rank_counts(counts: Mapping[str, int], most: int | None = None) -> str:
    """List the `most` largest counts with their names, which come from outside; sort equal counts by name."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{inline_code(name)} {count:,}" for name, count in ranked[:most])


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown; columns of integers are aligned right."""
    rows = [list(row) for row in rows]
    rules = [
        "---:" if all(type(cell) is int for cell in cells) else "---" for cells in zip(*rows, strict=True)
    ]
    shown = [[f"{cell:,}" if type(cell) is int else cell for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*heads], rules, *shown))


def code_block(language: str, text: str) -> str:
    """Return a block of code, with a fence that no line of the code can close."""
    fence = "`" * max([3, *(1 + len(run) for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def dump_yaml(value: Any) -> str:
    """Return YAML in the given order, with each string on one line."""
    from ruamel.yaml import YAML  # takes a tenth of a second, and commands that write none import this too

    yaml, out = YAML(), io.StringIO()
    yaml.width = 10**6
    yaml.dump(value, out)
    return out.getvalue()
