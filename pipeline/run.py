"""A step over every sample of a column, part by part, in as many processes as one likes.

The part (a shard, or a batch of loose pictures) is the unit of work, of the memo and of report. What comes
out depends on the samples, the step and its parameters alone: not on the number of workers, nor on what the
memo already held.
"""

import hashlib
import json
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median
from typing import Any

import cv2

from pipeline import Halt, samples
from pipeline.files import dumps, link, write
from pipeline.images import BadImage, encode
from pipeline.imports import code
from pipeline.samples import Loose, Sample, Shard

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# a release of one may change a pixel
LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "scikit-image", "torch")


@dataclass(frozen=True)
class Step:
    """A picture function lifted to samples: (bytes, key, params) -> (pixels, facts).

    The facts become the JSON member; with `carry`, beside those that came with the sample. Those named in
    `tell` are also reported. With `own` the function gets the sample's own sketch as a fourth argument, where
    there is one, and may return its pixels third: they become the own sketch of the new sample.
    """

    function: Callable[..., tuple]
    params: Any
    carry: bool = False
    tell: tuple[str, ...] = ()
    own: bool = False

    def __call__(self, sample: Sample) -> tuple[Sample, dict]:
        """Make the sample of the new column, and what is told of it. Raise BadImage."""
        own = [data for suffix, data in sample.members.items() if self.own and suffix.startswith("sketch.")]
        image, facts, *drawn = self.function(sample.picture, sample.key, self.params, *own[:1])
        told = {name: facts[name] for name in self.tell}
        if self.carry:
            facts = sample.facts | facts
        members = dict(zip(("png", "sketch.png"), map(encode, (image, *drawn)), strict=False))
        return Sample(sample.key, members | {"json": dumps(facts)}), told

    def fingerprint(self) -> str:
        """Return what changes with the code, the parameters and the libraries that decide the result."""
        given = [self.function.__qualname__, asdict(self.params), self.carry, self.tell, self.own]
        libraries = [version(name) for name in LIBRARIES]
        made = code(self.function.__module__, __name__)
        return hashlib.sha256(dumps([given, made, libraries])).hexdigest()


@dataclass
class Report:
    """What became of a part or of a column: keys that were kept, with what is told of each, and rejects."""

    kept: dict[str, dict] = field(default_factory=dict)
    rejects: list[tuple[str, str]] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """Count the samples that came in."""
        return len(self.kept) + len(self.rejects)

    @property
    def written(self) -> int:
        """Count the samples that were kept."""
        return len(self.kept)

    @property
    def rejected(self) -> dict[str, int]:
        """Count the rejects by reason."""
        return dict(sorted(Counter(reason for _, reason in self.rejects).items()))

    def add(self, other: "Report") -> None:
        """Add what became of another part."""
        self.kept |= other.kept
        self.rejects += other.rejects

    def reject(self, keys: list[str], reason: str) -> None:
        """Turn kept samples into rejects."""
        for key in keys:
            del self.kept[key]
        self.rejects = sorted([*self.rejects, *((key, reason) for key in keys)])

    def numbers(self, name: str) -> list[float]:
        """List a number that is told of every kept sample."""
        return [told[name] for told in self.kept.values()]

    def metrics(self, *names: str) -> dict:
        """Summarize the counts and the named numbers for `metrics/`."""
        summary = {"taken": self.taken, "written": len(self.kept), "rejected": self.rejected}
        for name in names if self.kept else ():
            values = self.numbers(name)
            summary[name] = {"mean": round(fmean(values), 4), "median": round(median(values), 4)}
        return summary


def process(
    step: Step,
    source: Path,
    dest: Path,
    *,
    cache: Path,
    workers: int = 1,
    tick: Callable[[int, int], None] = lambda done, total: None,
    distinct: str = "",
    tolerance: float = 100.0,
) -> Report:
    """Apply a step to every sample of `source` and write `dest`: shards to shards, loose pictures to loose.

    Of samples that tell the same of `distinct`, the first stays and the others are rejected as "duplicate".
    Finished shards are kept in the folder `cache` and taken from there when nothing that decides them has
    changed. After each part `tick` gets how many samples are done, of how many. Raise Halt if more than
    `tolerance` percent are rejected, or all; then `dest` has a ledger and no seal.
    """
    units = samples.parts(source)
    sealed, total = isinstance(units[0], Shard), sum(map(len, units))
    samples.keep_apart(source, dest)
    if sealed:
        work = partial(run_shard, step, step.fingerprint(), cache / "steps")
    else:
        work = partial(run_loose, step, dest)
    samples.unseal(dest)
    report, made, seen = Report(), [], set()
    for unit, (part, shard) in zip(units, spread(work, units, workers), strict=True):
        twins = repeats(part, distinct, seen)
        part.reject(twins, "duplicate")
        made.append(place(shard, dest / unit.name, twins) if shard is not None else drop(dest, twins))
        report.add(part)
        tick(report.taken, total)
    if sealed or report.rejects:
        samples.write_ledger(dest / samples.LEDGER, report.rejects)
    refuse(report, tolerance, dest)
    if sealed:
        samples.seal(dest, made, report.taken, report.rejected)
    return report


def run_shard(step: Step, fingerprint: str, memo: Path, shard: Shard) -> tuple[Report, Shard]:
    """Make one shard in the memo, or find it there."""
    name = hashlib.sha256(f"{fingerprint} {shard.sha256}".encode()).hexdigest()
    path = memo / name[:2] / f"{name}.tar"
    if found := recall(path):
        return found
    report = Report()
    made = samples.write_shard(path, run_samples(step, shard, report))
    entry = {"kept": report.kept, "rejects": report.rejects, "samples": made.samples, "bytes": made.bytes}
    write(path.with_suffix(".json"), dumps(entry | {"sha256": made.sha256}))
    return report, made


def recall(path: Path) -> tuple[Report, Shard] | None:
    """Find a finished shard in the memo; one whose bytes have changed since does not count."""
    try:
        entry = json.loads(path.with_suffix(".json").read_bytes())
        with path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if not intact:
        return None
    report = Report(entry["kept"], [tuple(reject) for reject in entry["rejects"]])
    return report, Shard(path, entry["samples"], entry["bytes"], entry["sha256"])


def run_loose(step: Step, dest: Path, batch: Loose) -> tuple[Report, None]:
    """Make one batch of loose pictures."""
    report = Report()
    samples.write_loose(dest, run_samples(step, batch, report))
    return report, None


def run_samples(step: Step, unit: Shard | Loose, report: Report) -> Iterator[Sample]:
    """Yield what a step makes of each sample; note in `report` what became of it. Bad images end here."""
    for sample in unit:
        try:
            made, told = step(sample)
        except BadImage as reason:
            report.rejects.append((sample.key, str(reason)))
        else:
            report.kept[sample.key] = told
            yield made


def repeats(part: Report, name: str, seen: set) -> list[str]:
    """List the keys whose fact `name` was seen before; remember the others."""
    twins = []
    for key, told in part.kept.items() if name else ():
        if told[name] in seen:
            twins.append(key)
        seen.add(told[name])
    return twins


def place(shard: Shard, path: Path, twins: list[str]) -> Shard:
    """Put a shard of the memo in its place, without the samples in `twins`."""
    if twins:
        return samples.write_shard(path, (sample for sample in shard if sample.key not in twins))
    link(shard.path, path)
    return replace(shard, path=path)


def drop(folder: Path, twins: list[str]) -> None:
    """Remove the loose files of the samples in `twins`."""
    for key in twins:
        for suffix in ("png", "json"):
            (folder / f"{key}.{suffix}").unlink(missing_ok=True)


def refuse(report: Report, tolerance: float, dest: Path) -> None:
    """Raise Halt if too much was rejected, or all."""
    share = 100 * len(report.rejects) / report.taken if report.taken else 0
    if report.kept and share <= tolerance:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.rejected.items())
    limit = f", more than the tolerance of {tolerance:g} %" if report.kept else ""
    raise Halt(
        f"{len(report.rejects)} of {report.taken} pictures were rejected ({reasons}){limit}: "
        f"see {dest / samples.LEDGER}"
    )


def spread(work: Callable, units: list, workers: int) -> Iterator:
    """Yield `work(unit)` for each unit in order, computed in up to `workers` processes."""
    workers = min(workers, len(units))
    if workers <= 1:
        yield from map(work, units)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=settle) as pool:
        try:
            with single_threaded():
                futures = [pool.submit(work, unit) for unit in units]
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise Halt(
                "a worker was killed, perhaps for want of memory: run again with fewer workers"
            ) from error
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            raise


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let the processes that start meanwhile do linear algebra in one thread, or they wait for each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ |= dict.fromkeys(THREADS, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def settle() -> None:
    """Prepare a worker: pictures in one thread too, and no life after its parent."""
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
