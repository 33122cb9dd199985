"""The samples of a column in memory, by the words and numbers that a search can name."""

import heapq
import re
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.packing.census import split_names
from pipeline.packing.table import scores_of
from pipeline.sources.query import COUNTED_METATAGS, FREE_METATAGS, as_number, parse_span

NAMES = ("artist", "license", "split", "group", "rating")  # fields that are searched as NAME:VALUE
SUGGESTIONS = 12
MAX_STARS = 4  # in a word: each makes a test slower


class SearchTable:
    """The samples of a column by the words and the numbers that a search can name, in the rows of its index.

    A word is a tag, or a name such as artist:NAME. Spaces in names are underscores, as in tags.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.words: dict[str, array[int]] = {}  # the rows that have each word
        self.scores: dict[str, array[float]] = {}  # of each row, NaN if unknown; the last may be missing

    def add(self, key: str, metadata: Mapping[str, Any]) -> None:
        row = len(self.keys)
        self.keys.append(key)
        for word in sorted(words_of(metadata)):
            self.words.setdefault(word, array("i")).append(row)
        for name, value in numbers_of(metadata).items():
            scores = self.scores.setdefault(name, array("d"))
            scores.extend([np.nan] * (row - len(scores)))
            scores.append(value)

    def search(self, query: str) -> list[int]:
        """Return the rows that have all terms of a search. Raise ValueError if it cannot be read.

        A last word that no sample has counts as the beginning of one, since it is still being typed.
        """
        found = np.ones(len(self.keys), bool)
        terms = query.lower().split()
        for number, term in enumerate(terms, 1):
            bare = term.removeprefix("-") or term
            rows = self.match(bare)
            if number == len(terms) and not rows.any():
                rows = self.having([f"{bare}*"])
            found &= rows ^ (bare != term)
        return np.flatnonzero(found).tolist()

    def match(self, term: str) -> np.ndarray:
        """Return which rows have a word, a number in a range or a key, bool (N,)."""
        name, colon, value = term.partition(":")
        if colon and name in NAMES:
            return self.having(f"{name}:{each}" for each in value.split(","))
        if colon and name in self.scores:
            read = as_ratio if name == "ratio" else as_number
            spans = [parse_span(part, read) for part in value.split(",")]
            return self.chosen(self.scores[name], lambda score: any(inside(score) for inside in spans))
        if colon and name in (*FREE_METATAGS, *COUNTED_METATAGS):
            raise ValueError(f"the samples of this column have no {name} to search for")
        if colon and name == "key":
            return self.chosen(self.keys, like(value))
        short = term.lstrip("0")  # keys of posts begin with zeros
        return self.having([term]) | self.chosen(self.keys, lambda key: key.lower().lstrip("0") == short)

    def having(self, words: Iterable[str]) -> np.ndarray:
        """Return which rows have one of some words, in which * stands for anything, bool (N,)."""
        found = np.zeros(len(self.keys), bool)
        for word in words:
            for each in filter(like(word), self.words) if "*" in word else [word]:
                found[self.words.get(each, [])] = True
        return found

    def chosen(self, values: Sequence[Any], test: Callable[[Any], object]) -> np.ndarray:
        """Return which rows have a value that passes a test, bool (N,)."""
        found = np.zeros(len(self.keys), bool)
        found[: len(values)] = [bool(test(value)) for value in values]
        return found

    def suggest(self, query: str) -> list[tuple[str, int]]:
        """Return the most frequent words that begin like the last of a search, with their numbers of rows."""
        begun = query.lower().split(" ")[-1].removeprefix("-")
        fitting = [(word, len(rows)) for word, rows in self.words.items() if word.startswith(begun)]
        named = [pair for pair in fitting if not pair[0].startswith("group:")]
        return heapq.nsmallest(SUGGESTIONS, named, key=lambda pair: (-pair[1], pair[0]))


def like(pattern: str) -> Callable[[str], object]:
    """Return a test of names, without regard to case; * stands for anything. Raise ValueError for many *."""
    if pattern.count("*") > MAX_STARS:
        raise ValueError(f"a word may have {MAX_STARS} * at most")
    return re.compile(re.escape(pattern).replace(r"\*", ".*"), re.IGNORECASE).fullmatch


def as_ratio(text: str) -> float:
    """Read a ratio such as 4:3 to two decimals, as a search of posts does. Raise ValueError."""
    return round(as_number(text), 2)


def words_of(metadata: Mapping[str, Any]) -> set[str]:
    """Return the words by which a sample is found; without a group, its family is one."""
    given = {**metadata, "group": metadata.get("group", metadata.get("family"))}
    artists = split_names(given.pop("artist", ""))
    found = {*split_names(given.get("tags")), *(f"artist:{name}" for name in artists)}
    for name in NAMES:
        if (value := given.get(name)) not in (None, ""):
            found.add(f"{name}:{value}".replace(" ", "_"))
    return {sys.intern(word.lower()) for word in found}


def numbers_of(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers by which a sample is found: its scores, and those that a search of posts has."""
    numbers = {name.lower(): value for name, value in scores_of(metadata).items()}
    if type(number := metadata.get("id")) is int:
        numbers["id"] = number
    if numbers.get("width") and numbers.get("height"):
        numbers["ratio"] = round(numbers["width"] / numbers["height"], 2)
        numbers["mpixels"] = numbers["width"] * numbers["height"] / 1e6
    return numbers
