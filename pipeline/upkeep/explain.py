"""The decisions of each stage about one sample, with the numbers behind them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Halt
from pipeline.operators.limits import Verdict, check_limits
from pipeline.params import Clean
from pipeline.run.choices import NO_CHOICES, Choices
from pipeline.shards.column import SEAL, check_tables, find_sample
from pipeline.shards.ledger import LEDGER, find_reject
from pipeline.sources.posts import post_key, read_posts

SUMMARY_FIELDS = ("split", "group", "complexity", "method", "md5")  # the metadata that explain the most


@dataclass(frozen=True)
class Decision:
    """The decision of a stage about a sample."""

    stage: str
    outcome: str  # taken, rejected or absent
    why: str = ""
    rules: tuple[Verdict, ...] = ()  # one for each limit


def explain_sample(key: str, data: Path, clean: Clean, choices: Choices = NO_CHOICES) -> list[Decision]:
    """List the decisions of the stages whose results are in the folder `data`.

    `choices` are those that a person made about its pictures. Raise Halt if no stage knows the key, or if a
    column or its ledger is damaged.
    """
    sketches = sorted(path for path in (data / "sketch").glob("*") if path.is_dir())
    columns = {f"sketchify@{path.name}": path for path in sketches}
    columns |= {"cue": data / "cue", "reference": data / "reference", "pack": data / "pairs"}
    decisions = [
        search_decision(key, data / "posts.jsonl"),
        column_decision("fetch", key, data / "original", data / "fetch.tsv"),
        clean_decision(key, data / "color", clean, choices),
        *(column_decision(stage, key, column, column / LEDGER) for stage, column in columns.items()),
    ]
    made = [decision for decision in decisions if decision]
    if all(decision.outcome == "absent" for decision in made):
        raise Halt(f"nothing in {data} knows the key {key}: `prep ls {data}/color` lists what was kept")
    if any(decision.outcome == "rejected" for decision in made):
        return [decision for decision in made if decision.outcome != "absent"]
    return made


def search_decision(key: str, posts: Path) -> Decision | None:
    """Return whether the search took a post; None if there was no search."""
    if not posts.is_file():
        return None
    post = next((post for post in read_posts(posts) if post_key(post) == key), None)
    if post is None:
        return Decision("search", "absent", f"not in {posts}: the search did not take it")
    why = f"rating {post.get('rating', 'unknown')}, score {post.get('score', 'unknown')}"
    return Decision("search", "taken", why)


def column_decision(stage: str, key: str, column: Path, ledger: Path) -> Decision | None:
    """Return whether a sample is in a column or in its ledger; None if the column is not whole."""
    if not (column / SEAL).is_file():
        return None
    check_tables(column)
    if found := find_metadata(key, column):
        path, metadata = found
        summary = [f"{name} {metadata[name]}" for name in SUMMARY_FIELDS if name in metadata]
        return Decision(stage, "taken", ", ".join([str(path), *summary]))
    if row := find_reject(ledger, key):
        return Decision(stage, "rejected", ": ".join(word for word in row[1:] if word))
    return Decision(stage, "absent", "it did not get here")


def clean_decision(key: str, column: Path, clean: Clean, choices: Choices) -> Decision | None:
    """Return the decision of clean about a sample, with its value for each limit, and what a person chose."""
    if not (column / SEAL).is_file():
        return None
    check_tables(column)
    wish = f", on the keep list: {choices.keep[key]}" if key in choices.keep else ""
    if found := find_metadata(key, column):
        path, metadata = found
        return Decision("clean", "taken", f"{path}{wish}", judge(metadata, clean, path))
    if row := find_reject(column / LEDGER, key):
        scores = json.loads(row[2] or "{}")  # a picture that cannot be decoded has none
        why = f": {scores['why']}" if "why" in scores else wish
        rules = judge(scores, clean, column / LEDGER) if scores else ()
        return Decision("clean", "rejected", f"{row[1]}{why}", rules)
    return Decision("clean", "absent", "it did not get here")


def judge(scores: dict[str, Any], clean: Clean, path: Path) -> tuple[Verdict, ...]:
    """Compare scores with every limit. Raise Halt if one is missing, as after a change of the block sizes."""
    try:
        return tuple(check_limits(scores, clean))
    except KeyError as error:
        raise Halt(f"{path} has no score {error} for a limit: run clean again") from None


def find_metadata(key: str, column: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the shard of a sample and its metadata; None if the column does not have it."""
    if (found := find_sample(column, key)) is None:
        return None
    shard, row = found
    [sample] = shard.read([row])
    return shard.path, dict(sample.metadata)


def describe_check(verdict: Verdict) -> str:
    """Return a line about a limit: the score, the limit, and whether it is met."""
    return (
        f"{verdict.rule.reason:12} {verdict.value:10g} {'>=' if verdict.rule.least else '<='} "
        f"{verdict.limit:<10g} {'fine' if verdict.fine else 'rejected'}"
    )


def as_document(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON keeps it; `least` says whether the limit is a minimum."""
    rules = [
        {"reason": verdict.rule.reason, "value": verdict.value, "limit": verdict.limit}
        | {"least": verdict.rule.least, "fine": verdict.fine}
        for verdict in decision.rules
    ]
    return {"stage": decision.stage, "outcome": decision.outcome, "why": decision.why, "rules": rules}
