"""The seal of a column, read strictly: a seal is as this program writes it, or it is refused."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, TypedDict

from pipeline.files import dumps

SHARD_FILE = re.compile(r"[\w-][\w.-]*\.tar", re.ASCII)  # a file of the column's own folder
SHA256 = re.compile("[0-9a-f]{64}")
MAX_NUMBER = 2**53  # JSON keeps smaller integers exactly


class ShardEntry(TypedDict):
    """A shard in a seal."""

    samples: int
    bytes: int
    sha256: str
    place: int  # where its rows begin in the index, in bytes


class Seal(TypedDict):
    """The content of a seal: the counts of a column, its shards by name, and the SHA-256 of its tables."""

    taken: int  # samples read
    written: int
    rejected: dict[str, int]  # by reason
    shards: dict[str, ShardEntry]
    index: str
    ledger: str  # "" if the column has none, or was sealed by an older version


def add_check(seal: Seal) -> dict[str, Any]:
    """Return the object to write: the seal with a hash of its content, which `parse_seal` compares."""
    return {**seal, "check": hash_content(seal)}


def hash_content(seal: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps(seal)).hexdigest()


def parse_seal(data: bytes) -> Seal:
    """Parse the bytes of a seal. Raise ValueError that says which rule they break."""
    try:
        seal = json.loads(data, object_pairs_hook=unique_fields)
        require(isinstance(seal, dict), "it must be an object")
        if "check" in seal or "ledger" in seal:
            require(seal.pop("check", "") == hash_content(seal), "its check does not fit its content")
        else:  # of an older version; no single bit turns a newer seal into one
            seal["ledger"] = ""
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    require_fields(seal, Seal, "it")
    require(isinstance(seal["rejected"], dict), "rejected must be an object")
    require(isinstance(seal["shards"], dict), "shards must be an object")
    for reason, count in seal["rejected"].items():
        require(reason.isprintable(), "a reason must be printable")
        require_count(count, f"rejected {reason}")
    for name, entry in seal["shards"].items():
        require(bool(SHARD_FILE.fullmatch(name)), f"{name!a} is no shard of its folder")
        require_fields(entry, ShardEntry, name)
        require_hash(entry["sha256"], f"sha256 of {name}")
        for field in ("samples", "bytes", "place"):
            require_count(entry[field], f"{field} of {name}")
    require_hash(seal["index"], "index")
    require(seal["ledger"] == "" or is_hash(seal["ledger"]), "ledger must be a SHA-256 or empty")
    require_count(seal["taken"], "taken")
    require_count(seal["written"], "written")
    written = sum(entry["samples"] for entry in seal["shards"].values())
    require(seal["written"] == written, "its shards do not hold as many samples as were written")
    require(seal["taken"] == written + sum(seal["rejected"].values()), "its counts do not add up")
    return seal


def unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON. Raise ValueError if a name comes twice, since one of them would be lost."""
    fields = dict(pairs)
    require(len(fields) == len(pairs), "a name comes twice")
    return fields


def require(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(rule)


def require_fields(value: Any, kind: type, name: str) -> None:
    """Raise ValueError unless a value is an object with exactly the fields of a TypedDict."""
    fields = sorted(kind.__annotations__)
    require(isinstance(value, dict), f"{name} must be an object")
    require(sorted(value) == fields, f"{name} must have the fields {', '.join(fields)} and no others")


def require_count(value: Any, name: str) -> None:
    require(type(value) is int and 0 <= value < MAX_NUMBER, f"{name} must be a count")


def require_hash(value: Any, name: str) -> None:
    require(is_hash(value), f"{name} must be a SHA-256")


def is_hash(value: Any) -> bool:
    return isinstance(value, str) and bool(SHA256.fullmatch(value))
