"""Counts of what is in a dataset, made while it is packed."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}  # our name -> the name on the Hub
HOST_PATTERN = re.compile(
    r"https?://(?:[^/?#@]*@)?((?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*)(?=[:/?#]|$)", re.IGNORECASE
)
PRIVATE_DOMAINS = (".local", ".localhost", ".lan", ".home", ".internal", ".corp", ".test")


@dataclass
class Census:
    """Counts of names, updated sample by sample. Its size depends only on the number of distinct names."""

    splits: Counter[str] = field(default_factory=Counter)
    ratings: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)  # without the artists
    artists: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    members: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)  # of the JSON members

    def add(self, metadata: Mapping[str, Any], split: str, members: Iterable[str]) -> None:
        """Count a sample by its metadata, its split, and the suffixes of its members."""
        artists = set(split_names(metadata.get("artist")))
        self.splits[split] += 1
        self.ratings[str(metadata.get("rating") or "unknown")] += 1
        self.tags.update(set(split_names(metadata.get("tags"))) - artists)
        self.artists.update(artists or {""})
        self.licenses[str(metadata.get("license") or "unknown")] += 1
        self.hosts[host_of(metadata.get("source"))] += 1
        self.members.update(list(members))  # Counter would add the values of a mapping
        self.fields.update({*metadata, "split"})

    def __len__(self) -> int:
        return self.splits.total()

    @property
    def present(self) -> list[str]:
        """The splits that have samples, in order."""
        return [name for name in HUB_SPLITS if self.splits[name]]

    @property
    def columns(self) -> list[str]:
        """The names of the pictures of a sample, `color` first."""
        names = (name.removesuffix(".png") for name in self.members if name.endswith(".png"))
        return sorted(names, key=lambda name: (name != "color", name))


def split_names(value: object) -> list[str]:
    """Return the names in a list, or in a string that separates them by spaces."""
    return [str(each) for each in value] if isinstance(value, list) else str(value or "").split()


def host_of(address: object) -> str:
    """Return the host of a web address; "" for anything else and for a private host."""
    found = HOST_PATTERN.match(str(address))
    host = found.group(1).lower() if found else ""
    return "" if host.endswith(PRIVATE_DOMAINS) else host
