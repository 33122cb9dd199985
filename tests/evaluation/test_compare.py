"""Several models on the same pictures: their names, the table, the numbers and the contact sheet."""

import json
from dataclasses import asdict

import pytest
import torch
from made import find_picture, packed, run_prep
from typer.testing import CliRunner

from pipeline.batches.dataset import Pairs
from pipeline.errors import Halt
from pipeline.evaluation.compare import (
    NUMBERS_FILE,
    PICTURES_FILE,
    TABLE_FILE,
    ModelResult,
    compare_models,
    comparison_table,
    write_comparison,
)
from pipeline.evaluation.labels import MODEL
from pipeline.evaluation.pictures import models_sheet
from pipeline.evaluation.protocol import Evaluation, evaluate_model
from pipeline.evaluation.seen import find_seen
from pipeline.images import codec
from pipeline.models.folder import save_model
from pipeline.params import Evaluate, Model
from pipeline.systems import SYSTEMS, system
from stages.prep import app

PARAMS = Evaluate(lpips="none", inception="none", resamples=100, rows=2)
SIDE = 32
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a dataset, and a small model of every system that was trained on it, but nerk on another."""
    folder = tmp_path_factory.mktemp("compare")
    data = packed(folder / "pairs")
    for name in SYSTEMS:
        shape = Model(system=name, width=4, depth=4)
        torch.manual_seed(0)
        networks = system(name).networks(shape)
        trained = {
            "dataset": "another" if name == "nerk" else Pairs(data, "test", "b7").fingerprint,
            "side": SIDE,
            "columns": {},
            "train": {"vgg": "none", "batch": 4},
            "validation": {"step": 500, "val_psnr": 20.0, "val_l1": 0.1},
            "parameters": {"generator": 1_234_567},
        }
        save_model(folder / name, networks[0].state_dict(), asdict(shape) | trained, "")
    return folder


@pytest.fixture(scope="module")
def results(folder):
    """Compare all."""
    return compare_models(folder / "pairs", [folder / name for name in SYSTEMS], PARAMS)


def cells(text, label):
    """Return the cells of the rows of Markdown that begin with a label."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return [row[1:] for row in rows if row[0] == label]


def test_models_are_named_by_their_folders_and_measured_as_evaluate_does(results, folder):
    assert [result.name for result in results] == list(SYSTEMS)
    alone = evaluate_model(folder / "pairs", folder / "liu", PARAMS)
    assert results[list(SYSTEMS).index("liu")].evaluation.summary == alone.summary


def test_the_table_has_a_row_for_each_model_in_each_of_its_conditions(results):
    text = comparison_table(results)
    for result in results:
        rows = cells(text, result.name)
        conditions = result.evaluation.summary["conditions"]
        gain = "{mean:+.2f} [{low:+.2f}, {high:+.2f}]".format
        assert rows[0][1:] == ["1.23 M", "2,000", gain(**conditions["paired"]["gain"])]
        psnr = "{mean:.2f} [{low:.2f}, {high:.2f}]".format
        expected = {
            (psnr(**each["scores"][MODEL]["psnr"]), gain(**each["gain"])) for each in conditions.values()
        }
        assert {(row[0], row[-1]) for row in rows[1:]} == expected
        assert len(rows) == 1 + len(conditions)


def test_models_of_the_same_guide_share_a_table_whatever_they_call_the_condition(results):
    """The guide of pix2pix and of wash is a cue, that of scft a reference, which wash takes as well."""
    text = comparison_table(results)
    for guide, models in {
        "cue": ["pix2pix", "wash"],
        "strokes": ["pix2pix", "wash"],
        "reference": ["nerk", "liu", "scft", "wash"],
        "different": ["nerk", "liu", "scft", "wash"],
        "gray": ["mask"],
        "none": ["wash"],
    }.items():
        part = text.partition(f"(`{guide}`)")[2].partition("\n#")[0]
        assert [name for name in SYSTEMS if cells(part, name)] == models


def test_a_baseline_that_systems_share_has_one_row_in_each_condition(results):
    text = comparison_table(results)
    assert len(cells(text, "*cue*")) == len(cells(text, "*gray*")) == 1
    assert len(cells(text, "*fill*")) == 2  # strokes and points, of pix2pix and of wash
    assert len(cells(text, "*reference*")) == 2  # paired and different


def test_the_table_names_absent_measures_and_models_without_vgg_or_of_another_dataset(results):
    text = comparison_table(results)
    assert "- no `different`: the model takes no reference (pix2pix, mask)" in text
    assert f"- no `lpips`: evaluate.lpips is none: set it to a file of weights ({', '.join(SYSTEMS)})" in text
    assert cells(text, "nerk")[0][0] == "nerk, trained on another dataset, which may have these pictures"
    assert cells(text, "liu")[0][0] == "liu main, no VGG"
    assert cells(text, "mask")[0][0] == "mask"


def test_the_table_has_the_psnr_of_each_artist_if_there_are_several(results):
    def with_psnr(result, *psnr):
        artists = zip(("nib", "nib", "a|b"), psnr, strict=True)
        rows = [
            {"condition": "paired", "by": MODEL, "artist": artist, "psnr": value} for artist, value in artists
        ]
        return ModelResult(result.name, result.config, Evaluation(rows, result.evaluation.summary))

    assert "by artist" not in comparison_table(results)  # the rows name none
    text = comparison_table([with_psnr(results[0], 10.0, 11.0, 30.0), with_psnr(results[1], 20.0, 22.0, 5.0)])
    assert cells(text, "`nib`") == [["2", "10.50", "21.00"]]
    assert "| 1 | 30.00 | 5.00 |" in text


def test_the_contact_sheet_shows_the_result_of_each_model_for_each_sketch(results):
    page = models_sheet({result.name: result.evaluation for result in results})
    for result in results:
        for samples in result.evaluation.samples.values():
            for sample in samples.values():
                assert find_picture(page, sample.pictures[MODEL])


def test_the_written_files_can_be_read_again_and_plotted(results, tmp_path):
    write_comparison(results, tmp_path)
    assert (tmp_path / TABLE_FILE).read_text() == comparison_table(results)
    page = models_sheet({result.name: result.evaluation for result in results})
    assert (codec.decode((tmp_path / PICTURES_FILE).read_bytes()) == page).all()
    numbers = json.loads((tmp_path / NUMBERS_FILE).read_bytes())
    assert [row["model"] for row in numbers["rows"]] == list(SYSTEMS)
    assert len({tuple(row) for row in numbers["rows"]}) == 1  # or DVC plots none
    for row, result in zip(numbers["rows"], results, strict=True):
        paired = result.evaluation.summary["conditions"]["paired"]
        assert row["paired_psnr"] == paired["scores"][MODEL]["psnr"]["mean"]
        assert numbers["found"][result.name] == result.evaluation.summary


def test_two_models_with_the_same_name_are_refused(folder):
    with pytest.raises(Halt, match="two of the models are named alike"):
        compare_models(folder / "pairs", [folder / "liu", folder / "." / "liu"], PARAMS)


@pytest.fixture(scope="module")
def elsewhere(folder):
    """Pack another dataset, whose training had the first of the three test pictures, and a model of it."""
    data = packed(folder / "others", train=10, val=0, test=2)
    config = json.loads((folder / "mask" / "config.json").read_bytes())
    (folder / "stranger").mkdir()
    config["dataset"] = Pairs(data, "test", "b7").fingerprint
    (folder / "stranger" / "config.json").write_text(json.dumps(config))
    (folder / "stranger" / "model.safetensors").symlink_to(folder / "mask" / "model.safetensors")
    return data


def test_models_of_different_datasets_are_compared_on_pictures_that_none_has_seen(folder, elsewhere):
    models = [folder / "mask", folder / "stranger"]
    found = compare_models(folder / "pairs", models, PARAMS, trained_on=[elsewhere])
    assert [(each.seen, each.left_out) for each in found] == [(0, 1), (1, 1)]
    for each in found:
        assert {row["key"] for row in each.evaluation.rows} == {"010", "011"}  # 009 was in training elsewhere
    assert found[0].evaluation.summary["conditions"] == found[1].evaluation.summary["conditions"]
    text = comparison_table(found)
    assert text.startswith("2 test pictures of 32 px (1 that a model has seen in training are left out); ")
    assert cells(text, "stranger")[0][0].endswith(
        "trained on another dataset, which had 1 of the test pictures"
    )


def test_a_dataset_that_no_model_was_trained_on_is_refused_and_so_is_one_that_shows_all(folder, elsewhere):
    with pytest.raises(Halt, match=r"none of the models was trained on .*others as it is now"):
        compare_models(folder / "pairs", [folder / "mask"], PARAMS, trained_on=[elsewhere])
    data = packed(folder / "few", train=0, val=0, test=1)  # 000, which training had elsewhere
    with pytest.raises(Halt, match=r"the models have seen all test pictures of .*few"):
        compare_models(data, [folder / "stranger"], PARAMS, trained_on=[elsewhere])


def test_copies_variants_and_their_groups_are_seen_too():
    seen = {("key", "1"), ("family", "7"), ("md5", "a"), ("pixel_hash", "p")}
    tested = {
        "1": {}, "2": {"family": 7}, "3": {"md5": "a"}, "4": {"pixel_hash": "p", "group": "g"},
        "5": {"group": "g"}, "6": {"family": 8, "md5": "b", "pixel_hash": "q", "group": "h"}, "7": {},
    }  # fmt: skip
    assert find_seen(tested, seen) == {"1", "2", "3", "4", "5"}


def test_the_command_writes_three_files_and_prints_the_gains(folder, tmp_path):
    words = ["compare", str(folder / "pairs"), str(folder / "mask"), str(folder / "pix2pix")]
    run = CliRunner().invoke(app, [*words, "--to", str(tmp_path / "out"), "--device", "cpu"])
    assert run.exit_code == 0, run.output
    assert "compare: 2 models on 3 test pictures against their best baselines: mask " in run.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {TABLE_FILE, NUMBERS_FILE, PICTURES_FILE}


def test_evaluate_says_that_a_model_was_trained_on_another_dataset(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)  # which has no params.yaml
    for name in ("pix2pix", "nerk"):
        words = ["evaluate", folder / "pairs", folder / name, "--lpips", "none", "--inception", "none"]
        code, _, err = run_prep(capsys, *words, "--resamples", "100", "--device", "cpu")
        assert code == 0, err
        other = f"evaluate: {folder / name} was trained on another dataset, which may have these pictures\n"
        assert err == (other if name == "nerk" else "")
