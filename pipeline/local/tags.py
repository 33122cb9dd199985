"""Tags in any spelling -> the tags of a post by category."""

import ast
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pipeline.sources.posts import CATEGORIES
from pipeline.untrusted import plain_text

SEPARATORS = "[,\n\uff0c\u3001]"  # of tags: commas, also of full width and Japanese, and lines
OLD_CATEGORIES = {"1": "artist", "3": "copyright", "4": "character", "5": "meta"}  # by Danbooru's number


def parse_tags(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a record by field, each tag once. Raise ValueError, TypeError or KeyError.

    They are in `tag_string_CATEGORY` and `tags_CATEGORY`, the artists in `artist` too; `tags` and
    `tag_string` hold those of all categories.
    """
    found = {
        name: split_tags(given.get(f"tag_string_{name}")) + split_tags(given.get(f"tags_{name}"))
        for name in CATEGORIES
    }
    found["artist"] += artist_names(given.get("artist"))
    named = {tag for tags in found.values() for tag in tags}
    for name, tag in [*sort_tags(given.get("tags")), *sort_tags(given.get("tag_string"))]:
        if tag not in named:
            found[name].append(tag)
    return {f"tag_string_{name}": " ".join(dict.fromkeys(tags)) for name, tags in found.items() if tags}


def sort_tags(value: Any) -> Iterator[tuple[str, str]]:
    """Yield (category, tag); tags that do not tell their category are general.

    Old dumps have lists of objects with name and category, and some sites objects with a list a category.
    """
    if isinstance(value, dict):
        for name, tags in value.items():
            yield from ((name if name in CATEGORIES else "general", tag) for tag in split_tags(tags))
    elif isinstance(value, list) and any(isinstance(tag, dict) for tag in value):
        for tag in value:
            yield OLD_CATEGORIES.get(str(tag["category"]), "general"), tag_name(tag["name"])
    else:
        yield from (("general", tag) for tag in split_tags(value))


def split_tags(value: Any) -> list[str]:
    """Split tags: by commas or lines if there are any, else by spaces; "blue eyes" becomes blue_eyes."""
    value = read_listed(value)
    if isinstance(value, str) and not re.search(SEPARATORS, value.strip()):
        value = value.split()
    return clean_names(value)


def artist_names(value: Any) -> list[str]:
    """Split names by commas alone: a name may have spaces."""
    return clean_names(read_listed(value))


def read_listed(value: Any) -> Any:
    """Return the list that a text shows, as tables keep lists; any other value unchanged."""
    if isinstance(value, str) and re.fullmatch(r"\s*\[.*\]\s*", value, re.DOTALL):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return read(value.strip())
    return value


def clean_names(value: Any) -> list[str]:
    """Return the names in a text or a list of texts. Raise TypeError for anything else."""
    parts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise TypeError("not all are texts")
    texts = [text for part in parts for text in re.split(SEPARATORS, part)]
    return [name for text in texts if text and (name := tag_name(text))]


def tag_name(text: str) -> str:
    """Write a tag as Danbooru does; captions escape parentheses by a backslash."""
    text = unicodedata.normalize("NFC", plain_text(re.sub(r"\\([()])", r"\1", text)))
    return re.sub(r"\s+", "_", text.strip().lower())
