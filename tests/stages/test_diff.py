"""prep diff: two revisions, experiments or folders, and what cannot be compared."""

import json
import os
import re
from base64 import b64decode

import pytest
from committed import write_run
from made import find_picture, packed, run_prep, sample

from pipeline.images import codec

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC itself


def test_a_revision_is_compared_with_the_workspace_whose_table_is_in_the_remote(committed, capsys):
    code, out, err = run_prep(capsys, "diff")
    assert (code, err) == (0, "")
    assert out.startswith("Not told apart: PSNR +0.00 [+0.00, +0.00] dB on 20 shared test pictures\n")
    assert "Parameters that differ: none\n" in out


def test_an_experiment_differs_by_its_parameters_counts_and_measures(committed, capsys):
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


def test_folders_are_compared_too_and_names_do_not_become_markdown(committed, capsys, tmp_path):
    for number, folder in enumerate(("a|b", "c")):
        write_run(tmp_path / folder, 20 - number, keys=range(number, 8 + 4 * number))
    code, out, _ = run_prep(capsys, "diff", tmp_path / "a|b", tmp_path / "c", "--markdown")
    assert code == 0
    assert out.startswith("### Worse: PSNR -1.00 [-1.00, -1.00] dB on 7 shared test pictures\n")
    assert "7 test pictures are shared; 1 only before and 4 only after are left out." in out
    assert "a|b" not in out
    assert "a&#124;b" in out


def test_what_changed_most_is_colored_again_by_models_from_the_remote(committed, capsys, tmp_path):
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


def test_a_page_says_which_model_is_missing_and_shows_sketch_and_original(committed, capsys, tmp_path):
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
def test_what_cannot_be_compared_is_one_sentence(committed, capsys, tmp_path, words, sentence):
    write_run(committed / "other", 20, keys=range(90, 99))
    code, out, err = run_prep(capsys, "diff", *words, "--sheet", tmp_path / "sheet.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"prep: {sentence}")
    assert not list(tmp_path.iterdir())
