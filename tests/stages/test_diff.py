"""prep diff: two revisions, experiments or folders, and what cannot be compared."""

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from dvc.cli import main as dvc
from made import find_picture, packed, run_prep, sample

from pipeline import files
from pipeline.evaluation.summary import to_parquet
from pipeline.images import codec
from pipeline.models.folder import save_model
from pipeline.params import Model
from pipeline.systems import system

PICTURES = range(3, 23)  # 9, 10 and 11 are the test pictures of the packed dataset
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC itself
RUNS = (("one", 20, 128, {}), ("two", 20, 128, {}), ("b9", 21, 256, {9: 3, 10: -3}))  # tags and an experiment


def write_run(folder, psnr, side=128, keys=PICTURES, changes=()):
    """Write what a run leaves of itself: parameters, counts, and a table of measures with some changes."""
    rows = [
        {"condition": "paired", "guide": "cue", "key": f"{key:03d}", "artist": "<script>", "by": "model"}
        | {"psnr": psnr + key % 3 + dict(changes).get(key, 0), "source": ""}
        for key in keys
    ]
    files.write(folder / "data" / "evaluate.parquet", to_parquet(rows))
    files.write(folder / "params.yaml", f"clean:\n  side: {side}\n".encode())
    files.write_json(folder / "metrics" / "search.json", {"posts": side, "skipped": {}})


def write_model(folder):
    """Save a small model that colors by a cue."""
    shape = Model(system="pix2pix", width=4, depth=4, sketch="b7")
    torch.manual_seed(0)
    network, _ = system("pix2pix").networks(shape)
    save_model(folder, network.state_dict(), asdict(shape) | {"side": 32, "columns": {}}, "")


@pytest.fixture(scope="module")
def project(tmp_path_factory, one_thread):
    """Make a project of two commits and an experiment, whose tables are in DVC's remote alone."""
    home = tmp_path_factory.mktemp("diff")
    root = home / "project"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name, value in {
            "HOME": home, "DVC_SITE_CACHE_DIR": home / "site", "DVC_NO_ANALYTICS": 1,
            "GIT_CONFIG_NOSYSTEM": 1, "GIT_CONFIG_GLOBAL": home / "gitconfig",
        }.items():  # fmt: skip
            patch.setenv(name, str(value))
        (home / "gitconfig").write_text("[user]\nname = Ink\nemail = ink@example.org\n")
        git("init", "-q")
        assert dvc(["init", "-q"]) == 0
        packed(root / "data" / "pairs")
        write_model(root / "data" / "model")
        assert dvc(["add", "-q", "data/pairs", "data/model"]) == 0
        for tag, psnr, side, changes in RUNS:
            write_run(root, psnr, side, changes=changes)
            assert dvc(["add", "-q", "data/evaluate.parquet"]) == 0
            git("add", "-A")
            git("commit", "-qm", tag, "--allow-empty")
            if tag != "b9":
                git("tag", tag)
        two = git("rev-parse", "two").strip()
        git("update-ref", f"refs/exps/{two[:2]}/{two[2:]}/b9", "HEAD")  # as dvc exp run does
        git("reset", "-q", "--hard", "two")
        git("checkout", "-q", "--orphan", "bare")
        git("rm", "-qrf", ".")
        git("commit", "-qm", "Nothing", "--allow-empty")
        git("tag", "nothing")
        git("checkout", "-qf", "two")
        shutil.rmtree("data/pairs")
        shutil.rmtree("data/model")
        Path("data/evaluate.parquet").unlink()
        Path(".dvc/cache").rename(home / "store")
        Path(".dvc/config.local").write_text(
            f"[core]\nremote = store\n['remote \"store\"']\nurl = {home / 'store'}\n"
        )
        yield root


def git(*words):
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


def test_a_revision_is_compared_with_the_workspace_whose_table_is_in_the_remote(project, capsys):
    code, out, err = run_prep(capsys, "diff")
    assert (code, err) == (0, "")
    assert out.startswith("Not told apart: PSNR +0.00 [+0.00, +0.00] dB on 20 shared test pictures\n")
    assert "Parameters that differ: none\n" in out


def test_an_experiment_differs_by_its_parameters_counts_and_measures(project, capsys):
    code, out, _ = run_prep(capsys, "diff", "one", "b9", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["before"], found["after"], found["verdict"]) == ("one", "b9", "better")
    assert found["params"] == {"clean.side": ["128", "256"]}
    assert found["counts"] == {"search": [128, 256]}
    assert found["pictures"] == {"shared": 20, "only_before": 0, "only_after": 0}
    measures = found["conditions"][0]["measures"]
    assert measures["psnr"]["change"] == 1
    assert 0 < measures["psnr"]["low"] < 1 < measures["psnr"]["high"]
    assert next(iter(found["conditions"][0]["psnr"].items())) == ("010", [21, 19])


def test_folders_are_compared_too_and_names_do_not_become_markdown(project, capsys, tmp_path):
    for number, folder in enumerate(("a|b", "c")):
        write_run(tmp_path / folder, 20 - number, keys=range(number, 8 + 4 * number))
    code, out, _ = run_prep(capsys, "diff", tmp_path / "a|b", tmp_path / "c", "--markdown")
    assert code == 0
    assert out.startswith("### Worse: PSNR -1.00 [-1.00, -1.00] dB on 7 shared test pictures\n")
    assert "7 test pictures are shared; 1 only before and 4 only after are left out." in out
    assert "a|b" not in out
    assert "a&#124;b" in out


def test_what_changed_most_is_colored_again_by_models_from_the_remote(project, capsys, tmp_path):
    page, sheet = tmp_path / "out" / "page.html", tmp_path / "sheet.png"
    words = ["diff", "one", "b9", "--pictures", 1, "--html", page, "--sheet", sheet]
    code, out, err = run_prep(capsys, *words)
    assert code == 0
    assert out.startswith("Better: PSNR +1.00 ")
    shown = [
        codec.decode(b64decode(data))
        for data in re.findall(r'src="data:image/png;base64,(.+?)"', page.read_text())
    ]
    drawn = codec.decode(sheet.read_bytes())
    for number, tiles in ((9, shown[:5]), (10, shown[5:])):
        members = sample(number).members
        for tile, member in zip(tiles, ("sketch-b7.png", "color.png", "cue.png"), strict=False):
            assert (tile == codec.decode(members[member])).all()
        assert (tiles[3] == tiles[4]).all()  # the model is the same
        assert all(find_picture(drawn, tile) for tile in tiles)
    assert "colors 2 of 2 pictures otherwise today than when it was measured" in err  # the table is made up
    assert os.listdir(page.parent) == ["page.html"]


def test_a_page_says_which_model_is_missing_and_shows_sketch_and_original(project, capsys, tmp_path):
    for number in range(2):
        write_run(tmp_path / str(number), 20 + number, keys=range(3, 12))
        packed(tmp_path / str(number) / "data" / "pairs", train=3, val=0, test=9)
    code, _, err = run_prep(capsys, "diff", tmp_path / "0", tmp_path / "1", "--html", tmp_path / "page.html")
    assert code == 0
    for number in range(2):
        assert f"made are not shown: {tmp_path / str(number)} has no data/model/config.json" in err
    page = (tmp_path / "page.html").read_text()
    assert page.count("made are not shown") == 2
    assert page.count("data:image/png") == 6  # sketch and original of those that gained most


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nix"], "nix is no revision, no experiment and no folder of a project"),
        (["one", "data"], "data is no revision, no experiment and no folder of a project"),
        (["nothing", "one"], "nothing has no data/evaluate.parquet in its folder, the cache or the remote"),
        (["one", "other"], "no test picture is shared"),
        (["one", "two"], "there is no picture to draw to "),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(project, capsys, tmp_path, words, sentence):
    write_run(project / "other", 20, keys=range(90, 99))
    code, out, err = run_prep(capsys, "diff", *words, "--sheet", tmp_path / "sheet.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"prep: {sentence}")
    assert not list(tmp_path.iterdir())
