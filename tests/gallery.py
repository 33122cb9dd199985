"""A small project as `prep init` begins it and the stages fill it, for the screens that look at a dataset."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from made import picture
from project import ENVIRONMENT, nursery
from ruamel.yaml import YAML

from pipeline import files
from pipeline.images import png

SCRIPT = "<script>document.title='gone'</script>"
CHANGED = {  # parameters that differ from those of a new project
    "search": {"size": 1, "score": 0},
    "clean": {"side": 64, "smallest": 1, "blur": 99.0},
    "pack": {"val": 20.0, "test": 20.0, "shards": 2},
}
AUTHOR = ("-c", "user.name=Ink", "-c", "user.email=ink@example.org")
STAGES = (
    ("search", "data/posts.jsonl"),
    ("fetch", "data/posts.jsonl", "data/original", "--ledger", "data/fetch.tsv"),
    ("clean", "data/original", "data/color"),
    ("sketchify", "data/color", "data/sketch/b7", "--entry", "b7"),
    ("cue", "data/color", "data/cue"),
    ("reference", "data/color", "data/reference"),
    ("pack", "data/color", "data/sketch", "data/cue", "data/reference", "data/pairs", "--history", "metrics"),
)


def paint_pictures(folder: Path, count: int) -> None:
    """Write pictures in families of three, a broken one, a duplicate, and twins in color and in light."""
    made = [picture(number, 96, 80) for number in range(count)]
    made += [made[0][..., [1, 2, 0]], np.clip(made[0].astype(int) + 6, 0, 255).astype(np.uint8), made[1]]
    for number, pixels in enumerate(made, 1):
        data = png.encode_png(pixels)
        facts = {"id": number, "parent_id": number - number % 3 or number, "score": number}
        facts |= {"tag_string_general": f"solo {'even' if number % 2 == 0 else SCRIPT}"}
        facts |= {"tag_string_artist": f"artist_{number % 2}"}
        files.write(folder / f"{number:04d}.png", data[:900] if number == 4 else data, sync=False)
        files.write(folder / f"{number:04d}.json", files.dumps(facts), sync=False)


def make_project(home: Path, count: int = 24) -> Path:
    """Make a project in `home`/project, from search to pack, committed, and with clean.complexity changed."""
    paint_pictures(home / "pictures", count)
    project = home / "project"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "DVC_SITE_CACHE_DIR", str(home / "site"))
        fill(home, project)
    return project


def fill(home: Path, project: Path) -> None:
    """Run the stages, commit what they made, and change a parameter after that."""
    with nursery() as run:
        succeed(run(["init", "project", "--host", "pictures"], home))
        change_params(project, CHANGED)
        for command, *words in STAGES:
            metrics = ("--metrics", f"metrics/{command}{'-b7' if command == 'sketchify' else ''}.json")
            succeed(run([command, *words, *metrics], project))
    for words in (("add", "--all"), ("commit", "--quiet", "--message", "first")):
        subprocess.run(["git", *AUTHOR, *words], cwd=project, check=True)
    change_params(project, {"clean": {"complexity": 30.0}})


def succeed(done) -> None:
    assert done.code == 0, done.said


def change_params(project: Path, changed: dict[str, dict]) -> None:
    """Change values of params.yaml, and keep its comments."""
    yaml, file = YAML(), project / "params.yaml"
    params = yaml.load(file)
    for section, values in changed.items():
        params[section].update(values)
    params["sketches"] = {"b7": params["sketches"]["b7"]}
    with file.open("w", encoding="utf-8") as text:
        yaml.dump(params, text)
