"""The decisions of each stage about one sample, with the numbers behind them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Halt
from pipeline.operators.limits import check_limits
from pipeline.params import Clean
from pipeline.shards import column
from pipeline.shards.ledger import LEDGER, find_reject
from pipeline.sources.posts import post_key, read_posts


@dataclass(frozen=True)
class Decision:
    """The decision of a stage about a sample."""

    stage: str
    outcome: str  # taken, rejected or absent
    why: str = ""
    rules: tuple[str, ...] = ()  # a line for each limit: value, limit, and whether it is met


def explain_sample(key: str, data: Path, clean: Clean) -> list[Decision]:
    """List the decisions of the stages whose results are in the folder `data`.

    Raise Halt if no stage knows the key.
    """
    decided = [
        *search_decision(key, data / "posts.jsonl"),
        *decisions_in(data / "original", data / "fetch.tsv", key, "fetch"),
        *clean_decision(key, data / "color", clean),
    ]
    sketches = sorted(path for path in (data / "sketch").glob("*") if path.is_dir())
    for path in sketches:
        decided += decisions_in(path, path / LEDGER, key, f"sketchify@{path.name}")
    for name in ("cue", "reference"):
        decided += decisions_in(data / name, data / name / LEDGER, key, name)
    decided += decisions_in(data / "pairs", None, key, "pack")
    if all(decision.outcome == "absent" for decision in decided):
        raise Halt(f"nothing in {data} knows the key {key}: `prep ls {data}/color` lists what was kept")
    if any(decision.outcome == "rejected" for decision in decided):
        return [decision for decision in decided if decision.outcome != "absent"]
    return decided


def search_decision(key: str, posts: Path) -> Iterator[Decision]:
    """Yield whether the search took a post."""
    if not posts.is_file():
        return
    post = next((post for post in read_posts(posts) if post_key(post) == key), None)
    if post is None:
        yield Decision("search", "absent", f"not in {posts}: the search did not take it")
        return
    yield Decision("search", "taken", f"rating {post.get('rating', '?')}, score {post.get('score', '?')}")


def decisions_in(folder: Path, ledger: Path | None, key: str, stage: str) -> Iterator[Decision]:
    """Yield whether a sample is in a column or in its ledger."""
    if not (folder / column.SEAL).is_file():
        return
    if held := find_metadata(key, folder):
        path, facts = held
        yield Decision(stage, "taken", f"{path}, {summary(facts)}")
    elif ledger and (row := find_reject(ledger, key)):
        yield Decision(stage, "rejected", ": ".join(word for word in row[1:] if word))
    else:
        yield Decision(stage, "absent", "it did not get here")


def summary(facts: dict) -> str:
    """List the metadata that explain the most."""
    names = ("split", "group", "complexity", "method", "md5")
    return ", ".join(f"{name} {facts[name]}" for name in names if name in facts)


def clean_decision(key: str, folder: Path, clean: Clean) -> Iterator[Decision]:
    """Yield what clean decided about a sample, with its value for each limit."""
    if not (folder / column.SEAL).is_file():
        return
    if held := find_metadata(key, folder):
        path, facts = held
        yield Decision("clean", "taken", str(path), describe_rules(facts, clean))
    elif row := find_reject(folder / LEDGER, key):
        facts = json.loads(row[2] or "{}")
        yield Decision("clean", "rejected", row[1], describe_rules(facts, clean) if facts else ())
    else:
        yield Decision("clean", "absent", "it did not get here")


def find_metadata(key: str, folder: Path) -> tuple[Path, dict] | None:
    """Return the shard of a sample and its metadata; None if the column does not have it."""
    if (found := column.find_sample(folder, key)) is None:
        return None
    shard, row = found
    [sample] = shard.read([row])
    return shard.path, dict(sample.metadata)


def describe_rules(facts: dict, clean: Clean) -> tuple[str, ...]:
    """Return a line for each limit: the score, the limit, and whether it is met."""
    return tuple(
        f"{each.rule.reason:12} {each.value:10g} {'>=' if each.rule.least else '<='} {each.limit:<10g} "
        f"{'fine' if each.fine else 'rejected'}"
        for each in check_limits(facts, clean)
    )
