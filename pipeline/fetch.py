"""Posts -> their files in shards.

Files come from a folder, or from the store, which asks a site for each one once. Here they are laid down in
the order of the posts, while the next ones are on the way.
"""

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

from pipeline import Halt, chance, images, samples
from pipeline.check import Kept, Reject, Wanted, local, wanted
from pipeline.files import dumps, write
from pipeline.images import BadImage
from pipeline.imports import code
from pipeline.params import Fetch
from pipeline.posts import TAGS, count_posts, key_of, read_posts
from pipeline.samples import Shard
from pipeline.site import Site
from pipeline.store import Store
from pipeline.tars import Row, Sample

THREADS = 4
AHEAD = 128  # files on the way


@dataclass
class Tally:
    """What became of the posts: how many were taken, and the rows of the ledger."""

    taken: int = 0
    rejects: list[tuple[str, str, str]] = field(default_factory=list)  # key, reason, detail

    @property
    def written(self) -> int:
        """Count the posts whose file was laid down."""
        return self.taken - len(self.rejects)

    @property
    def rejected(self) -> dict[str, int]:
        """Count the rejects by reason."""
        return dict(sorted(Counter(reason for _, reason, _ in self.rejects).items()))

    def metrics(self) -> dict:
        """Summarize the counts for `metrics/`."""
        return {"taken": self.taken, "written": self.written, "rejected": self.rejected}


@dataclass
class Batch:
    """The posts of one shard, and their files on the way; or the shard that an earlier run laid down."""

    posts: list[dict]
    path: Path
    files: list[Future[Sample | Reject]] = field(default_factory=list)
    rejects: list[tuple[str, str, str]] = field(default_factory=list)
    shard: Shard | None = None


def fetch(
    place: Site | Path,
    source: Path,
    dest: Path,
    params: Fetch,
    *,
    cache: Path,
    ledger: Path | None = None,
    again: bool = False,
    tick: Callable[[int, int], None] = lambda done, posts: None,
    threads: int = THREADS,
) -> Tally:
    """Write the files of the posts in `source` to `dest`, in their order, and the rejects to `ledger`.

    Files come from the folder `place`, or from a site by way of the store in the folder `cache`; with `again`
    what was rejected for good is asked for once more. After each post `tick` gets how many are done, and of
    how many. Raise Halt if no file can be had, or if more failed for now than is tolerated.
    """
    run = Run(place, dest, cache, params, again)
    total, tally = count_posts(source), Tally()
    ledger = ledger or dest / samples.LEDGER
    samples.keep_apart(source, dest)
    try:
        with samples.making(dest) as column, ThreadPoolExecutor(threads) as pool, run.stopping(pool):
            for batch in run.ahead(pool, batches(read_posts(source), params.shard)):
                column.add(run.lay_down(batch, tally, lambda: tick(tally.taken, total)))
                if run.closed:
                    run.refuse(tally, total)
    finally:
        samples.write_ledger(ledger, tally.rejects, "detail")
    run.refuse(tally, total)
    if not tally.written:
        raise Halt(f"no file could be fetched: see {ledger}")
    column.seal(tally.taken, tally.rejected)
    return tally


def batches(posts: Iterable[dict], size: int) -> Iterator[list[dict]]:
    """Cut posts into shards of `size` on average, by the hash of an id: one post more changes one shard."""
    batch = []
    for post in posts:
        batch.append(post)
        if chance.fraction(0, "shard", str(post["id"])) * size < 1:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass(frozen=True)
class Run:
    """One fetch: from where, to where, and on what terms."""

    place: Site | Path
    dest: Path
    cache: Path
    params: Fetch
    again: bool

    @property
    def closed(self) -> bool:
        """Tell whether the site is left alone by now."""
        return isinstance(self.place, Site) and self.place.closed

    @cached_property
    def terms(self) -> list:
        """List what decides a shard, beside its posts."""
        return [asdict(self.params), self.place.host, *code(__name__)]

    @contextmanager
    def stopping(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """Let nobody wait for the files on the way when something ends the run."""
        try:
            yield
        except BaseException:
            if isinstance(self.place, Site):
                self.place.hang_up()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def ahead(self, pool: ThreadPoolExecutor, groups: Iterable[list[dict]]) -> Iterator[Batch]:
        """Yield the batches in order, while the files of the next ones are on the way."""
        waiting: deque[Batch] = deque()
        for number, posts in enumerate(groups):
            batch = Batch(posts, self.dest / f"{number:06d}.tar")
            if not self.recall(batch):
                batch.files = [pool.submit(self.settle, post) for post in posts]
            waiting.append(batch)
            while sum(len(each.files) for each in waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting

    def settle(self, post: dict) -> Sample | Reject:
        """Make the sample of a post, or a reject without its stack, which would hold memory."""
        try:
            return self.gather(post)
        except Reject as reject:
            return Reject(reject.reason, reject.detail)

    def gather(self, post: dict) -> Sample:
        """Make the sample of a post. Raise Reject or Halt."""
        file = wanted(post, self.params)
        kept = self.obtain(file)
        members = {file.ext: kept.path}
        if post.get("sketch_half"):
            members = halve(kept.path)
        elif sketch := post.get("sketch_url"):
            ext = PurePath(sketch).suffix[1:].lower()
            members[f"sketch.{ext}"] = self.obtain(Wanted(sketch, ext)).path
        return Sample(key_of(post), members | {"json": dumps(facts(post, kept))})

    def obtain(self, file: Wanted) -> Kept:
        """Return a file. Raise Reject or Halt."""
        if isinstance(self.place, Site):
            return Store(self.place, self.cache, self.params, self.again).obtain(file)
        return local(self.place, file, self.params)

    def lay_down(self, batch: Batch, tally: Tally, tick: Callable[[], None]) -> Shard:
        """Write a shard as its files arrive, unless an earlier run did; add to the tally."""
        if batch.shard is None:
            batch.shard = samples.write_shard(batch.path, arriving(batch, tally, tick))
            self.remember(batch)
        else:
            tally.taken += len(batch.posts)
            tick()
        tally.rejects += batch.rejects
        return batch.shard

    def note(self, batch: Batch) -> Path:
        """Return where it is noted what an earlier run laid down for the same posts on the same terms."""
        name = hashlib.sha256(dumps([self.terms, batch.posts])).hexdigest()
        return self.cache / "laid" / name[:2] / f"{name}.json"

    def recall(self, batch: Batch) -> bool:
        """Find the shard that an earlier run laid down, untouched since."""
        if not isinstance(self.place, Site):
            return False
        try:
            known, stat = json.loads(self.note(batch).read_bytes()), batch.path.stat()
        except FileNotFoundError:
            return False
        untouched = (stat.st_size, stat.st_mtime_ns) == (known["shard"]["bytes"], known["mtime"])
        if not untouched or (self.again and known["rejects"]):
            return False
        batch.rejects = [tuple(row) for row in known["rejects"]]
        batch.shard = Shard(batch.path, **known["shard"], made=tuple(map(Row.parse, known["rows"])))
        return True

    def remember(self, batch: Batch) -> None:
        """Note down a shard in which nothing failed for now."""
        if isinstance(self.place, Site) and not any(reason == "transient" for _, reason, _ in batch.rejects):
            made = {name: getattr(batch.shard, name) for name in ("samples", "bytes", "sha256")}
            known = {"shard": made, "rows": [row.line("") for row in batch.shard.rows]}
            known |= {"rejects": batch.rejects, "mtime": batch.path.stat().st_mtime_ns}
            write(self.note(batch), dumps(known), sync=False)

    def refuse(self, tally: Tally, total: int) -> None:
        """Raise Halt if more posts failed for now than is tolerated."""
        failed = [detail for _, reason, detail in tally.rejects if reason == "transient"]
        if 100 * len(failed) > self.params.tolerance * total:
            raise Halt(
                f"{len(failed)} of {tally.taken} files failed for now ({failed[0]}): run again, what was "
                "fetched is kept; or set tolerance to go without them"
            )


def arriving(batch: Batch, tally: Tally, tick: Callable[[], None]) -> Iterator[Sample]:
    """Yield the samples as their files arrive; note in the batch why others did not."""
    for post, file in zip(batch.posts, batch.files, strict=True):
        made = file.result()
        if isinstance(made, Reject):
            batch.rejects.append((key_of(post), made.reason, made.detail))
        else:
            yield made
        tally.taken += 1
        tick()


def facts(post: dict, kept: Kept) -> dict:
    """Return what a sample says of its post; a family is named by the id of its parent.

    `md5` is the one published, else that of the file; a file without a published one also tells its own.
    """
    tags = " ".join(post.get(name, "") for name in TAGS)
    told = {
        "id": post["id"],
        "family": post.get("parent_id") or post["id"],
        "rating": post.get("rating", ""),
        "score": post.get("score", 0),
        "source": post.get("source", ""),
        "artist": post.get("tag_string_artist", ""),
        "license": post.get("license", "unknown"),
        "tags": sorted(tags.split()),
        "md5": post.get("md5") or kept.md5,
    }
    told |= {"pixel_hash": post["pixel_hash"]} if "pixel_hash" in post else {}
    return told | ({"file_md5": kept.md5, "file_sha256": kept.own} if kept.own else {})


def halve(path: Path) -> dict[str, bytes]:
    """Cut a picture into color, on the left, and sketch. Raise Reject if it cannot be decoded."""
    try:
        image = images.decode(path.read_bytes())
    except BadImage as error:
        raise Reject("wrong type", str(error)) from error
    middle = image.shape[1] // 2
    return {"png": images.encode(image[:, :middle]), "sketch.png": images.encode(image[:, -middle:])}
