"""Every trace of a forgotten post is found by what it was made from: no byte of a project shows it."""

import hashlib
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from made import picture, process

from pipeline import files
from pipeline.evaluation.summary import to_parquet
from pipeline.images import png
from pipeline.operators import cue, sketch, warp
from pipeline.packing.pack import pack_columns
from pipeline.params import Cue, Fetch, Pack, Reference, Sketch
from pipeline.run.step import Step
from pipeline.shards.column import find_sample, list_shards
from pipeline.shards.relatives import pair_relatives
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.sources.checks import WantedFile
from pipeline.sources.store import Store
from pipeline.upkeep.forget import forget_posts
from pipeline.upkeep.traces import count_unnamed, shows

POSTS = range(1, 13)  # families of three
ARTIST = "red_fox"  # drew the forgotten post
FORGOTTEN = 5
PLACES = {"params": Path("params.yaml"), "posts": Path("data/posts.jsonl"), "data": Path("data")}
PLACES |= {"cache": Path(".prep"), "metrics": Path("metrics")}


def encoded(number):
    return png.encode_png(picture(number))


def md5(data):
    return hashlib.md5(data).hexdigest()


def address(number):
    return f"/pictures/{number}.png"


def metadata_of(number):
    artist = ARTIST if number == FORGOTTEN else f"hand_{number}"
    return {
        "id": number,
        "family": (number - 1) // 3,
        "artist": artist,
        "file_md5": md5(encoded(number)),
        "pixels": "",
    }


def bend(seed):
    """Make the reference column, with a picture of a relative in each sample."""
    step = Step(warp.make_reference, Reference(subject="family", seed=seed), extra="relative")
    view = partial(pair_relatives, seed=seed)
    return process(step, Path("data/color"), Path("data/reference"), view, cache=Path(".prep"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Enter a project with family references, an evaluated table, and the downloads of a killed fetch."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("search:\n  host: sample\n", encoding="utf-8")
    posts = [
        {"id": n, "file_url": address(n), "tag_string_artist": metadata_of(n)["artist"]}
        | {"sketch_url": f"/sketches/{n}.png"}
        for n in POSTS
    ]
    files.write(Path("data/posts.jsonl"), b"".join(files.dumps(post) + b"\n" for post in posts))
    samples = [Sample(f"{n:09d}", {"png": encoded(n), "json": files.dumps(metadata_of(n))}) for n in POSTS]
    shards = [write_shard(Path(f"data/color/00000{n}.tar"), samples[4 * n : 4 * n + 4]) for n in range(3)]
    seal_column(Path("data/color"), shards, len(samples), {})
    for seed in (1, 0):  # the memo keeps both
        bend(seed)
    process(Step(cue.make_cue, Cue()), Path("data/color"), Path("data/cue"), cache=Path(".prep"))
    process(
        Step(sketch.make_sketch, Sketch()), Path("data/color"), Path("data/sketch-b7"), cache=Path(".prep")
    )
    colored = [Sample(f"{n:09d}", {"png": encoded(n)}) for n in POSTS]  # as colorize and flats write them
    shard = write_shard(Path("data/colored/000000.tar"), colored)
    seal_column(Path("data/colored"), [shard], len(colored), {})
    columns = {name: Path("data", name) for name in ("color", "sketch-b7", "cue", "reference")}
    pack_columns(columns, Path("data/pairs"), Pack())
    rows = [{"key": f"{n:09d}", "artist": metadata_of(n)["artist"], "psnr": 1.0} for n in POSTS]
    files.write(Path("data/evaluate.parquet"), to_parquet(rows))
    files.write(
        Path("metrics/evaluate.tsv"),
        b"key\tbaseline\tpsnr\n" + b"".join(b"%09d\t1.0\t2.0\n" % n for n in POSTS),
    )
    files.write(Path("metrics/samples.png"), encoded(FORGOTTEN))
    kill_fetch()
    return tmp_path


def kill_fetch():
    """Leave what a killed fetch leaves of posts without a published md5: files, notes, and a part."""
    store = Store(SimpleNamespace(host="http://127.0.0.1:1"), Path(".prep"), Fetch())
    for n in (FORGOTTEN, FORGOTTEN + 1):
        for url, data in ((address(n), encoded(n)), (f"/sketches/{n}.png", encoded(n + 100))):
            part = Path(".prep", "part")
            files.write(part, data)
            store.adopt(WantedFile(url, "png"), part, md5(data))
        part = store.record("names", WantedFile(f"{address(n)}?small", "png"))
        files.write(part.with_name(f"{part.name}.part"), encoded(n)[:700])


def shown_by(number):
    """Return the key of the post whose picture is the reference of a sample."""
    shard, row = find_sample(Path("data/reference"), f"{number:09d}")
    [sample] = shard.read([row])
    return int(sample.metadata["relative"])


def traces():
    """List the files that still show the forgotten post, in their name or inside."""
    drawn, sketch = encoded(FORGOTTEN), encoded(FORGOTTEN + 100)
    words = [rb"(?<!\d)%09d(?!\d)" % FORGOTTEN, ARTIST.encode(), md5(drawn).encode(), md5(sketch).encode()]
    words += [re.escape(data[40:700]) for data in (drawn, sketch)]
    pattern = re.compile(b"|".join(words), re.DOTALL)
    paths = sorted(path for path in Path().rglob("*") if path.is_file())
    return [path for path in paths if pattern.search(bytes(path) + b"\n" + path.read_bytes())]


def test_a_reference_says_whose_picture_it_is(project):
    """Its pixels are bent and tinted: it is made again from the color that it names."""
    for shard in list_shards(Path("data/reference")):
        for sample in shard:
            metadata = sample.metadata
            assert metadata["subject"] == "family"
            relative = int(metadata["relative"])
            assert relative != int(sample.key)
            again = warp.make_reference(
                encoded(0), sample.key, Reference(subject="family"), encoded(relative)
            )
            assert png.encode_png(again.picture) == sample.picture


def test_no_byte_of_the_project_shows_a_forgotten_post(project):
    showing = [n for n in POSTS if shown_by(n) == FORGOTTEN]
    assert showing
    assert len(traces()) > 10
    forget_posts([str(FORGOTTEN)], **PLACES)
    assert traces() == []
    gone = {f"{n:09d}" for n in (FORGOTTEN, *showing)}
    for column, missing in (
        ("color", {f"{FORGOTTEN:09d}"}),
        ("colored", {f"{FORGOTTEN:09d}"}),
        ("reference", gone),
        ("pairs", gone),
    ):
        keys = {row.key for shard in list_shards(Path("data", column)) for row in shard.rows}
        assert keys == {f"{n:09d}" for n in POSTS} - missing
    assert not list(Path().rglob("*.part"))
    assert not list(Path("metrics").rglob("*.png"))


def test_the_memo_keeps_no_reference_that_shows_it(project):
    forget_posts([str(FORGOTTEN)], **PLACES)
    held = [warp.make_reference(b"", f"{n:09d}", Reference(seed=seed), encoded(FORGOTTEN))
            for n in POSTS for seed in (0, 1)]  # fmt: skip
    pictures = {png.encode_png(each.picture) for each in held}
    made = [path.read_bytes() for path in Path(".prep/steps").rglob("*.tar")]
    assert made
    assert not any(each in data for each in pictures for data in made)


def test_the_neighbors_stay_in_the_cache(project):
    forget_posts([str(FORGOTTEN)], **PLACES)
    for data in (encoded(FORGOTTEN + 1), encoded(FORGOTTEN + 101)):
        assert Path(".prep/files", md5(data)[:2], f"{md5(data)}.png").read_bytes() == data


def test_references_of_older_versions_may_show_anything():
    old = {"subject": "family", "points": []}
    assert shows(old, {"1"})
    assert shows({"family": 1, "reference": old}, {"1"})
    assert not shows(old | {"relative": "2"}, {"1"})
    assert shows({"reference": old | {"relative": "1"}}, {"1"})
    assert not shows({"subject": "own"}, {"1"})


def test_downloads_that_no_post_names_are_counted(project):
    posts = [{"id": n, "file_url": address(n), "sketch_url": f"/sketches/{n}.png"} for n in POSTS]
    assert count_unnamed(Path(".prep"), posts, Path("nowhere")) == 0
    assert count_unnamed(Path(".prep"), [], Path("nowhere")) == 4
    assert count_unnamed(Path(".prep"), [], Path("data")) == 2  # of the sketches
    files.write(Path(".prep/files/ab", "ab" * 16 + ".png"), b"")
    assert count_unnamed(Path(".prep"), posts, Path("nowhere")) == 1
