"""Posts -> shards of their files, in the order of the posts.

While one shard is written, the files of the next ones are already on their way. A note in the cache lets the
next run keep each finished shard whose posts and parameters did not change.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import chance
from pipeline.codehash import code_hashes
from pipeline.errors import Halt
from pipeline.files import dumps, lock_folder, read_note, write_note
from pipeline.progress import Tick, quiet
from pipeline.shards.column import Shard, check_destination
from pipeline.shards.ledger import LEDGER, write_ledger
from pipeline.shards.tar import Row, StagedSample
from pipeline.shards.writer import open_column, write_shard
from pipeline.sources.checks import FileRejected
from pipeline.sources.posts import Post, count_posts, post_key, read_posts
from pipeline.sources.samples import make_sample
from pipeline.sources.store import Files

FILES_IN_FLIGHT = 128  # posts whose files are on their way

Rejects = list[tuple[str, str, str]]  # rows of the ledger: (key, reason, detail)


@dataclass
class FetchReport:
    """How many of `total` posts are done, and those without a file."""

    total: int
    taken: int = 0
    rejects: Rejects = field(default_factory=list)

    @property
    def written(self) -> int:
        return self.taken - len(self.rejects)

    @property
    def rejected(self) -> dict[str, int]:
        return dict(sorted(Counter(reason for _, reason, _ in self.rejects).items()))

    def summary(self) -> dict[str, Any]:
        return {"taken": self.taken, "written": self.written, "rejected": self.rejected}

    def require(self, tolerance: float) -> None:
        """Raise Halt if more than `tolerance` percent of all posts failed for now."""
        failed = [detail for _, reason, detail in self.rejects if reason == "transient"]
        if 100 * len(failed) > tolerance * self.total:
            raise Halt(
                f"{len(failed)} of {self.taken} files failed for now ({failed[0]}): run again, what was "
                "fetched is kept; or set tolerance to go without them"
            )


@dataclass
class PostBatch:
    """The posts of one shard, and their samples on the way; or the shard that an earlier run wrote."""

    posts: list[Post]
    path: Path
    note: Path | None  # where to remember the shard
    samples: list[Future[StagedSample | FileRejected]] = field(default_factory=list)
    rejects: Rejects = field(default_factory=list)
    shard: Shard | None = None


def fetch_files(
    files: Files, source: Path, dest: Path, ledger: Path | None = None, tick: Tick = quiet, threads: int = 4
) -> FetchReport:
    """Write the files of the posts in `source` to shards in `dest`, in their order.

    The ledger, by default in `dest`, gives the reason for each post without a file. Raise Halt if there is no
    file at all, or if more than `files.params.tolerance` percent of the posts failed for now.
    """
    report, tolerance = FetchReport(count_posts(source)), files.params.tolerance
    ledger = ledger or dest / LEDGER
    check_destination(source, dest)
    with lock_folder(dest):
        try:
            with open_column(dest) as column, ThreadPoolExecutor(threads) as pool, stopping(files, pool):
                for batch in ahead(make_batches(files, source, dest), partial(start, files, pool)):
                    column.add(finish(batch, report, tick))
                    if files.closed:
                        report.require(tolerance)
        finally:
            write_ledger(ledger, report.rejects, "reason", "detail")
        report.require(tolerance)
        if not report.written:
            raise Halt(f"no file could be fetched: see {ledger}")
        column.seal(report.taken, report.rejected)
    return report


@contextmanager
def stopping(files: Files, pool: ThreadPoolExecutor) -> Iterator[None]:
    """When an exception ends the run, end the downloads too instead of waiting for them."""
    try:
        yield
    except BaseException:
        files.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def make_batches(files: Files, source: Path, dest: Path) -> Iterator[PostBatch]:
    """Yield a batch for each shard, with the path of its note: a hash of all that decides its bytes."""
    terms = [asdict(files.params), files.host, *code_hashes(__name__)]
    for number, posts in enumerate(cut_batches(read_posts(source), files.params.shard)):
        name = hashlib.sha256(dumps([terms, posts])).hexdigest()
        notes = files.cache / "laid" if files.cache and all(map(files.decides, posts)) else None
        note = notes / name[:2] / f"{name}.json" if notes else None
        yield PostBatch(posts, dest / f"{number:06d}.tar", note)


def cut_batches(posts: Iterable[Post], size: int) -> Iterator[list[Post]]:
    """Split posts into shards of `size` on average.

    A hash of its id decides whether a post ends a shard, so that one post more or less changes one shard.
    """
    batch: list[Post] = []
    for post in posts:
        batch.append(post)
        if chance.fraction(0, "shard", str(post["id"])) * size < 1:
            yield batch
            batch = []
    if batch:
        yield batch


def ahead(batches: Iterable[PostBatch], start: Callable[[PostBatch], None]) -> Iterator[PostBatch]:
    """Yield the batches in order, each after `start` was called for the next FILES_IN_FLIGHT posts."""
    waiting: deque[PostBatch] = deque()
    for batch in batches:
        start(batch)
        waiting.append(batch)
        while sum(len(each.posts) for each in waiting) > FILES_IN_FLIGHT:
            yield waiting.popleft()
    yield from waiting


def start(files: Files, pool: ThreadPoolExecutor, batch: PostBatch) -> None:
    """Find the shard of a batch, or begin to fetch its files."""
    if not recall(batch, files.again):
        batch.samples = [pool.submit(make_sample, files, files.complete(post)) for post in batch.posts]


def finish(batch: PostBatch, report: FetchReport, tick: Tick) -> Shard:
    """Write the shard of a batch as its files arrive, unless an earlier run did, and count its posts."""
    if batch.shard is None:
        batch.shard = write_shard(batch.path, arriving_samples(batch, report, tick))
        remember(batch, batch.shard)
    else:
        report.taken += len(batch.posts)
        tick(report.taken, report.total)
    report.rejects += batch.rejects
    return batch.shard


def arriving_samples(batch: PostBatch, report: FetchReport, tick: Tick) -> Iterator[StagedSample]:
    """Yield the samples of a batch as their files arrive; collect the rejects."""
    for post, future in zip(batch.posts, batch.samples, strict=True):
        result = future.result()
        if isinstance(result, FileRejected):
            batch.rejects.append((post_key(post), result.reason, result.detail))
        else:
            yield result
        report.taken += 1
        tick(report.taken, report.total)


def recall(batch: PostBatch, again: bool) -> bool:
    """Fill in a batch and return True if an earlier run wrote its shard and nothing touched it since.

    With `again` a shard that lacks rejected posts does not count.
    """
    known = read_note(batch.note) if batch.note else None
    try:
        stat = batch.path.stat()
    except FileNotFoundError:
        return False
    if not known or (stat.st_size, stat.st_mtime_ns) != (known["shard"]["bytes"], known["mtime"]):
        return False
    if again and known["rejects"]:
        return False
    batch.rejects = [tuple(row) for row in known["rejects"]]
    batch.shard = Shard(batch.path, **known["shard"], known_rows=tuple(map(Row.parse, known["rows"])))
    return True


def remember(batch: PostBatch, shard: Shard) -> None:
    """Write the note on a shard, unless a file of it failed for now."""
    if batch.note and not any(reason == "transient" for _, reason, _ in batch.rejects):
        known = {
            "shard": {"samples": shard.samples, "bytes": shard.bytes, "sha256": shard.sha256},
            "rows": [row.line("") for row in shard.rows],
            "rejects": batch.rejects,
            "mtime": batch.path.stat().st_mtime_ns,
        }
        write_note(batch.note, known, sync=False)
