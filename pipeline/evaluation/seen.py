"""Which test pictures a model of another dataset may have seen in training or validation."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.batches.dataset import dataset_fingerprint
from pipeline.shards.column import Shard, list_shards

SHARED_FIELDS = ("family", "md5", "pixel_hash")  # equal in variants of a picture, or in copies of a file
Traces = set[tuple[str, str]]  # of pictures: names and values that tell that one is shown


def read_traces(folder: Path) -> tuple[str, Traces]:
    """Return the fingerprint of a packed dataset, and the traces of what training and validation saw."""
    shards = list_shards(folder)
    seen = [shard for shard in shards if not is_test(shard)]
    rows = (row for shard in seen for row in shard.read_metadata(needed=False))
    return dataset_fingerprint(shards), {trace for row, found in rows for trace in traces(row.key, found)}


def is_test(shard: Shard) -> bool:
    return shard.name.startswith("test-")


def traces(key: str, metadata: Mapping[str, Any]) -> Traces:
    return {("key", key)} | {(name, str(metadata[name])) for name in SHARED_FIELDS if metadata.get(name)}


def read_test_metadata(data: Path) -> dict[str, Mapping[str, Any]]:
    """Return the metadata of the test pictures of a packed dataset by key."""
    shards = filter(is_test, list_shards(data))
    return {row.key: found for shard in shards for row, found in shard.read_metadata(needed=False)}


def find_seen(tested: Mapping[str, Mapping[str, Any]], seen: Collection[tuple[str, str]]) -> set[str]:
    """Return the keys of the test pictures, given with their metadata, that have a trace of `seen`.

    The others of their groups, which show almost the same, are among them.
    """
    groups = {key: str(metadata.get("group", key)) for key, metadata in tested.items()}
    hit = {groups[key] for key, metadata in tested.items() if not traces(key, metadata).isdisjoint(seen)}
    return {key for key, group in groups.items() if group in hit}
