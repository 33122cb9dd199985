"""A report sums up parts: counts, means and medians, and a few examples."""

from statistics import median

import numpy as np

from pipeline.run.report import EXAMPLES_PER_REASON, Part, Reject, Report, median_of_counts
from pipeline.shards.tar import Sample


def test_a_summary_has_the_counts_and_the_reported_numbers():
    report = Report()
    for colors in ((1, 2, 0), (1, 3, 0)):
        kept = {f"{len(report.counts)}-{n}": {"color": color} for n, color in enumerate(colors)}
        report.add(Part(kept=kept, rejects=(Reject("x", "gray"),)))
    assert report.summary("color") == {
        "taken": 8,
        "written": 6,
        "rejected": {"gray": 2},
        "color": {"mean": 1.1667, "median": 1.0},
    }


def test_the_median_of_counts_is_that_of_the_numbers():
    random = np.random.default_rng(1)
    for size in range(1, 40):
        numbers = random.integers(0, 9, size) / 4
        report = Report()
        report.add(Part(kept={str(n): {"x": float(number)} for n, number in enumerate(numbers)}))
        assert median_of_counts(report.counts["x"]) == round(median(np.round(numbers, 2)), 4)


def test_a_reason_has_a_few_examples_however_many_parts_there_are():
    report = Report()
    for part in range(3):
        keys = [f"{part}-{n}" for n in range(EXAMPLES_PER_REASON)]
        samples = [Sample(key, {"png": key.encode()}) for key in keys]
        report.add(Part(rejects=tuple(Reject(key, "gray") for key in keys)).add_examples(samples))
    assert [key for key, _ in report.examples["gray"]] == [f"0-{n}" for n in range(EXAMPLES_PER_REASON)]
