"""One flipped bit in any file of a project is healed or refused in one sentence, and changes no result."""

import os
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from made import packed
from project import LENIENT, nursery, paint

from pipeline.errors import Halt
from pipeline.evaluation.protocol import evaluate_model
from pipeline.models.card import model_card
from pipeline.params import Evaluate, Model, Train
from pipeline.training.checkpoint import release_model
from pipeline.training.fit import train_model

PIPELINE = (  # makes all that `data` and the cache hold, again and again
    ("fetch", "posts.jsonl", "data/original", "--host", "{host}", "--shard", "6", "--variant", "sample"),
    ("clean", "data/original", "data/color", *LENIENT),
    ("sketchify", "data/color", "data/sketch/b7"),
    ("cue", "data/color", "data/cue"),
    ("reference", "data/color", "data/reference", "--subject", "family"),
    ("pack", "data/color", "data/sketch", "data/cue", "data/reference", "data/pairs", "--val", "20"),
)
TRAIN = Train(steps=2, batch=2, validate=1, vgg="none")
EVALUATE = Evaluate(resamples=100)


def flip(path: Path, random: Random) -> None:
    """Flip one bit of a file in place, as a disk does: its time of change stays."""
    data, times = bytearray(path.read_bytes()), path.stat()
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.unlink()  # it may be linked
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def kinds(project: Path) -> dict[str, list[Path]]:
    """List the files of a project that a later command reads, by kind: their folder and suffix."""
    found: dict[str, list[Path]] = {}
    for path in sorted(path for name in ("data", ".prep") for path in (project / name).rglob("*")):
        if path.is_file() and path.parent.name != "pairs":  # training reads these
            shelf = path.relative_to(project).parts[:2]
            found.setdefault(f"{shelf} {path.suffix}", []).append(path)
    return found


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every shard, index, seal and card."""
    files = sorted(path for path in (folder / "data").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Chain:
    """A small project made by all stages of data, and what runs them again in a copy."""

    def __init__(self, home: Path, host: str, run):
        self.home, self.host, self.run = home, host, run
        assert self.make(home) == ""
        self.whole = results(home)

    def make(self, folder: Path, first: int = 0) -> str:
        """Run the stages from `first` on; return what the one that stops says."""
        for words in PIPELINE[first:]:
            done = self.run([word.format(host=self.host) for word in words], folder)
            if done.code:
                assert "Traceback" not in done.said, done.said
                assert done.code == 1, done.said
                assert done.said.strip().splitlines()[-1].startswith("prep: "), done.said
                return done.said
        return ""

    def flipped(self, folder: Path, number: int) -> str:
        """Flip a bit in a copy of the project and run the stages that read it; say what became of it."""
        random = Random(number)
        shutil.copytree(self.home, folder)
        files = kinds(folder)
        kind = sorted(files)[number % len(files)]
        path = random.choice(files[kind])
        flip(path, random)
        made_by = [place for place, words in enumerate(PIPELINE) if str(path.parent).endswith(words[2])]
        if self.make(folder, made_by[0] + 1 if made_by else 0):
            return "refused"
        found, name = results(folder), str(path.relative_to(folder))
        if made_by:  # its own stage did not run
            found[name] = self.whole[name]
        assert found == self.whole, (number, path)
        return "healed"


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Make the small project, of posts of a site that are taken in a smaller size, which has no hash."""
    from pipeline.booru import catalog, site

    home = tmp_path_factory.mktemp("flips")
    (home / "project").mkdir()
    with site.serve(catalog.folder_catalog(paint(home / "pictures", 20))) as host, nursery() as run:
        done = run(["search", "posts.jsonl", "--host", host, "--size", "1"], home / "project")
        assert done.code == 0, done.said
        yield Chain(home / "project", host, run)


def prove_data(chain: Chain, folder: Path, numbers: range) -> Counter:
    ends = Counter(chain.flipped(folder / str(number), number) for number in numbers)
    print(dict(ends))
    return ends


def test_a_flipped_bit_of_the_data_side_is_healed_or_refused(chain, tmp_path):
    assert prove_data(chain, tmp_path, range(0, 20, 5))["healed"] > 1


def test_the_way_out_of_a_rotten_original_works(chain, tmp_path):
    shutil.copytree(chain.home, tmp_path / "copy")
    shard = tmp_path / "copy/data/original/000000.tar"
    flip(shard, Random(1))
    shutil.rmtree(tmp_path / "copy/.prep/steps")  # or clean would not have to read it
    said = chain.make(tmp_path / "copy")  # fetch keeps the file, since its size and time are as they were
    assert "data/original/000000.tar differs from its seal" in said
    assert "delete it, then run the stage that writes it again" in said
    shard.unlink()
    assert chain.make(tmp_path / "copy") == ""
    assert results(tmp_path / "copy") == chain.whole


@pytest.mark.slow
def test_hundreds_of_flipped_bits_of_the_data_side_are_healed_or_refused(chain, tmp_path):
    ends = Counter()
    for number in range(12, 312):
        ends[chain.flipped(tmp_path / "copy", number)] += 1
        shutil.rmtree(tmp_path / "copy")
    print(dict(ends))
    assert min(ends["healed"], ends["refused"]) > 10


# ---------------------------------------------------------------- training and evaluation


def learn(folder: Path) -> dict:
    """Train or go on, release the model and evaluate it; return all that came out."""
    said: list[str] = []
    run = train_model(
        folder / "pairs", Model(width=4, depth=3), TRAIN, checkpoint=folder / "run.pt", say=said.append
    )
    records = list(run)
    release_model(folder / "run.pt", folder / "model", model_card)
    return {"records": records} | measure(folder)


def measure(folder: Path) -> dict:
    found = evaluate_model(folder / "pairs", folder / "model", EVALUATE)
    samples = [(key, sample) for key, row in found.samples.items() for sample in row.values()]
    pictures = [
        (key, name, picture.tolist())
        for key, sample in samples
        for name, picture in (sample.given | sample.pictures).items()
    ]
    return {"summary": found.summary, "pictures": pictures}


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Pack, train and evaluate; return the folder, and what came out."""
    folder = tmp_path_factory.mktemp("learned")
    packed(folder / "pairs")
    found = learn(folder)
    return folder, found


def flip_learned(learned, folder: Path, number: int) -> str:
    """Flip a bit of the dataset, the checkpoint or the model, and do what reads it again."""
    home, whole = learned
    random = Random(number)
    shutil.copytree(home, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".md")
    path = files[number % len(files)]
    flip(path, random)
    try:
        found = measure(folder) if path.parent.name == "model" else learn(folder)
    except Halt:
        return "refused"
    assert path.name != "seal.json", number  # no flip of a seal passes
    assert {name: found[name] for name in found} == {name: whole[name] for name in found}, (number, path)
    return "healed"


@pytest.mark.usefixtures("one_thread")
def test_a_flipped_bit_before_training_or_evaluation_is_healed_or_refused(learned, tmp_path):
    ends = Counter(flip_learned(learned, tmp_path / str(number), number) for number in range(8))
    print(dict(ends))
    assert min(ends["healed"], ends["refused"]) > 0


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_hundreds_of_flipped_bits_before_training_are_healed_or_refused(learned, tmp_path):
    ends = Counter(flip_learned(learned, tmp_path / str(number), number) for number in range(20, 170))
    print(dict(ends))
    assert min(ends["healed"], ends["refused"]) > 10
