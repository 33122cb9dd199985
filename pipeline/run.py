"""A step over every sample of a column, part by part, in as many processes as one likes.

The part (a shard, or a batch of loose pictures) is the unit of work and of report. What comes out depends on
the samples, the step and its parameters alone: not on the number of workers, nor on what the memo held.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter
from pathlib import Path

import cv2

from pipeline import Halt, samples, tars
from pipeline.files import dumps, elsewhere, link, sweep
from pipeline.images import BadImage
from pipeline.memo import Made, Memo
from pipeline.samples import Loose, Shard
from pipeline.step import Step
from pipeline.tars import Sample
from pipeline.workers import spread

EXAMPLES = 10  # pictures kept of each reason
WORTH = 256  # samples to make for which a worker is worth its start, which takes half a second of a core

Example = tuple[str, bytes]  # the key of a reject and its picture
Judge = Callable[[dict], str]  # what is told of a sample -> why it is rejected, or nothing


def welcome(told: dict) -> str:
    """Reject nothing."""
    return ""


@dataclass
class Part:
    """What became of a part: what is told of each key kept; the rejects: key, reason, what is told."""

    shard: Shard | None = None
    kept: dict[str, dict] = field(default_factory=dict)
    rejects: list[tuple[str, str, dict]] = field(default_factory=list)
    examples: dict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))

    def reject(self, key: str, reason: str) -> None:
        """Turn a kept sample into a reject."""
        self.rejects.append((key, reason, self.kept.pop(key)))

    def show(self, reason: str, sample: Sample) -> None:
        """Keep the picture of a reject as an example, if there are not enough."""
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append((sample.key, sample.picture))


@dataclass
class Report:
    """What became of a column: counts, examples of rejects by reason, and the numbers that were told.

    Numbers are counted to two decimals and not kept one by one, so that a million take no more room.
    """

    written: int = 0
    reasons: Counter = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    counts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def taken(self) -> int:
        """Count the samples that came in."""
        return self.written + self.reasons.total()

    @property
    def rejected(self) -> dict[str, int]:
        """Count the rejects by reason."""
        return dict(sorted(self.reasons.items()))

    def add(self, part: Part) -> None:
        """Add what became of a part."""
        self.written += len(part.kept)
        self.reasons.update(reason for _, reason, _ in part.rejects)
        for reason, pictures in part.examples.items():
            self.examples[reason] = [*self.examples.get(reason, ()), *pictures][:EXAMPLES]
        columns = defaultdict(list)
        for told in part.kept.values():
            for name, value in numbers(told).items():
                columns[name].append(value)
        for name, values in columns.items():
            self.sums[name] = math.fsum([self.sums[name], *values])
            self.counts[name].update(round(value, 2) for value in values)

    def metrics(self, *names: str) -> dict:
        """Summarize the counts and the named numbers for `metrics/`."""
        summary = {"taken": self.taken, "written": self.written, "rejected": self.rejected}
        for name in names if self.written else ():
            mean = round(self.sums[name] / self.counts[name].total(), 4)
            summary[name] = {"mean": mean, "median": middle(self.counts[name])}
        return summary


def numbers(told: dict) -> dict[str, float]:
    """Pick the numbers from what is told."""
    return {name: value for name, value in told.items() if type(value) in (int, float)}


def middle(counts: Counter) -> float:
    """Return the median of numbers that were counted."""
    values, low, high = sorted(counts), (counts.total() - 1) // 2, counts.total() // 2
    ranks, found = 0, []
    for value in values:
        ranks += counts[value]
        while len(found) < 2 and (low, high)[len(found)] < ranks:
            found.append(value)
    return round(sum(found) / 2, 4)


def process(
    step: Step,
    source: Path,
    dest: Path,
    *,
    cache: Path,
    workers: int = 1,
    on: str = "processes",
    tick: Callable[[int, int], None] = lambda done, total: None,
    view: Callable[[list], list] = list,
    judge: Judge = welcome,
    distinct: str = "",
    tolerance: float = 100.0,
) -> Report:
    """Apply a step to every sample of `source` and write `dest`: shards to shards, loose pictures to loose.

    `source` and `dest` may be URLs, see `files.locate`. Work is done in `workers` processes, or `on` "ray" in
    as many as a Ray cluster has cores; all of its machines must see `source` and `dest`, and `cache` is a
    folder of each. `view` may put others in the place of the parts of `source`, such as parts with one more
    member to each sample.

    Samples are rejected for which `judge` finds a reason in what the step tells. Of those that tell the same
    of `distinct`, the first stays and the others are rejected as "duplicate". What a step made is kept in the
    folder `cache`, and taken from there if nothing that decides it has changed. After each part `tick` gets
    how many samples are done, of how many. Raise Halt if more than `tolerance` percent are rejected, or all;
    then `dest` has a ledger and no seal.
    """
    if on == "ray":  # whose workers are in other folders
        source, dest, cache = source.absolute(), dest.absolute(), cache.absolute()
    units = view(samples.parts(source))
    sealed, total = not isinstance(units[0], Loose), sum(map(len, units))
    samples.keep_apart(source, dest)
    memo = Memo(cache / "steps", step.fingerprint())
    work = partial(run_shard, step, memo, judge, dest) if sealed else partial(run_loose, step, judge, dest)
    if sealed and not elsewhere(source):  # a worker takes longer to start than to make a few samples
        workers = min(workers, memo.missing(units, workers * WORTH) // WORTH + 1)
    report, seen, ledger = Report(), set(), dest / samples.LEDGER
    with ExitStack() as stack:
        note = stack.enter_context(samples.ledger(ledger, "told"))
        column = stack.enter_context(samples.making(dest)) if sealed else None
        for part in stack.enter_context(closing(spread(work, units, workers, on, step))):
            refuse_twins(part, distinct, seen, dest)
            if column:
                column.add(part.shard)
            rejects = sorted(part.rejects, key=itemgetter(0))
            note((key, reason, dumps(told).decode() if told else "") for key, reason, told in rejects)
            report.add(part)
            tick(report.taken, total)
    refuse(report, tolerance, ledger)
    if column:
        column.seal(report.taken, report.rejected)
    else:
        sweep(dest)
        if not report.rejected:
            ledger.unlink()
    return report


def run_shard(step: Step, memo: Memo, judge: Judge, dest: Path, shard: Shard) -> Part:
    """Make one shard in the memo, or find it there; put what is not rejected in its place."""
    made = memo.recall(shard) or make(step, memo, shard)
    part = Part(kept=made.told, rejects=[(*reject, {}) for reject in made.rejects])
    weigh(part, judge)
    part.shard = settle(made.shard, dest / shard.name, part)
    return part


def make(step: Step, memo: Memo, shard: Shard) -> Made:
    """Make the samples of a shard that were not made before, as part of another."""
    rows, path = shard.rows, memo.path(shard)
    known = memo.known(rows)
    fresh = shard.read(row for row in rows if row.key not in known)
    told, rejects = {}, []
    with tars.writing(path) as out:
        for row in rows:
            if (old := known.get(row.key)) is None:
                for sample in attempt(step, [next(fresh)], told, rejects):
                    out.add(sample)
            elif old.row is None:
                rejects.append((row.key, old.reason))
            else:
                out.copy(old.data, old.row)
                told[row.key] = old.told
    made = Made(samples.finished(path, out), told, rejects)
    memo.keep(shard, rows, made)
    return made


def run_loose(step: Step, judge: Judge, dest: Path, batch: Loose) -> Part:
    """Make one batch of loose pictures."""
    part, rejects = Part(), []
    for sample in attempt(step, batch, part.kept, rejects):
        if reason := judge(part.kept[sample.key]):
            part.reject(sample.key, reason)
            part.show(reason, sample)
        else:
            samples.write_loose(dest, [sample])
    part.rejects += [(*reject, {}) for reject in rejects]
    return part


def attempt(
    step: Step, batch: Iterable[Sample], told: dict[str, dict], rejects: list[tuple[str, str]]
) -> Iterator[Sample]:
    """Yield what a step makes of samples; note what is told of each, or why not. Bad images end here.

    Raise Halt if there is not enough memory for one.
    """
    for sample in batch:
        try:
            with enough_memory(sample.key):
                made, told[sample.key] = step(sample)
        except BadImage as reason:
            rejects.append((sample.key, str(reason)))
        else:
            yield made


@contextmanager
def enough_memory(key: str) -> Iterator[None]:
    """Raise Halt, naming the sample, if Python, NumPy, Pillow or OpenCV get too little memory meanwhile."""
    try:
        yield
    except (MemoryError, cv2.error) as error:
        if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
            raise
        raise Halt(
            f"out of memory on {key}: use fewer --workers, or more memory, then run the same command to go on"
        ) from error


def weigh(part: Part, judge: Judge) -> None:
    """Reject the samples of a part that are not good enough."""
    for key, reason in [(key, judge(told)) for key, told in part.kept.items()]:
        if reason:
            part.reject(key, reason)


def settle(shard: Shard, path: Path, part: Part) -> Shard:
    """Put a shard in its place, without the samples that are rejected."""
    if len(part.kept) == len(shard):
        link(shard.path, path)
        return replace(shard, path=path)
    reasons = {key: reason for key, reason, _ in part.rejects}
    for sample in shard.read(row for row in shard.rows if row.key in reasons):
        part.show(reasons[sample.key], sample)
    return samples.copy(shard, path, part.kept.__contains__)


def refuse_twins(part: Part, name: str, seen: set, dest: Path) -> None:
    """Reject and remove the samples of a part whose fact `name` was seen before; remember the others."""
    twins = []
    for key, told in part.kept.items() if name else ():
        if told[name] in seen:
            twins.append(key)
        seen.add(told[name])
    for key in twins:
        part.reject(key, "duplicate")
    if twins and part.shard:
        part.shard = settle(part.shard, part.shard.path, part)
    elif twins:
        drop(dest, twins, part)


def drop(folder: Path, keys: list[str], part: Part) -> None:
    """Remove the loose files of rejected samples."""
    for key in keys:
        picture = folder / f"{key}.png"
        part.show("duplicate", Sample(key, {"png": picture.read_bytes()}))
        for path in (picture, picture.with_suffix(".json"), folder / f"{key}.sketch.png"):
            path.unlink(missing_ok=True)


def refuse(report: Report, tolerance: float, ledger: Path) -> None:
    """Raise Halt if too much was rejected, or all."""
    lost = report.reasons.total()
    if report.written and 100 * lost <= tolerance * report.taken:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in report.rejected.items())
    limit = f", more than the tolerance of {tolerance:g} %" if report.written else ""
    raise Halt(f"{lost} of {report.taken} pictures were rejected ({reasons}){limit}: see {ledger}")
