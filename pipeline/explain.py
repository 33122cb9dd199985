"""What each stage decided about one sample, and by which numbers."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import Halt, samples
from pipeline.limits import verdicts
from pipeline.params import Clean
from pipeline.posts import key_of, read_posts


@dataclass(frozen=True)
class Decision:
    """What a stage did with a sample: taken, rejected or absent; why; and one line per rule."""

    stage: str
    outcome: str
    why: str = ""
    rules: tuple[str, ...] = ()


def explain(key: str, data: Path, clean: Clean) -> list[Decision]:
    """List what the stages decided whose results lie in the folder `data`.

    Raise Halt if none of them knows the key.
    """
    decided = [
        *searched(key, data / "posts.jsonl"),
        *column(key, "fetch", data / "original", data / "fetch.tsv"),
        *cleaned(key, data / "color", clean),
    ]
    sketches = sorted(path for path in (data / "sketch").glob("*") if path.is_dir())
    for path in sketches:
        decided += column(key, f"sketchify@{path.name}", path, path / samples.LEDGER)
    for name in ("cue", "reference"):
        decided += column(key, name, data / name, data / name / samples.LEDGER)
    decided += column(key, "pack", data / "pairs", None)
    if all(decision.outcome == "absent" for decision in decided):
        raise Halt(f"nothing in {data} knows the key {key}: `prep ls {data}/color` lists what was kept")
    if any(decision.outcome == "rejected" for decision in decided):
        return [decision for decision in decided if decision.outcome != "absent"]
    return decided


def searched(key: str, posts: Path) -> Iterator[Decision]:
    """Tell whether the search took a post."""
    if not posts.is_file():
        return
    post = next((post for post in read_posts(posts) if key_of(post) == key), None)
    if post is None:
        yield Decision("search", "absent", f"not in {posts}: the search did not take it")
        return
    yield Decision("search", "taken", f"rating {post.get('rating', '?')}, score {post.get('score', '?')}")


def column(key: str, stage: str, folder: Path, ledger: Path | None) -> Iterator[Decision]:
    """Tell whether a sample is in a column, or in the ledger of its rejects."""
    if not (folder / samples.SEAL).is_file():
        return
    if held := look_up(key, folder):
        path, facts = held
        yield Decision(stage, "taken", f"{path}, {told(facts)}")
    elif row := rejected(key, ledger):
        yield Decision(stage, "rejected", ": ".join(word for word in row[1:] if word))
    else:
        yield Decision(stage, "absent", "it did not get here")


def told(facts: dict) -> str:
    """Pick from facts what explains the most."""
    names = ("split", "group", "complexity", "method", "md5")
    return ", ".join(f"{name} {facts[name]}" for name in names if name in facts)


def cleaned(key: str, folder: Path, clean: Clean) -> Iterator[Decision]:
    """Tell how a sample stands with each limit of `clean`."""
    if not (folder / samples.SEAL).is_file():
        return
    if held := look_up(key, folder):
        path, facts = held
        yield Decision("clean", "taken", str(path), rules(facts, clean))
    elif row := rejected(key, folder / samples.LEDGER):
        facts = json.loads(row[2] or "{}")
        yield Decision("clean", "rejected", row[1], rules(facts, clean) if facts else ())
    else:
        yield Decision("clean", "absent", "it did not get here")


def look_up(key: str, folder: Path) -> tuple[Path, dict] | None:
    """Find the shard of a sample and what its JSON says."""
    if (found := samples.find(folder, key)) is None:
        return None
    shard, row = found
    [sample] = shard.read([row])
    return shard.path, sample.facts


def rules(facts: dict, clean: Clean) -> tuple[str, ...]:
    """Put into words how scores stand with each limit."""
    return tuple(
        f"{each.rule.reason:12} {each.value:10g} {'>=' if each.rule.least else '<='} {each.limit:<10g} "
        f"{'fine' if each.fine else 'rejected'}"
        for each in verdicts(facts, clean)
    )


def rejected(key: str, ledger: Path | None) -> list[str]:
    """Find the row of a key in a ledger, or nothing."""
    if ledger is None or not ledger.is_file():
        return []
    with ledger.open(encoding="utf-8", newline="") as file:
        return next((row for row in csv.reader(file, delimiter="\t") if row and row[0] == key), [])
