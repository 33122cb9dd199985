"""Apply a step to every sample of a column, in any number of processes.

A part (a shard, or a batch of loose pictures) is the unit of work and of reports. The result depends only on
the samples, the step and its parameters: not on the number of workers, nor on the memo.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2

from pipeline.errors import BadImage, Halt
from pipeline.files import dumps, link_or_copy, lock_folder, remove_partials
from pipeline.progress import Tick, quiet
from pipeline.run.choices import NO_CHOICES, Choices
from pipeline.run.memo import MadeShard, Memo, persist
from pipeline.run.report import Part, Reject, Report
from pipeline.run.spread import spread
from pipeline.run.step import Output, Transform
from pipeline.shards import loose, tar
from pipeline.shards.column import Shard, check_destination
from pipeline.shards.ledger import LEDGER, open_ledger
from pipeline.shards.loose import LooseBatch
from pipeline.shards.relatives import PairedShard
from pipeline.shards.tar import Sample
from pipeline.shards.writer import copy_shard, finished_shard, open_column

DROPPED = "dropped"  # the reason of the ledger; the person's own is beside the scores
Judge = Callable[[dict], str]  # the metadata reported for a sample -> the reason to reject it, or ""


def accept_all(reported: dict) -> str:
    """Reject nothing."""
    return ""


@dataclass(frozen=True)
class Policy:
    """Which samples of a new column to reject.

    `judge` returns the reason to reject a sample, given its reported metadata; it is not asked about those in
    the `choices` of a person, which are rejected as "dropped", or not at all. Of the samples left with the
    same value of the metadata `distinct`, the first is kept and the others are rejected as "duplicate". More
    rejects than `tolerance` percent are an error.
    """

    judge: Judge = accept_all
    distinct: str = ""
    tolerance: float = 100.0
    choices: Choices = NO_CHOICES

    def reason(self, key: str, reported: dict) -> str:
        """Return the reason to reject a sample, or an empty string."""
        if key in self.choices.drop:
            return DROPPED
        return "" if key in self.choices.keep else self.judge(reported)


TOLERANT = Policy()


@dataclass(frozen=True)
class Execution:
    """How to compute a run; this changes no byte of its result.

    `cache` is the folder of the memo, on each machine. `workers` is the number of processes; a Ray cluster
    (`on` "ray") has as many as it has cores. After each part, `tick` gets the number of samples done and of
    all. `force` lets loose files be overwritten that no run made.
    """

    cache: Path
    workers: int = 1
    on: str = "processes"
    tick: Tick = quiet
    force: bool = False


def run_step(
    step: Transform,
    source: Path,
    dest: Path,
    execution: Execution,
    policy: Policy = TOLERANT,
    view: Callable[[list], list] = list,
) -> Report:
    """Apply a step to every sample of `source` and write `dest`: shards to shards, loose pictures to loose.

    For one picture `dest` may be a file. `source` and `dest` may be URLs, see `files.to_path`; all machines
    of a Ray cluster must see both. `view` may replace the parts of `source`, for example by parts with one
    more member in each sample. Results come from the memo unless something that decides them has changed.
    Raise Halt if all samples are rejected, or more than the policy tolerates; `dest` then has a ledger and no
    seal. Raise it too, with nothing written, if a loose file would be overwritten that no run made.
    """
    cache, workers, on = execution.cache, execution.workers, execution.on
    dest, name = loose.split_file_name(source, dest)
    if on == "ray":  # its workers run in other folders
        source, dest, cache = source.absolute(), dest.absolute(), cache.absolute()
    units = view(loose.list_parts(source))
    sealed, total = not isinstance(units[0], LooseBatch), sum(map(len, units))
    if not name:
        check_destination(source, dest)
    if sealed:
        memo = Memo(cache / "steps", step.fingerprint())
        work = partial(run_shard, step, memo, policy, dest)
    else:
        work = partial(run_loose, step, policy, dest, name)
    report, ledger = Report(), dest / (f"{name}.{LEDGER}" if name else LEDGER)
    seen: set[object] = set()  # values of the metadata `distinct`
    own_names = {} if sealed else {key: name for batch in units for key, name in batch.file_names().items()}
    with lock_folder(dest):
        with ExitStack() as stack:
            written: dict[str, str] = {}
            if not sealed:
                names = [name] if name else [key for batch in units for key in batch.keys]
                files = {ledger.name} | {f"{name}.{suffix}" for name in names for suffix in loose.WRITTEN}
                written = stack.enter_context(loose.claim_files(dest, files, execution.force))
            add_rejects = stack.enter_context(open_ledger(ledger, "reason", "told"))
            column = stack.enter_context(open_column(dest)) if sealed else None
            for part in stack.enter_context(closing(spread(work, units, workers, on, step))):
                if policy.distinct:
                    part = remove_duplicates(part, policy.distinct, seen, dest)
                if column:
                    column.add(part.shard)
                written.update(part.files)
                add_rejects(ledger_rows(part, own_names, policy.choices.drop))
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


# ---------------------------------------------------------------- one part


def run_shard(step: Transform, memo: Memo, policy: Policy, dest: Path, shard: Shard | PairedShard) -> Part:
    """Apply a step to a shard, or take the result from the memo, and write what is not rejected to `dest`."""

    def attempt() -> Part:
        made = memo.recall_shard(shard) or make_shard(step, memo, shard)
        part = Part(kept=made.reported, rejects=tuple(made.rejects))
        part = part.reject(rejection_reasons(part.kept, policy))
        return place_shard(part, made.shard, dest / shard.name)

    return persist(attempt)


def make_shard(step: Transform, memo: Memo, shard: Shard | PairedShard) -> MadeShard:
    """Apply a step to a shard, except to samples whose result the memo has from another, and remember it."""
    rows, path = shard.rows, memo.path(shard)
    known = memo.recall_samples(rows)
    samples = shard.read(row for row in rows if row.key not in known)
    reported, rejects = {}, []
    with tar.open_writer(path) as out:
        for row in rows:
            result = known.get(row.key) or try_sample(step, next(samples))
            if isinstance(result, Reject):
                rejects.append(result)
                continue
            if isinstance(result, Output):
                out.add(result.sample)
            else:
                out.copy(result.data, result.row)
            reported[row.key] = result.reported
    made = MadeShard(finished_shard(path, out), reported, rejects)
    memo.keep(shard, rows, made)
    return made


def run_loose(step: Transform, policy: Policy, dest: Path, name: str, batch: LooseBatch) -> Part:
    """Apply a step to a batch of loose pictures, and write what is not rejected to `dest`.

    The only picture of a batch may get another `name` than its key.
    """
    kept, rejects, rejected = {}, [], []
    files: dict[str, str] = {}
    for sample in batch:
        result = try_sample(step, sample)
        if isinstance(result, Reject):
            rejects.append(result)
            continue
        kept[sample.key] = result.reported
        if policy.reason(sample.key, result.reported):
            rejected.append(result.sample)
        else:
            files |= loose.write_loose(dest, [result.sample], name)
    part = Part(kept=kept, files=files, rejects=tuple(rejects))
    return part.reject(rejection_reasons(kept, policy)).add_examples(rejected)


def try_sample(step: Transform, sample: Sample) -> Output | Reject:
    """Apply a step to a sample; a bad picture is a reject. Raise Halt if there is not enough memory."""
    try:
        with enough_memory(sample.key):
            return step(sample)
    except BadImage as reason:
        return Reject(sample.key, str(reason))


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


# ---------------------------------------------------------------- rejects


def rejection_reasons(kept: Mapping[str, dict], policy: Policy) -> dict[str, str]:
    """Return the reason to reject a sample, by key, for those that have one."""
    judged = {key: policy.reason(key, reported) for key, reported in kept.items()}
    return {key: reason for key, reason in judged.items() if reason}


def place_shard(part: Part, shard: Shard, path: Path) -> Part:
    """Write the kept samples of a shard to `path`, and make the others examples of the part."""
    if len(part.kept) == len(shard):
        link_or_copy(shard.path, path)
        return replace(part, shard=replace(shard, path=path))
    part = part.add_examples(shard.read(row for row in shard.rows if row.key not in part.kept))
    return replace(part, shard=copy_shard(shard, path, part.kept.__contains__))


def remove_duplicates(part: Part, name: str, seen: set[object], dest: Path) -> Part:
    """Reject the samples of a part whose metadata `name` are in `seen`; add those of the others."""
    duplicates = {}
    for key, reported in part.kept.items():
        if reported[name] in seen:
            duplicates[key] = "duplicate"
        seen.add(reported[name])
    if not duplicates:
        return part
    part = part.reject(duplicates)
    if part.shard:
        return place_shard(part, part.shard, part.shard.path)
    part = part.add_examples(Sample(key, {"png": (dest / f"{key}.png").read_bytes()}) for key in duplicates)
    files = {f"{key}.{suffix}" for key in duplicates for suffix in loose.WRITTEN}
    for file in files:
        (dest / file).unlink(missing_ok=True)
    return replace(part, files={name: part.files[name] for name in part.files.keys() - files})


def ledger_rows(
    part: Part, files: Mapping[str, str], dropped: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield key (or file), reason and reported metadata of each reject, sorted by key.

    The reason that a person gave for dropping it is `why` in the metadata.
    """
    for reject in sorted(part.rejects, key=lambda reject: reject.key):
        why = {"why": dropped[reject.key]} if reject.reason == DROPPED else {}
        told = dumps(reject.reported | why).decode() if reject.reported or why else ""
        yield files.get(reject.key, reject.key), reject.reason, told


def check_tolerance(report: Report, tolerance: float, ledger: Path) -> None:
    """Raise Halt if more than `tolerance` percent of the samples were rejected, or all of them."""
    lost = report.reasons.total()
    if report.written and 100 * lost <= tolerance * report.taken:
        return
    counts = ", ".join(f"{reason} {count}" for reason, count in report.rejected.items())
    limit = f", more than the tolerance of {tolerance:g} %" if report.written else ""
    raise Halt(f"{lost} of {report.taken} pictures were rejected ({counts}){limit}: see {ledger}")
