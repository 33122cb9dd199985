"""What is in a dataset, counted while it is packed."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SPLITS = {"train": "train", "val": "validation", "test": "test"}  # ours -> the Hub's
HOST = re.compile(r"https?://(?:[^/?#@]*@)?((?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*)(?=[:/?#]|$)", re.IGNORECASE)
PRIVATE = (".local", ".localhost", ".lan", ".home", ".internal", ".corp", ".test")  # names of machines


@dataclass
class Census:
    """What is in a dataset, counted sample by sample; it grows with the number of different names alone."""

    splits: Counter[str] = field(default_factory=Counter)
    ratings: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)  # without the artists
    artists: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    members: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, facts: Mapping[str, Any], split: str, members: Iterable[str]) -> None:
        """Count a sample: what its JSON member tells, its split, and the suffixes of its members."""
        artists = set(words(facts.get("artist")))
        self.splits[split] += 1
        self.ratings[str(facts.get("rating") or "")] += 1
        self.tags.update(set(words(facts.get("tags"))) - artists)
        self.artists.update(artists or {""})
        self.licenses[str(facts.get("license") or "unknown")] += 1
        self.hosts[host_of(facts.get("source"))] += 1
        self.members.update(list(members))  # a mapping would add its values
        self.facts.update({*facts, "split"})

    def __len__(self) -> int:
        """Count the samples."""
        return self.splits.total()

    @property
    def present(self) -> list[str]:
        """Name the splits that hold samples."""
        return [name for name in SPLITS if self.splits[name]]

    @property
    def columns(self) -> list[str]:
        """Name the pictures of a sample, color first."""
        names = (name.removesuffix(".png") for name in self.members if name.endswith(".png"))
        return sorted(names, key=lambda name: (name != "color", name))


def words(value: Any) -> list[str]:
    """List the names in a list, or in a text where spaces divide them."""
    return [str(each) for each in value] if isinstance(value, list) else str(value or "").split()


def host_of(address: Any) -> str:
    """Return the host of a web address; "" for anything else, and for what may be the name of a machine."""
    found = HOST.match(str(address))
    host = found.group(1).lower() if found else ""
    return "" if host.endswith(PRIVATE) else host
