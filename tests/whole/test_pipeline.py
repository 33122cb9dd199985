"""The whole pipeline runs under DVC at a tiny size, from a folder of pictures to an evaluated model."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made import picture
from ruamel.yaml import YAML

from pipeline import files
from pipeline.images import codec, png
from pipeline.shards.column import list_shards
from pipeline.sources import posts

ROOT = Path(__file__).parent.parent.parent
TINY = {
    "search": {"tags": "", "score": 0, "size": 1, "limit": 30},
    "fetch": {"shard": 8},
    "clean": {"side": 32, "smallest": 16, "blur": 99.0},
    "pack": {"val": 20.0, "test": 20.0},
    "model": {"width": 4, "sketch": "b7"},
    "train": {"steps": 2, "batch": 2, "validate": 1},
}
COMPARE = next(
    shlex.split(line, comments=True)
    for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("dvc exp show")
)
COLUMNS = ("original", "color", "sketch/b7", "sketch/b11", "cue", "reference", "pairs")


class Clone:
    """A fresh clone of the project, with tiny parameters committed, and the commands that run in it."""

    def __init__(self, home: Path, workers: int):
        """Clone to `home`/project; the caches and the user settings of git and DVC are next to it."""
        self.path = home / "project"
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PREP_WORKERS": str(workers),
            "PREP_CACHE": str(home / "cache"),
            "PREP_DEVICE": "cpu",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "HOME": str(home),
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "OMP_NUM_THREADS": "1",
        }
        (home / "gitconfig").write_text("[user]\nname = a\nemail = a@example.com\n")
        self.path.mkdir()
        tracked = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True
        )
        for name in tracked.stdout.decode().splitlines():
            if (ROOT / name).is_file() and name != "dvc.lock" and not name.startswith("metrics/"):
                files.write(self.path / name, (ROOT / name).read_bytes())

    def run(self, *command: str) -> str:
        """Run a command and return its output."""
        done = subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stages_run(self, *command: str) -> list[str]:
        """Run a DVC command and list the stages that it ran."""
        lines = self.run("dvc", *command).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def write_params(self, change) -> None:
        """Edit params.yaml."""
        yaml = YAML(typ="safe")
        params = yaml.load(self.path / "params.yaml")
        change(params)
        yaml.dump(params, self.path / "params.yaml")

    def content(self, column: str) -> dict[str, bytes]:
        """Return the bytes of every file of a column."""
        return {path.name: path.read_bytes() for path in (self.path / "data" / column).iterdir()}


def make_tiny(home: Path, pictures: Path, workers: int) -> Clone:
    """Make a clone that prepares `pictures`."""
    clone = Clone(home, workers)

    def shrink(params):
        params["search"]["host"] = str(pictures)
        params["sketches"] = {name: params["sketches"][name] for name in ("b7", "b11")}
        for section, values in TINY.items():
            params[section] |= values

    clone.write_params(shrink)
    clone.run("git", "init", "-q")
    clone.run("git", "add", ".")
    clone.run("git", "commit", "-qm", "tiny")
    return clone


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Write 24 pictures, of which one is broken, one gray, and one a copy."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(24):
        files.write(folder / f"artist_{number:03d}.png", png.encode_png(picture(number, 48, 40)))
    files.write(folder / "artist_005.png", (folder / "artist_005.png").read_bytes()[:200])
    files.write(folder / "artist_006.png", png.encode_png(picture(6, 48, 40)[..., 0]))
    files.write(folder / "artist_007.png", (folder / "artist_001.png").read_bytes() + b"tail")
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory, pictures):
    """Run the pipeline end to end, once for all tests."""
    clone = make_tiny(tmp_path_factory.mktemp("one"), pictures, workers=2)
    stages = set(clone.stages_run("repro"))
    assert stages == {
        "code", "search", "fetch", "clean", "sketchify@b7", "sketchify@b11", "cue", "reference", "pack",
        "train", "evaluate",
    }  # fmt: skip
    clone.run("git", "add", ".")
    clone.run("git", "commit", "-qm", "run")
    return clone


def test_every_picture_is_accounted_for_from_site_to_split(clone):
    counts = {
        name: json.loads((clone.path / f"metrics/{name}.json").read_text())["counts"][0]
        for name in ("fetch", "clean", "pack")
    }
    assert counts["fetch"]["written"] == 24
    assert counts["clean"]["rejected"] == {"cannot decode": 1, "duplicate": 1, "gray": 1}
    assert (
        counts["pack"]["train"] + counts["pack"]["val"] + counts["pack"]["test"]
        == counts["clean"]["written"]
        == 21
    )
    for column in COLUMNS:
        assert list_shards(clone.path / "data" / column)


def test_a_second_repro_runs_nothing(clone):
    assert clone.stages_run("repro") == []


def test_dvc_shows_metrics_params_and_plots(clone):
    shown = json.loads(clone.run("dvc", "metrics", "show", "--json"))[""]["data"]
    assert shown["metrics/evaluate.json"]["data"]["psnr_db"] > 0
    assert shown["metrics/train/metrics.json"]["data"]["step"] == 2
    for name, file in shown.items():
        assert len(file["data"]) <= (12 if name == "metrics/evaluate.json" else 6), name
        assert {type(value) for value in file["data"].values()} <= {int, float}, name
    assert "blocksize" in clone.run("dvc", "params", "diff", "--all")
    clone.run("dvc", "plots", "show", "-o", "plots")
    page = (clone.path / "plots" / "index.html").read_text()
    assert "cdn" not in page
    for name in ("clean.png", "samples.png", "sketchify-b7.png", "complexity"):
        assert name in page


def test_the_model_colors_a_picture_of_any_size(clone, tmp_path):
    files.write(tmp_path / "girl.png", png.encode_png(picture(1, 71, 33)[..., 0]))
    files.write(tmp_path / "cue.png", png.encode_png(picture(1, 20, 10)))
    clone.run(
        "prep",
        "colorize",
        str(tmp_path / "girl.png"),
        str(tmp_path / "out"),
        "--cue",
        str(tmp_path / "cue.png"),
    )
    assert codec.decode((tmp_path / "out/girl.png").read_bytes()).shape == (33, 71, 3)


def test_a_clone_with_other_workers_and_another_cache_makes_the_same_bytes(clone, tmp_path, pictures):
    other = make_tiny(tmp_path, pictures, workers=1)
    other.run("dvc", "repro", "pack")
    for column in COLUMNS:
        assert other.content(column) == clone.content(column)
    locks = [YAML(typ="safe").load(c.path / "dvc.lock")["stages"] for c in (clone, other)]
    assert {name: locks[0][name] for name in locks[1]} == locks[1]


def test_an_experiment_runs_only_the_stages_of_its_parameter_and_the_diff_shows_the_change(clone):
    ran = clone.stages_run("exp", "run", "pack", "-S", "sketches.b7.blocksize=9")
    assert ran == ["code", "sketchify@b7", "pack"]
    assert set(json.loads(clone.run("dvc", "status", "--json"))) == {"train", "evaluate"}
    params = json.loads(clone.run("dvc", "params", "diff", "--json"))
    assert params["params.yaml"] == {"sketches.b7.blocksize": {"old": 7, "new": 9, "diff": 2}}
    table = clone.run(*COMPARE).splitlines()
    assert {"psnr_db", "gain_db", "sketches.b7.blocksize"} <= set(" ".join(table).split())
    assert max(map(len, table)) <= 120
    metrics = json.loads(clone.run("dvc", "metrics", "diff", "--json"))
    assert "complexity_mean" in metrics["metrics/sketchify-b7.json"]
    assert "metrics/clean.json" not in metrics
    clone.run("git", "checkout", "-q", ".")
    assert clone.stages_run("repro") == []
    clone.run("dvc", "checkout")


def test_a_forgotten_post_is_removed_at_once_and_never_comes_back(clone):
    number = posts.hash_id("artist_002.png")
    before = [post["id"] for post in posts.read_posts(clone.path / "data/posts.jsonl")]
    clone.run("prep", "forget", str(number))
    name = f"{number}.".encode()
    kept = [column for column in COLUMNS if name in b"".join(clone.content(column).values())]
    assert kept == []
    assert clone.stages_run("repro", "clean") == ["search", "fetch", "clean"]
    assert json.loads((clone.path / "metrics/search.json").read_text())["counts"][0]["skipped"] == {
        "forgotten": 1
    }
    after = [post["id"] for post in posts.read_posts(clone.path / "data/posts.jsonl")]
    assert after == [each for each in before if each != number]
    assert name not in b"".join(clone.content("color").values())
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "checkout", "--force")
    assert clone.stages_run("repro") == []


def test_git_tracks_the_list_of_posts_and_no_other_data(clone):
    listed = clone.run("git", "ls-files", "data").split()
    assert [path for path in listed if not path.startswith("data/code/")] == ["data/posts.jsonl"]


def test_a_sketch_removed_from_the_parameters_leaves_nothing_in_the_dataset(clone):
    clone.write_params(lambda params: params["sketches"].pop("b11"))
    assert clone.stages_run("repro", "pack") == ["code", "pack"]
    assert not (clone.path / "data/sketch/b11").exists()
    sample = next(iter(list_shards(clone.path / "data/pairs")[0]))
    assert [name for name in sample.members if name.startswith("sketch")] == ["sketch-b7.png"]
    clone.run("git", "checkout", "-q", ".")
    shutil.rmtree(clone.path / "data" / "sketch")
    clone.run("dvc", "checkout")
