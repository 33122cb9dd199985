"""Two tables of measures -> how each measure changed, picture by picture, on the test pictures both share.

Pictures differ more than models do. A difference of two means therefore hides what the mean of the
differences shows.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit

import pyarrow
from pyarrow import parquet

from pipeline.errors import Halt
from pipeline.evaluation.labels import LESS_IS_BETTER, MEASURE_COLUMNS, MODEL, MeasureRow
from pipeline.evaluation.measures import bootstrap_interval

FEWEST = 6  # pictures: if all of fewer change alike, that is chance more often than once in 20 times
SAME = 0.01  # dB: baselines of equal pictures differ by no more, even if other code made their guides
MOST_GROUPS = 12  # artists or sources
UNTOLD, TOO_FEW = "not told apart", "too few pictures"
Rows = list[MeasureRow]


@dataclass(frozen=True)
class Difference:
    """The change of a measure: its means before and after, and the interval of the mean change."""

    measure: str
    pictures: int
    before: float
    after: float
    change: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """better or worse if the interval excludes no change, and else that the change is not told apart."""
        if self.pictures < FEWEST:
            return TOO_FEW
        if self.low <= 0 <= self.high:
            return UNTOLD
        return "better" if (self.change > 0) != (self.measure in LESS_IS_BETTER) else "worse"


@dataclass(frozen=True)
class PairedPicture:
    """A test picture, and its PSNR before and after."""

    key: str
    artist: str
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True)
class PairedCondition:
    """The changes under one condition, by measure; those of PSNR also by artist and by source.

    `names` are those of the condition before and after. `pictures` go from the greatest loss of PSNR to the
    greatest gain. `same_inputs` says whether the baselines, which need no model, made the same pictures: if
    not, the change is not one of the model alone.
    """

    condition: str
    guide: str
    names: tuple[str, str]
    differences: dict[str, Difference]
    groups: dict[str, dict[str, Difference]]  # by field, artist or source, and its value
    pictures: list[PairedPicture]
    same_inputs: bool

    def extremes(self, count: int) -> list[PairedPicture]:
        """The pictures that gained most, and then those that lost most, at most `count` of each."""
        gained = [picture for picture in self.pictures[::-1][:count] if picture.change > 0]
        return gained + [picture for picture in self.pictures[:count] if picture.change < 0]


@dataclass(frozen=True)
class Paired:
    """The changes under each condition, the first of which counts most, and the numbers of pictures."""

    conditions: list[PairedCondition]
    shared: int
    only_before: int
    only_after: int


def read_measures(data: bytes, name: str) -> Rows:
    """Read the table that `prep evaluate` wrote. Raise Halt, with `name`, if it is none."""
    try:
        rows = parquet.read_table(BytesIO(data)).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise Halt(f"{name} is no Parquet file ({error}): evaluate again") from None
    needed = {"condition", "key", "by", "psnr"}
    if not rows or not needed <= rows[0].keys():
        raise Halt(f"{name} is no table of measures of test pictures: evaluate again")
    return rows


def pair_measures(before: Rows, after: Rows) -> Paired:
    """Compare two tables. Raise Halt if they share no test picture, or none under the same condition."""
    old, new = ({row["key"] for row in rows if row["by"] == MODEL} for rows in (before, after))
    counts = len(old & new), len(old - new), len(new - old)
    if not old & new:
        raise Halt(
            f"no test picture is shared ({len(old)} before, {len(new)} after): "
            "measure both models on one dataset by prep compare"
        )
    has_guides = all("guide" in rows[0] for rows in (before, after))  # older tables have none
    parts_before, parts_after = (split_conditions(rows, has_guides) for rows in (before, after))
    conditions = [
        pair_condition(condition, guide, parts_before[condition, guide], rows)
        for (condition, guide), rows in parts_after.items()
        if (condition, guide) in parts_before
    ]
    conditions = [each for each in conditions if each.pictures]
    if not conditions:
        guides = (
            ", ".join(f"{name} by {guide}" for name, guide in part) for part in (parts_before, parts_after)
        )
        raise Halt(f"no condition is shared ({'; '.join(guides)}): compare models that take the same guide")
    return Paired(conditions, *counts)


def split_conditions(rows: Rows, has_guides: bool) -> dict[tuple[str, str], Rows]:
    """Group rows by condition and guide; `paired` is called by its guide, as other models call it."""
    found: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in rows:
        guide = row["guide"] if has_guides else ""
        condition = guide if guide and row["condition"] == "paired" else row["condition"]
        found[condition, guide].append(row)
    return dict(found)


def pair_condition(condition: str, guide: str, before: Rows, after: Rows) -> PairedCondition:
    old, new = rows_by_key(before, MODEL), rows_by_key(after, MODEL)
    shared = [(old[key], new[key]) for key in sorted(old.keys() & new.keys())]
    measured = {name: compare_measure(name, shared) for name in MEASURE_COLUMNS}
    return PairedCondition(
        condition,
        guide,
        (before[0]["condition"], after[0]["condition"]),
        {name: difference for name, difference in measured.items() if difference},
        {field: compare_groups(field, shared) for field in ("artist", "source")},
        rank_pictures(shared),
        have_same_baselines(before, after),
    )


def rank_pictures(shared: list[tuple[MeasureRow, MeasureRow]]) -> list[PairedPicture]:
    found = [
        PairedPicture(new["key"], new.get("artist") or "", old["psnr"], new["psnr"]) for old, new in shared
    ]
    return sorted(found, key=lambda picture: (picture.change, picture.key))


def rows_by_key(rows: Iterable[MeasureRow], by: str) -> dict[str, MeasureRow]:
    return {row["key"]: row for row in rows if row["by"] == by}


def compare_measure(name: str, shared: list[tuple[MeasureRow, MeasureRow]]) -> Difference | None:
    """Return the change of a measure on the pictures for which both have it; None if there are none."""
    pairs = [(first.get(name), second.get(name)) for first, second in shared]
    values = [(a, b) for a, b in pairs if a is not None and b is not None and math.isfinite(a - b)]
    if not values:
        return None
    before, after = (math.fsum(column) / len(values) for column in zip(*values, strict=True))
    change, low, high = bootstrap_interval([b - a for a, b in values], seed=0)
    return Difference(name, len(values), before, after, change, low, high)


def compare_groups(field: str, shared: list[tuple[MeasureRow, MeasureRow]]) -> dict[str, Difference]:
    """Return the change of PSNR by artist or source, the most frequent first, if there are several.

    Those of fewer than FEWEST pictures are left out.
    """
    groups: dict[str, list[tuple[MeasureRow, MeasureRow]]] = defaultdict(list)
    for first, second in shared:
        groups[group_name(second.get(field) or "")].append((first, second))
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))[:MOST_GROUPS]
    found = {name: compare_measure("psnr", rows) for name, rows in ranked if len(rows) >= FEWEST}
    return {name: difference for name, difference in found.items() if difference and len(groups) > 1}


def group_name(text: str) -> str:
    """Return the host of an address, as each picture has an address of its own; any other text as it is."""
    return urlsplit(text).hostname or text if "://" in text else text


def have_same_baselines(before: Rows, after: Rows) -> bool:
    """Say whether each baseline that both have scores alike on every shared picture."""
    for by in {row["by"] for row in before} & {row["by"] for row in after} - {MODEL}:
        old, new = rows_by_key(before, by), rows_by_key(after, by)
        if any(abs(old[key]["psnr"] - new[key]["psnr"]) > SAME for key in old.keys() & new.keys()):
            return False
    return True
