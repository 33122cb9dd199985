"""Removal of posts from a project, so that a search never takes them again.

What must go is found first and noted beside the columns, because only some files link a post to its picture:
after a kill, the next run could not find all of it again. A column changes in two steps: its new shards are
written to a folder inside it, closed by the new seal; then they replace the old ones. Every step can be
repeated.
"""

import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from pipeline.errors import Halt
from pipeline.files import dumps, open_atomic, write
from pipeline.params import Search
from pipeline.progress import Tick, quiet
from pipeline.shards.column import (
    CARD_FILE,
    INDEX,
    SEAL,
    Shard,
    copy_shard,
    count_rejects,
    find_columns,
    list_shards,
    seal_column,
)
from pipeline.shards.ledger import LEDGER, read_ledger, write_ledger
from pipeline.sources.posts import Post, post_key, read_posts
from pipeline.sources.selection import is_forgotten

STAGING_FOLDER = ".forget"  # folder in a column for its new shards
PENDING_FILE = ".forget.json"  # beside the columns: what an unfinished run must remove
PARTIAL_FILE = re.compile(r"\..*\.[0-9a-f]{32}\.part")  # an unfinished file, left by a kill


@dataclass
class ToForget:
    """What must go: keys of samples, and MD5 hashes of their originals."""

    keys: set[str]
    md5s: set[str]


def forget_posts(
    names: Iterable[str],
    *,
    params: Path,
    posts: Path,
    data: Path,
    cache: Path,
    tick: Tick = quiet,
) -> Counter[Path]:
    """Remove posts, given as IDs and artist:NAME, and count what was removed by file and folder.

    They are added to `search.forget` in the file `params`, and removed from the file `posts`, from columns
    and tables below `data`, and from the folder `cache`. `tick` counts the shards that were searched. Raise
    ValueError for any other name, and Halt, with nothing removed, if a column differs from its seal.
    """
    words = parse_names(names)
    columns = list_columns(data)
    for column in columns:
        swap_staged(column)
    found = find_targets(words, posts, columns, tick)
    add_to_params(params, words)
    resume_pending(data / PENDING_FILE, found)
    removed = Counter({posts: remove_posts(posts, found.keys), cache: purge_cache(cache, found)})
    for column in columns:
        removed[column] += stage_column(column, found.keys)
        swap_staged(column)
    for table in sorted(data.rglob("*.tsv")):
        if table.name != INDEX:
            removed[table] += prune_table(table, found.keys)
    for part in [path for path in data.rglob("*.part") if PARTIAL_FILE.fullmatch(path.name)]:
        part.unlink()
    (data / PENDING_FILE).unlink()
    return +removed


def parse_names(names: Iterable[str]) -> list[str]:
    """Split names into IDs, without leading zeros, and artist:NAME. Raise ValueError for any other word."""
    words = " ".join(names).split()
    if not words:
        raise ValueError("forget must be IDs and artist:NAME, got nothing")
    Search(forget=" ".join(words))
    return [str(int(word)) if word.isdecimal() else word for word in words]


def list_columns(data: Path) -> list[Path]:
    """List the columns below a folder, even those without a seal: reading these raises Halt."""
    return [column for column in find_columns(data) if column.name != STAGING_FOLDER]


# ---------------------------------------------------------------- what must go


def find_targets(words: list[str], posts: Path, columns: list[Path], tick: Tick) -> ToForget:
    """Find the posts and samples that the words name; an ID need not be in the project.

    Raise Halt if a file is damaged.
    """
    names = set(words)
    found = ToForget({post_key({"id": int(word)}) for word in words if word.isdecimal()}, set())

    def note(key: str, post: Post, md5: str) -> None:
        if key in found.keys or is_forgotten(post, names):
            found.keys.add(key)
            found.md5s.update(re.findall(r"\b[0-9a-f]{32}\b", md5))  # hidden in some posts

    for post in read_posts(posts) if posts.is_file() else ():
        note(post_key(post), post, post.get("md5") or "")
    shards = [shard for column in columns for shard in list_shards(column)]
    for number, shard in enumerate(shards, 1):
        for sample in shard:
            facts = sample.metadata
            md5s = f"{facts.get('md5')} {facts.get('file_md5')}"
            note(sample.key, {"id": -1, "tag_string_artist": facts.get("artist", "")}, md5s)
        tick(number, len(shards))
    return found


def resume_pending(pending: Path, found: ToForget) -> None:
    """Add what a killed run had found, and note everything in a file in case this run is killed too."""
    if pending.is_file():
        before = json.loads(pending.read_bytes())
        found.keys.update(before["keys"])
        found.md5s.update(before["md5s"])
    write(pending, dumps({"keys": sorted(found.keys), "md5s": sorted(found.md5s)}))


# ---------------------------------------------------------------- parameters


def add_to_params(params: Path, words: list[str]) -> None:
    """Add words to `search.forget` in a YAML file, whose other lines stay byte for byte.

    Raise Halt if the file is not the parameters of a project, or if ruamel would change another line.
    """
    try:
        text = params.read_bytes().decode()
        yaml = round_trip(text)
        document = yaml.load(text)
    except (FileNotFoundError, YAMLError):
        raise Halt(f"{params} is missing or no YAML: run this in the folder of a project") from None
    section = document.get("search") if isinstance(document, CommentedMap) else None
    if not isinstance(section, CommentedMap):
        raise Halt(f"{params} has no section search: run this in the folder of a project")
    before = str(section.get("forget") or "").split()
    added = [word for word in dict.fromkeys(words) if word not in before]
    if not added:
        return
    forgotten = DoubleQuotedScalarString(" ".join([*before, *added]))
    if dump(yaml, document) != text:
        raise Halt(
            f"{params} has lines that YAML writes otherwise, so adding to it would change them too: set "
            f'forget: "{forgotten}" in its section search by hand, then run this again'
        )
    if "forget" in section:
        section["forget"] = forgotten
    else:
        section.insert(0, "forget", forgotten)
    write(params, dump(yaml, document).encode())


def round_trip(text: str) -> YAML:
    """Return a reader and writer of YAML that keeps comments, quotes, long lines and the ends of lines."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10**6
    yaml.line_break = "\r\n" if "\r\n" in text else "\n"  # type: ignore[assignment]
    return yaml


def dump(yaml: YAML, document: Any) -> str:
    """Write a YAML document to a string."""
    out = io.StringIO(newline="")
    yaml.dump(document, out)
    return out.getvalue()


# ---------------------------------------------------------------- removal


def remove_posts(posts: Path, keys: set[str]) -> int:
    """Remove posts from their file, if it exists, and return their number."""
    gone = sum(post_key(post) in keys for post in read_posts(posts)) if posts.is_file() else 0
    if gone:
        with open_atomic(posts) as file:
            file.writelines(dumps(post) + b"\n" for post in read_posts(posts) if post_key(post) not in keys)
    return gone


def purge_cache(cache: Path, found: ToForget) -> int:
    """Remove the files of posts from the cache, with shards and notes about them; return their number."""
    doomed = [path for md5 in found.md5s for path in (cache / "files" / md5[:2]).glob(f"*{md5}*")]
    named = [path for path in (cache / "names").glob("*/*") if path.suffix != ".part"]
    doomed += [path for path in named if json.loads(path.read_bytes())["md5"] in found.md5s]
    for shelf in ("steps", "laid"):
        doomed += [path for path in (cache / shelf).glob("*/*") if may_hold(path, found.keys)]
    for path in doomed:
        path.unlink()
    return len(doomed)


def may_hold(path: Path, keys: set[str]) -> bool:
    """Return whether a file of the memo has one of the keys, or might have one."""
    try:
        entry = json.loads(path.with_suffix(".json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return True
    held = [line.partition("\t")[0] for line in entry["rows"]]
    return not keys.isdisjoint([*held, *(key for key, *_ in entry["rejects"])])


def stage_column(column: Path, keys: set[str]) -> int:
    """Write the files of a column that change without the keys to its folder STAGED, the seal last.

    Return the number of samples and rejects that are removed.
    """
    staged = column / STAGING_FOLDER
    before, rejected = list_shards(column), Counter(count_rejects(column))
    after = [stage_shard(shard, staged, keys) for shard in before]
    left = recount_rejects(column, rejected, keys)
    if (after, left) != (before, rejected):
        staged.mkdir(exist_ok=True)
        (column / CARD_FILE).unlink(missing_ok=True)  # it names artists; pack writes a new one
        seal_column(staged, after, sum(map(len, after)) + left.total(), left)
    return sum(map(len, before)) + rejected.total() - sum(map(len, after)) - left.total()


def stage_shard(shard: Shard, staged: Path, keys: set[str]) -> Shard:
    """Write a shard without the keys, even if it is empty then, so that columns stay aligned.

    Return a shard that has none of the keys unchanged.
    """
    if keys.isdisjoint(row.key for row in shard.rows):
        return shard
    return copy_shard(shard, staged / shard.name, lambda key: key not in keys)


def recount_rejects(column: Path, rejected: Counter[str], keys: set[str]) -> Counter[str]:
    """Count the rejects of a column by reason, without the keys. Its ledger is in or beside the column."""
    ledger = column / LEDGER
    tables = [ledger] if ledger.is_file() else column.parent.glob("*.tsv")
    rows = [row for table in tables for row in read_ledger(table)[1:]]
    stay = [row for row in rows if row[0] not in keys]
    return rejected & Counter(row[1] for row in stay) if len(stay) < len(rows) else rejected


def swap_staged(column: Path) -> None:
    """Move the staged files of a column into place, the seal last; discard them if they have no seal."""
    staged = column / STAGING_FOLDER
    if (staged / SEAL).is_file():
        for path in sorted(staged.iterdir(), key=lambda path: path.name == SEAL):
            path.replace(column / path.name)
    if staged.is_dir():
        shutil.rmtree(staged)


def prune_table(table: Path, keys: set[str]) -> int:
    """Remove the rows of keys from a ledger and return their number; leave other tables alone."""
    header, *rows = read_ledger(table) or [[]]
    stay = [row for row in rows if row[0] not in keys]
    if len(stay) < len(rows):
        write_ledger(table, stay, *header[1:])
    return len(rows) - len(stay)
