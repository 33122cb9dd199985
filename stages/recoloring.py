"""The test pictures that changed most, colored again by the models of two runs, each from its own dataset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.errors import Halt
from pipeline.evaluation import measures
from pipeline.evaluation.labels import MODEL
from pipeline.evaluation.page import Figure
from pipeline.evaluation.paired import PairedCondition, PairedPicture
from pipeline.images import codec
from pipeline.images.sheets import Tile
from pipeline.progress import Tick
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from stages.revisions import Revision, copy_model, read_test_samples

if TYPE_CHECKING:  # of the extra `train`
    from pipeline.evaluation.protocol import ColoredSample


NOTICED = 0.1  # dB: a picture that differs by more was colored by other code
UNSHOWN = "The pictures that the model of {} made are not shown"


@dataclass(frozen=True)
class Recolored:
    """The packed samples of a run, what its model made of them, by key, and why it could not."""

    run: str
    packed: dict[str, Sample] = field(default_factory=dict)
    made: dict[str, "ColoredSample"] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def draw_figures(
    condition: PairedCondition, runs: Sequence[Revision], count: int, tick: Tick
) -> tuple[list[Figure], list[str]]:
    """Draw the pictures that gained and lost most, `count` of each; note what is not as it was measured."""
    chosen = condition.extremes(count)
    colored: list[Recolored] = []
    for run, name, when in zip(runs, condition.names, ("before", "after"), strict=True):
        tick(2 * len(colored), 2 * len(runs))
        psnr = {picture.key: getattr(picture, when) for picture in chosen}
        done = 2 * len(colored) + 1
        colored.append(color_run(run, psnr, name, partial(tick, done, 2 * len(runs))))
    tick(2 * len(runs), 2 * len(runs))
    figures = [Figure(each, draw_tiles(each, condition.names[1], colored)) for each in chosen]
    return figures, [note for each in colored for note in each.notes]


def draw_tiles(picture: PairedPicture, name: str, colored: Sequence[Recolored]) -> list[Tile]:
    """Show what the models made, or at least the sketch and the original; nothing if there is no sample."""
    psnr = (picture.before, picture.after)
    made = [
        (f"{each.run}\n{db:.2f} dB", each.made[picture.key])
        for each, db in zip(colored, psnr, strict=True)
        if picture.key in each.made
    ]
    if made:
        from pipeline.evaluation.pictures import paired_tiles

        return paired_tiles(name, made)
    packed = [each.packed[picture.key].members for each in colored if picture.key in each.packed]
    if not packed:
        return []
    sketch = min(member for member in packed[-1] if member.startswith("sketch"))
    return [
        (codec.decode(packed[-1][name]), word)
        for name, word in ((sketch, "sketch"), ("color.png", "original"))
    ]


def color_run(run: Revision, psnr: Mapping[str, float], name: str, told: Callable[[], None]) -> Recolored:
    """Color test pictures of a run by its model under one condition, as far as its files are there.

    `psnr` is what was measured of them, in dB; a note says if they come out otherwise today. `told` is called
    when the pictures and the model are read.
    """
    found = Recolored(run.name)
    with TemporaryDirectory(prefix="prep-") as folder:
        data, model = Path(folder, "pairs"), Path(folder, "model")
        try:
            found.packed.update((sample.key, sample) for sample in read_test_samples(run, psnr.keys()))
            copy_model(run, model)
            told()
            from pipeline.evaluation.protocol import color_again

            shard = write_shard(data / "test-000000.tar", found.packed.values())
            seal_column(data, [shard], len(found.packed), {})
            found.made.update(color_again(data, model, name))
        except Halt as halt:
            found.notes.append(f"{UNSHOWN.format(run.name)}: {str(halt).replace(f'{folder}/', '')}")
        except ModuleNotFoundError as error:
            found.notes.append(f"{UNSHOWN.format(run.name)}: {error}; install inkwash[train]")
    today = {key: measures.psnr(each.goal, each.pictures[MODEL]) for key, each in found.made.items()}
    if others := [key for key, value in today.items() if abs(value - psnr[key]) > NOTICED]:
        count = f"{len(others)} of {len(today)} pictures"
        found.notes.append(
            f"The model of {run.name} colors {count} otherwise today than when it was measured"
        )
    return found
