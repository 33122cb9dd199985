"""A project of two commits and an experiment, whose results are in DVC's remote alone."""

import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest
from made import packed

from pipeline import files

PICTURES = range(3, 23)  # 9, 10 and 11 are the test pictures of the packed dataset
RUNS = (("one", 20, 128, {}), ("two", 20, 128, {}), ("b9", 21, 256, {9: 3, 10: -3}))  # tags and an experiment


def write_run(folder, psnr, side=128, keys=PICTURES, changes=()):
    """Write what a run leaves of itself: parameters, counts, and a table of measures with some changes."""
    from pipeline.evaluation.summary import to_parquet

    rows = [
        {"condition": "paired", "guide": "cue", "key": f"{key:03d}", "artist": "<script>", "by": "model"}
        | {"psnr": psnr + key % 3 + dict(changes).get(key, 0), "source": ""}
        for key in keys
    ]
    files.write(folder / "data" / "evaluate.parquet", to_parquet(rows))
    files.write(folder / "params.yaml", f"clean:\n  side: {side}\n".encode())
    files.write_json(folder / "metrics" / "search.json", {"posts": side, "skipped": {}})
    files.write_json(folder / "metrics" / "evaluate.json", {"psnr_db": psnr})
    curve = f"step\tval_psnr\n10\t{psnr - 1}\n20\tnan\n30\t{psnr}\n"
    files.write(folder / "metrics" / "train" / "plots" / "metrics" / "val_psnr.tsv", curve.encode())


def write_model(folder):
    """Save a small model that colors by a cue."""
    import torch  # takes seconds, and few tests need it

    from pipeline.models.folder import save_model
    from pipeline.params import Model
    from pipeline.systems import system

    shape = Model(system="pix2pix", width=4, depth=4, sketch="b7")
    torch.manual_seed(0)
    network, _ = system("pix2pix").networks(shape)
    save_model(folder, network.state_dict(), asdict(shape) | {"side": 32, "columns": {}}, "")


@pytest.fixture(scope="module")
def committed(tmp_path_factory, one_thread):
    """Make the project and stand in it."""
    from dvc.cli import main as dvc  # takes half a second

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
