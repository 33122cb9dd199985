"""The outcome of one unit of work, and the report that sums up all of them."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

from pipeline.shards.column import Shard
from pipeline.shards.tar import Sample

EXAMPLES_PER_REASON = 10  # rejected pictures kept for each reason

Example = tuple[str, bytes]  # the key of a rejected sample, and its encoded picture


@dataclass(frozen=True)
class Reject:
    """A rejected sample: its key, the reason, and the reported metadata if its picture could be processed."""

    key: str
    reason: str
    reported: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The outcome of one unit of work: the reported metadata of the samples to keep, by key, and the rejects.

    `shard` is None for loose pictures; these have `files`: the SHA-256 of each file written, by its name.
    `examples` are pictures of rejects by reason.
    """

    shard: Shard | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, dict] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    examples: Mapping[str, list[Example]] = field(default_factory=dict)

    def reject(self, reasons: Mapping[str, str]) -> "Part":
        """Return the part with the keys of `reasons` among the rejects; its files stay as they are."""
        rejects = tuple(Reject(key, reason, self.kept[key]) for key, reason in reasons.items())
        kept = {key: reported for key, reported in self.kept.items() if key not in reasons}
        return replace(self, kept=kept, rejects=self.rejects + rejects)

    def add_examples(self, samples: Iterable[Sample]) -> "Part":
        """Return the part with the pictures of these rejected samples among its examples."""
        reasons = {reject.key: reject.reason for reject in self.rejects}
        examples = defaultdict(list, {reason: [*pictures] for reason, pictures in self.examples.items()})
        for sample in samples:
            pictures = examples[reasons[sample.key]]
            if len(pictures) < EXAMPLES_PER_REASON:
                pictures.append((sample.key, sample.picture))
        return replace(self, examples=dict(examples))


@dataclass
class Report:
    """Counts of a whole column, examples of its rejects by reason, and statistics of the reported numbers.

    Numbers are counted after rounding to two decimals, so that a million samples take no more memory.
    """

    written: int = 0
    reasons: Counter = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)
    counts: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def taken(self) -> int:
        return self.written + self.reasons.total()

    @property
    def rejected(self) -> dict[str, int]:
        return dict(sorted(self.reasons.items()))

    def add(self, part: Part) -> None:
        self.written += len(part.kept)
        self.reasons.update(reject.reason for reject in part.rejects)
        for reason, pictures in part.examples.items():
            self.examples[reason] = [*self.examples.get(reason, ()), *pictures][:EXAMPLES_PER_REASON]
        columns = defaultdict(list)
        for reported in part.kept.values():
            for name, value in reported.items():
                if type(value) in (int, float):
                    columns[name].append(value)
        for name, values in columns.items():
            self.sums[name] = math.fsum([self.sums[name], *values])
            self.counts[name].update(round(value, 2) for value in values)

    def summary(self, *names: str) -> dict:
        """Return the counts, and the mean and the median of the named numbers."""
        summary = {"taken": self.taken, "written": self.written, "rejected": self.rejected}
        if self.written:
            for name in names:
                mean = round(self.sums[name] / self.counts[name].total(), 4)
                summary[name] = {"mean": mean, "median": median_of_counts(self.counts[name])}
        return summary


def median_of_counts(counts: Counter) -> float:
    """Return the median of counted numbers, rounded to four decimals. Raise IndexError if there are none."""
    values, total = sorted(counts), counts.total()
    ends = [*accumulate(counts[value] for value in values)]
    low, high = (values[bisect_right(ends, place)] for place in ((total - 1) // 2, total // 2))
    return round((low + high) / 2, 4)
