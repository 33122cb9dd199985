"""Words and numbers -> Markdown and YAML, in which no text from outside can become anything but text."""

import io
import re
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 80  # characters of a name that is shown


def seen(text: str) -> str:
    """Reduce a text to one line of what can be seen; the rest could turn the direction of writing."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def code(text: str) -> str:
    """Show a text from outside, letter by letter, anywhere in Markdown: in a table too."""
    text = seen(text)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    if not re.search(r"[`|\\]", text):  # with one of these no run of backticks is safe in a table
        return f"`{text}`" if text else "none told"
    return f"<code>{re.sub('[^a-zA-Z0-9 ]', lambda found: f'&#{ord(found[0])};', text)}</code>"


def listing(counts: Mapping[str, int], most: int | None = None) -> str:
    """Put the largest counts of names from outside into words, equal ones by name."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{code(name)} {count:,}" for name, count in ranked[:most])


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Lay out rows of Markdown below their heads; a column of numbers stands right."""
    rows = [list(row) for row in rows]
    rules = [
        "---:" if all(type(cell) is int for cell in cells) else "---" for cells in zip(*rows, strict=True)
    ]
    shown = [[f"{cell:,}" if type(cell) is int else cell for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([*heads], rules, *shown))


def fenced(language: str, text: str) -> str:
    """Show lines of code, which cannot end their own block."""
    fence = "`" * max([3, *(1 + len(run) for run in re.findall("`+", text))])
    return f"{fence}{language}\n{text.strip()}\n{fence}"


def dump(value: Any) -> str:
    """Write YAML in the order given, each text on one line."""
    from ruamel.yaml import YAML  # takes a tenth of a second, and commands that write none import this too

    yaml, out = YAML(), io.StringIO()
    yaml.width = 10**6
    yaml.dump(value, out)
    return out.getvalue()
