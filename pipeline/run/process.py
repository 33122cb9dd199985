"""A step over every sample of a column, part by part, in as many processes as one likes.

The part (a shard, or a batch of loose pictures) is the unit of work and of report. The result depends on the
samples, the step and its parameters alone: not on the number of workers, nor on the memo.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2

from pipeline.errors import BadImage, Halt
from pipeline.files import dumps, is_remote, link_or_copy, remove_partials
from pipeline.progress import Tick, quiet
from pipeline.run.memo import MadeShard, Memo
from pipeline.run.report import Part, Reject, Report
from pipeline.run.spread import spread
from pipeline.run.step import Output, Step
from pipeline.shards import loose, tar
from pipeline.shards.column import Shard, check_destination, copy_shard, finished_shard, open_column
from pipeline.shards.ledger import LEDGER, open_ledger
from pipeline.shards.loose import LooseBatch
from pipeline.shards.tar import Sample

SAMPLES_PER_WORKER = (
    256  # samples to make for which a worker is worth its start, which takes half a second of a core
)

Judge = Callable[[dict], str]  # the metadata reported for a sample -> the reason to reject it, or ""


def accept_all(reported: dict) -> str:
    """Reject nothing."""
    return ""


@dataclass(frozen=True)
class Policy:
    """Which samples of a new column are rejected.

    `judge` finds the reason to reject a sample in its reported metadata. Of samples with the same value of
    the metadata `distinct` the first stays, and the others are rejected as "duplicate". More rejects than
    `tolerance` percent are an error.
    """

    judge: Judge = accept_all
    distinct: str = ""
    tolerance: float = 100.0


TOLERANT = Policy()


@dataclass(frozen=True)
class Execution:
    """How a run is computed, which changes no byte of its result.

    `cache` is the folder of the memo, on each machine. Work is done in `workers` processes, or, `on` "ray",
    in as many as a Ray cluster has cores. After each part `tick` gets the number of samples done, and of all.
    """

    cache: Path
    workers: int = 1
    on: str = "processes"
    tick: Tick = quiet


def run_step(
    step: Step,
    source: Path,
    dest: Path,
    execution: Execution,
    policy: Policy = TOLERANT,
    view: Callable[[list], list] = list,
) -> Report:
    """Apply a step to every sample of `source` and write `dest`: shards to shards, loose pictures to loose.

    `source` and `dest` may be URLs, see `files.to_path`; all machines of a Ray cluster must see both. `view`
    may replace the parts of `source`, by parts with one more member in each sample for example. Samples made
    before come from the memo, if nothing has changed that decides them. Raise Halt if more samples are
    rejected than the policy tolerates, or all of them; `dest` then has a ledger and no seal.
    """
    cache, workers, on = execution.cache, execution.workers, execution.on
    if on == "ray":  # its workers run in other folders
        source, dest, cache = source.absolute(), dest.absolute(), cache.absolute()
    units = view(loose.list_parts(source))
    sealed, total = not isinstance(units[0], LooseBatch), sum(map(len, units))
    check_destination(source, dest)
    memo = Memo(cache / "steps", step.fingerprint())
    work = partial(run_shard, step, memo, policy.judge, dest)
    if not sealed:
        work = partial(run_loose, step, policy.judge, dest)
    elif not is_remote(source):  # a worker takes longer to start than to make a few samples
        workers = min(workers, memo.missing(units, workers * SAMPLES_PER_WORKER) // SAMPLES_PER_WORKER + 1)
    report, seen, ledger = Report(), set(), dest / LEDGER
    with ExitStack() as stack:
        log = stack.enter_context(open_ledger(ledger, "reason", "told"))
        column = stack.enter_context(open_column(dest)) if sealed else None
        for part in stack.enter_context(closing(spread(work, units, workers, on, step))):
            if policy.distinct:
                part = remove_duplicates(part, policy.distinct, seen, dest)
            if column:
                column.add(part.shard)
            log(ledger_rows(part))
            report.add(part)
            execution.tick(report.taken, total)
    check_tolerance(report, policy.tolerance, ledger)
    if column:
        column.seal(report.taken, report.rejected)
    else:
        remove_partials(dest)
        if not report.rejected:
            ledger.unlink()
    return report


def run_shard(step: Step, memo: Memo, judge: Judge, dest: Path, shard: Shard) -> Part:
    """Make one shard, or find it in the memo; put it in its place without the samples that are rejected."""
    made = memo.recall(shard) or make_shard(step, memo, shard)
    part = Part(made.shard, made.told, tuple(Reject(*reject) for reject in made.rejects))
    return place_shard(part.reject(rejection_reasons(part.kept, judge)), dest / shard.name)


def make_shard(step: Step, memo: Memo, shard: Shard) -> MadeShard:
    """Make the samples of a shard that were not made before, as part of another."""
    rows, path = shard.rows, memo.path(shard)
    known = memo.known(rows)
    fresh = shard.read(row for row in rows if row.key not in known)
    reported, rejects = {}, []
    with tar.open_writer(path) as out:
        for row in rows:
            if (old := known.get(row.key)) is None:
                for output in try_samples(step, [next(fresh)], rejects):
                    out.add(output.sample)
                    reported[row.key] = output.reported
            elif old.row is None:
                rejects.append((row.key, old.reason))
            else:
                out.copy(old.data, old.row)
                reported[row.key] = old.told
    made = MadeShard(finished_shard(path, out), reported, rejects)
    memo.keep(shard, rows, made)
    return made


def run_loose(step: Step, judge: Judge, dest: Path, batch: LooseBatch) -> Part:
    """Make one batch of loose pictures, and write those that are not rejected."""
    kept, rejects, rejected = {}, [], []
    for output in try_samples(step, batch, rejects):
        kept[output.sample.key] = output.reported
        if judge(output.reported):
            rejected.append(output.sample)
        else:
            loose.write_loose(dest, [output.sample])
    part = Part(kept=kept, rejects=tuple(Reject(*reject) for reject in rejects))
    return part.reject(rejection_reasons(kept, judge)).show(rejected)


def try_samples(step: Step, batch: Iterable[Sample], rejects: list[tuple[str, str]]) -> Iterator[Output]:
    """Yield the results of a step; add the key and the reason of each bad picture to `rejects`.

    Raise Halt if there is not enough memory for a sample.
    """
    for sample in batch:
        try:
            with enough_memory(sample.key):
                output = step(sample)
        except BadImage as reason:
            rejects.append((sample.key, str(reason)))
        else:
            yield output


@contextmanager
def enough_memory(key: str) -> Iterator[None]:
    """Raise Halt, naming the sample, if Python, NumPy, Pillow or OpenCV run out of memory."""
    try:
        yield
    except (MemoryError, cv2.error) as error:
        if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
            raise
        raise Halt(
            f"out of memory on {key}: use fewer --workers, or more memory, then run the same command to go on"
        ) from error


def rejection_reasons(kept: Mapping[str, dict], judge: Judge) -> dict[str, str]:
    """Return the reason to reject a sample, by key, for those that have one."""
    judged = {key: judge(reported) for key, reported in kept.items()}
    return {key: reason for key, reason in judged.items() if reason}


def place_shard(part: Part, path: Path) -> Part:
    """Put the shard of a part in its place, without the rejected samples, which become examples."""
    shard = part.shard
    if len(part.kept) == len(shard):
        link_or_copy(shard.path, path)
        return replace(part, shard=replace(shard, path=path))
    part = part.show(shard.read(row for row in shard.rows if row.key not in part.kept))
    return replace(part, shard=copy_shard(shard, path, part.kept.__contains__))


def remove_duplicates(part: Part, name: str, seen: set, dest: Path) -> Part:
    """Reject the samples of a part whose metadata `name` are in `seen`; add those of the others."""
    twins = {}
    for key, reported in part.kept.items():
        if reported[name] in seen:
            twins[key] = "duplicate"
        seen.add(reported[name])
    if not twins:
        return part
    part = part.reject(twins)
    if part.shard:
        return place_shard(part, part.shard.path)
    part = part.show(Sample(key, {"png": (dest / f"{key}.png").read_bytes()}) for key in twins)
    for key in twins:
        for suffix in ("png", "json", "sketch.png"):
            (dest / f"{key}.{suffix}").unlink(missing_ok=True)
    return part


def ledger_rows(part: Part) -> Iterator[tuple[str, str, str]]:
    """Yield key, reason and reported metadata of each reject, sorted by key."""
    for reject in sorted(part.rejects, key=lambda reject: reject.key):
        yield reject.key, reject.reason, dumps(reject.reported).decode() if reject.reported else ""


def check_tolerance(report: Report, tolerance: float, ledger: Path) -> None:
    """Raise Halt if more than `tolerance` percent of the samples were rejected, or all of them."""
    lost = report.reasons.total()
    if report.written and 100 * lost <= tolerance * report.taken:
        return
    counts = ", ".join(f"{reason} {count}" for reason, count in report.rejected.items())
    limit = f", more than the tolerance of {tolerance:g} %" if report.written else ""
    raise Halt(f"{lost} of {report.taken} pictures were rejected ({counts}){limit}: see {ledger}")
