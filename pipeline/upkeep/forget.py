"""Removal of posts from a project, so that a search never takes them again.

What to remove is found first and saved beside the columns, because only some files link a post to its
picture: after a kill, the next run could not find all of it. Every step can be repeated.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Halt
from pipeline.files import dumps, open_atomic, read_note, write_note
from pipeline.params import Search
from pipeline.progress import Tick, quiet
from pipeline.shards.column import INDEX, check_tables, list_shards
from pipeline.sources.posts import MAX_OWN_ID, Post, post_key, read_posts
from pipeline.sources.selection import is_forgotten
from pipeline.untrusted import is_integer
from pipeline.upkeep.params_file import add_to_params
from pipeline.upkeep.staging import list_columns, list_rejects, remove_rejects, stage_column, swap_staged
from pipeline.upkeep.traces import find_cache_traces, post_addresses, remove_table_rows

PENDING_FILE = ".forget.json"  # beside the columns: what an unfinished run must remove
MD5_DIGEST = re.compile("[0-9a-f]{32}")
PARTIAL_FILE = re.compile(r"\..*\.[0-9a-f]{32}\.part")  # an unfinished file, left by a kill


@dataclass
class Targets:
    """What to remove: keys of samples, and the MD5 hashes and addresses of their files."""

    keys: set[str]
    md5s: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)  # hashes of files whose source gives no ids

    def add(self, key: str, *md5s: str | None) -> None:
        """Add a sample, with the hashes of its files; some posts hide theirs."""
        self.keys.add(key)
        self.md5s.update(md5 for md5 in md5s if md5 and MD5_DIGEST.fullmatch(md5))

    def lasting_words(self) -> list[str]:
        """Return a word for each file whose source gives no ids, so that it stays away under other names."""
        return [f"md5:{md5}" for md5 in sorted(self.unnamed) if MD5_DIGEST.fullmatch(md5)]


def forget_posts(
    names: Iterable[str],
    *,
    params: Path,
    posts: Path,
    data: Path,
    cache: Path,
    metrics: Path | None = None,
    tick: Tick = quiet,
) -> Counter[Path]:
    """Remove posts, given as IDs, artist:NAME and md5:HASH, and count what was removed by file and folder.

    They are added to `search.forget` in the file `params`, and removed from the file `posts`, from columns
    and tables below `data`, and from the folder `cache`. So are samples whose reference shows one of them.
    Of a post whose source gives no ids, the hash of the file is added too, so that it does not come back
    under another name. Below `metrics`, rows of tables go too, and all sheets of pictures. `tick` counts the
    shards that were searched. Raise ValueError for any other name, and Halt, with nothing removed, if a
    column differs from its seal.
    """
    words = parse_names(names)
    columns = list_columns(data)
    for column in columns:
        swap_staged(column)
    targets = find_targets(words, posts, columns, tick)
    add_to_params(params, [*words, *targets.lasting_words()])
    save_pending(data / PENDING_FILE, targets)

    removed = Counter({posts: remove_posts(posts, targets.keys), cache: purge_cache(cache, targets)})
    for column in columns:
        removed[column] += stage_column(column, targets.keys)
        swap_staged(column)
    for folder in (data, metrics or data):
        for table in sorted(folder.rglob("*.tsv")):
            if table.name != INDEX:
                removed[table] += remove_rejects(table, targets.keys)
    for table in sorted(data.rglob("*.parquet")):
        removed[table] += remove_table_rows(table, targets.keys)
    if metrics and any(removed[column] for column in columns):
        removed[metrics] += remove_sheets(metrics)
    for path in list(data.rglob("*.part")):
        if PARTIAL_FILE.fullmatch(path.name):
            path.unlink()
    (data / PENDING_FILE).unlink()
    return +removed


def parse_names(names: Iterable[str]) -> list[str]:
    """Split names into IDs, without leading zeros, artist:NAME and md5:HASH. Raise ValueError for others."""
    words = " ".join(names).split()
    if not words:
        raise ValueError("forget must be IDs, artist:NAME and md5:HASH, got nothing")
    Search(forget=" ".join(words))
    return [str(int(word)) if word.isdecimal() else word for word in words]


def find_targets(words: list[str], posts: Path, columns: list[Path], tick: Tick) -> Targets:
    """Find the posts and samples that the words name; an ID need not be in the project.

    Raise Halt if a file is damaged, or if a column has no seal.
    """
    names = set(words)
    targets = Targets({post_key({"id": int(word)}) for word in words if word.isdecimal()})
    for post in list_posts(posts):
        if is_forgotten(post, names):
            targets.add(post_key(post), post.get("md5"))
            if post["id"] >= MAX_OWN_ID:
                targets.unnamed.add(post.get("md5", ""))
            targets.urls |= post_addresses(post)
    for column in columns:
        check_tables(column)
        list_rejects(column)
    shards = [shard for column in columns for shard in list_shards(column)]
    for number, shard in enumerate(shards, 1):
        for sample in shard:
            metadata = sample.metadata
            artists = {f"artist:{name}" for name in metadata.get("artist", "").split()}
            hashes = {str(metadata[name]) for name in ("md5", "file_md5") if name in metadata}
            if sample.key in targets.keys or (artists | {f"md5:{md5}" for md5 in hashes}) & names:
                files = [hashlib.md5(data).hexdigest() for data in sample.members.values()]
                targets.add(sample.key, *hashes, *files)
                if is_integer(metadata.get("id"), MAX_OWN_ID):
                    targets.unnamed |= hashes
        tick(number, len(shards))
    return targets


def list_posts(posts: Path) -> Iterator[Post]:
    """Yield the posts of a file; none if it does not exist."""
    if posts.is_file():
        yield from read_posts(posts)


def save_pending(pending: Path, targets: Targets) -> None:
    """Add what a killed run had to remove, and save everything in case this run is killed too. Raise Halt."""
    before = read_note(pending)
    if before is None and pending.is_file():
        raise Halt(f"{pending} is damaged: delete it, then forget all that the interrupted run named again")
    for name, values in (before or {}).items():
        getattr(targets, name).update(values)
    write_note(pending, {name: sorted(values) for name, values in vars(targets).items()})


def remove_posts(posts: Path, keys: set[str]) -> int:
    """Remove posts from their file, if it exists, and return their number."""
    removed = sum(post_key(post) in keys for post in list_posts(posts))
    if removed:
        with open_atomic(posts) as file:
            file.writelines(dumps(post) + b"\n" for post in read_posts(posts) if post_key(post) not in keys)
    return removed


def purge_cache(cache: Path, targets: Targets) -> int:
    """Remove what was made of the targets from the cache, and return the number of files."""
    stale = list(find_cache_traces(cache, targets.keys, targets.md5s, targets.urls))
    for path in stale:
        path.unlink(missing_ok=True)
    return len(stale)


def remove_sheets(metrics: Path) -> int:
    """Remove all sheets of pictures: nothing tells which samples are on them. Return their number."""
    sheets = sorted(metrics.rglob("*.png"))
    for sheet in sheets:
        sheet.unlink()
    return len(sheets)
