"""The difference of two runs as tables, and these as text, as Markdown and as JSON.

Text from outside, such as the name of an artist, is `Verbatim`, and never becomes markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline import markdown
from pipeline.evaluation.labels import LESS_IS_BETTER, MEASURE_COLUMNS, condition_title
from pipeline.evaluation.paired import FEWEST, UNTOLD, Difference, Paired, PairedCondition

ABOUT = (
    "A change is the mean of the differences picture by picture, from the first run to the second, with its "
    f"95 % bootstrap interval. It is {UNTOLD} from none if the interval contains 0; by chance alone one of "
    "twenty does not. The interval is about the choice of pictures, not about chance in training: another "
    "seed would give another model."
)
OTHER_INPUTS = (
    "The baselines, which need no model, changed too: originals, sketches or guides of the same keys differ, "
    "so that this is not a change of the model alone"
)


class Verbatim(str):
    """A text from outside."""

    __slots__ = ()


Cell = str | Difference


@dataclass(frozen=True)
class Table:
    """A table under a title; one without rows says that nothing changed."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Diff:
    """Two runs: their names, and what changed from the first to the second."""

    before: str
    after: str
    params: Mapping[str, tuple[str, str]]
    counts: Mapping[str, tuple[int | None, int | None]]
    paired: Paired

    @property
    def main(self) -> PairedCondition:
        return self.paired.conditions[0]


def describe_verdict(diff: Diff) -> str:
    """Say in a sentence whether the model colors better, by PSNR under the first condition."""
    difference = diff.main.differences["psnr"]
    words = {
        "better": "Better",
        "worse": "Worse",
        UNTOLD: "Not told apart",
    }.get(difference.verdict, f"Fewer than {FEWEST} pictures tell nothing")
    pictures = (
        f"{difference.pictures:,} shared test pictures" if difference.pictures > 1 else "one test picture"
    )
    return f"{words}: PSNR {format_change(difference)} dB on {pictures}"


def describe_shared(diff: Diff) -> str:
    paired = diff.paired
    left_out = f"{paired.only_before:,} only before and {paired.only_after:,} only after are left out"
    return f"{paired.shared:,} test pictures are shared; {left_out}."


def list_caveats(diff: Diff) -> list[str]:
    """Say what a reader must know before believing the verdict."""
    changed = [each.condition for each in diff.paired.conditions if not each.same_inputs]
    return [f"{OTHER_INPUTS} ({', '.join(changed)})."] if changed else []


def format_change(difference: Difference) -> str:
    form = f"+.{max(2, MEASURE_COLUMNS[difference.measure][1])}f"
    return f"{difference.change:{form}} [{difference.low:{form}}, {difference.high:{form}}]"


def list_tables(diff: Diff) -> list[Table]:
    """List the changes of measures, the first condition first, then of parameters and counts."""
    names = Verbatim(diff.before), Verbatim(diff.after)
    tables = [measure_table(each, names) for each in diff.paired.conditions]
    tables[1:1] = [group_table(field, groups, names) for field, groups in diff.main.groups.items() if groups]
    params = [[Verbatim(name), *map(Verbatim, pair)] for name, pair in diff.params.items()]
    counts = [
        [Verbatim(name), *map(format_count, pair), count_change(*pair)]
        for name, pair in diff.counts.items()
        if "rejected" not in name or pair[0] != pair[1]
    ]
    return [
        *tables,
        Table("Parameters that differ", ["parameter", *names], params),
        Table("Pictures from search to pack", ["stage", *names, "change"], counts),
    ]


def measure_table(each: PairedCondition, names: tuple[str, str]) -> Table:
    rows = [[MEASURE_COLUMNS[name][0], *measure_cells(found)] for name, found in each.differences.items()]
    return Table(condition_title(each.condition, each.guide), ["", *names, "change", ""], rows)


def group_table(field: str, groups: dict[str, Difference], names: tuple[str, str]) -> Table:
    rows = [
        [Verbatim(name or "unknown"), f"{each.pictures:,}", *measure_cells(each)]
        for name, each in groups.items()
    ]
    return Table(f"PSNR by {field}, dB", [field, "pictures", *names, "change", ""], rows)


def measure_cells(difference: Difference) -> list[Cell]:
    decimals = MEASURE_COLUMNS[difference.measure][1]
    means = [f"{mean:.{decimals}f}" for mean in (difference.before, difference.after)]
    return [*means, difference, difference.verdict]


def format_count(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def count_change(before: int | None, after: int | None) -> str:
    return "" if before is None or after is None or before == after else f"{after - before:+,}"


def to_text(diff: Diff) -> str:
    """Lay out the difference for a terminal, the verdict first."""
    words = "\n".join([describe_shared(diff), *list_caveats(diff), ABOUT])
    return "\n\n".join([describe_verdict(diff), words, *map(table_text, list_tables(diff))])


def table_text(table: Table) -> str:
    if not table.rows:
        return f"{table.title}: none"
    rows = [[markdown.printable(text_cell(cell)) for cell in row] for row in (table.heads, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in lines)])


def text_cell(cell: Cell) -> str:
    return format_change(cell) if isinstance(cell, Difference) else cell


def to_markdown(diff: Diff) -> str:
    """Write the difference for a pull request, the verdict first."""
    names = " → ".join(map(markdown.inline_code, (diff.before, diff.after)))
    words = " ".join([f"{names}.", describe_shared(diff), *list_caveats(diff), ABOUT])
    return (
        "\n\n".join([f"### {describe_verdict(diff)}", words, *map(table_markdown, list_tables(diff))]) + "\n"
    )


def table_markdown(table: Table) -> str:
    if not table.rows:
        return f"**{table.title}**: none"
    cells = markdown.table(map(markdown_cell, table.heads), (map(markdown_cell, row) for row in table.rows))
    return f"**{table.title}**\n\n{cells}"


def markdown_cell(cell: Cell) -> str:
    return markdown.inline_code(cell) if isinstance(cell, Verbatim) else text_cell(cell)


def to_json(diff: Diff) -> dict[str, Any]:
    """Return all numbers; the changes of PSNR of single pictures too, from the greatest loss on."""
    paired = diff.paired
    return {
        "before": diff.before,
        "after": diff.after,
        "verdict": diff.main.differences["psnr"].verdict,
        "pictures": {
            "shared": paired.shared,
            "only_before": paired.only_before,
            "only_after": paired.only_after,
        },
        "params": {name: list(pair) for name, pair in diff.params.items()},
        "counts": {name: list(pair) for name, pair in diff.counts.items()},
        "conditions": [condition_numbers(each) for each in paired.conditions],
    }


def condition_numbers(each: PairedCondition) -> dict[str, Any]:
    return {
        "condition": each.condition,
        "guide": each.guide,
        "same_inputs": each.same_inputs,
        "measures": {name: difference_numbers(found) for name, found in each.differences.items()},
        "groups": {
            field: {name: difference_numbers(found) for name, found in groups.items()}
            for field, groups in each.groups.items()
        },
        "psnr": {picture.key: [picture.before, picture.after] for picture in each.pictures},
    }


def difference_numbers(difference: Difference) -> dict[str, Any]:
    numbers = {name: value for name, value in asdict(difference).items() if name != "measure"}
    rounded = {name: round(value, 6) for name, value in numbers.items()}
    return rounded | {"verdict": difference.verdict}


def to_page(diff: Diff) -> dict[str, Any]:
    """Return what a page shows of the measures: sentences, and the numbers with their titles and decimals."""
    return {
        "headline": describe_verdict(diff),
        "shared": describe_shared(diff),
        "caveats": list_caveats(diff),
        "about": ABOUT,
        "conditions": [condition_page(each) for each in diff.paired.conditions],
    }


def condition_page(each: PairedCondition) -> dict[str, Any]:
    """Return the changes under a condition; those of PSNR of single pictures from the greatest loss on."""
    return {
        "title": condition_title(each.condition, each.guide),
        "measures": [difference_page(found) for found in each.differences.values()],
        "groups": {
            field: [difference_page(found) | {"name": name} for name, found in groups.items()]
            for field, groups in each.groups.items()
        },
        "changes": [round(picture.change, 4) for picture in each.pictures],
    }


def difference_page(difference: Difference) -> dict[str, Any]:
    title, decimals = MEASURE_COLUMNS[difference.measure]
    words = {"measure": difference.measure, "title": title, "decimals": decimals}
    return words | {"less": difference.measure in LESS_IS_BETTER} | difference_numbers(difference)
