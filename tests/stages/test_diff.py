"""prep diff: two revisions, experiments or folders, and what cannot be compared."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from dvc.cli import main as dvc
from made import run_prep

from pipeline import files
from pipeline.evaluation.summary import to_parquet

PICTURES = 8
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC itself


def write_run(folder, psnr, side=128, keys=range(PICTURES)):
    """Write what a run leaves of itself: parameters, counts, and a table of measures."""
    rows = [
        {"condition": "paired", "guide": "cue", "key": f"{key:03d}", "artist": "a|b<c>", "by": "model"}
        | {"psnr": psnr + key % 3, "source": ""}
        for key in keys
    ]
    files.write(folder / "data" / "evaluate.parquet", to_parquet(rows))
    files.write(folder / "params.yaml", f"clean:\n  side: {side}\n".encode())
    files.write_json(folder / "metrics" / "search.json", {"posts": side, "skipped": {}})


@pytest.fixture(scope="module")
def project(tmp_path_factory):
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
        for tag, psnr, side in (("one", 20, 128), ("two", 20, 128), ("b9", 21, 256)):
            write_run(root, psnr, side)
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
    assert out.startswith("Not told apart: PSNR +0.00 [+0.00, +0.00] dB on 8 shared test pictures\n")
    assert "Parameters that differ: none\n" in out


def test_an_experiment_differs_by_its_parameters_counts_and_measures(project, capsys):
    code, out, _ = run_prep(capsys, "diff", "one", "b9", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["before"], found["after"], found["verdict"]) == ("one", "b9", "better")
    assert found["params"] == {"clean.side": ["128", "256"]}
    assert found["counts"] == {"search": [128, 256]}
    assert found["pictures"] == {"shared": PICTURES, "only_before": 0, "only_after": 0}
    measures = found["conditions"][0]["measures"]
    assert measures["psnr"]["change"] == measures["psnr"]["low"] == measures["psnr"]["high"] == 1
    assert found["conditions"][0]["psnr"]["001"] == [21, 22]


def test_folders_are_compared_too_and_names_do_not_become_markdown(project, capsys, tmp_path):
    for number, folder in enumerate(("a|b", "c")):
        write_run(tmp_path / folder, 20 - number, keys=range(number, PICTURES + 4 * number))
    code, out, _ = run_prep(capsys, "diff", tmp_path / "a|b", tmp_path / "c", "--markdown")
    assert code == 0
    assert out.startswith("### Worse: PSNR -1.00 [-1.00, -1.00] dB on 7 shared test pictures\n")
    assert "7 test pictures are shared; 1 only before and 4 only after are left out." in out
    assert "a|b" not in out
    assert "a&#124;b" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nix"], "nix is no revision, no experiment and no folder of a project"),
        (["one", "data"], "data is no revision, no experiment and no folder of a project"),
        (["nothing", "one"], "nothing has no data/evaluate.parquet in its folder, the cache or the remote"),
        (["one", "other"], "no test picture is shared"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(project, capsys, words, sentence):
    write_run(project / "other", 20, keys=range(90, 99))
    code, out, err = run_prep(capsys, "diff", *words, "--json")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"prep: {sentence}")
    assert os.listdir(project / "data")
