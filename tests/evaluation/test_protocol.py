"""The protocol: what models and baselines make of each guide, measures and intervals."""

import hashlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made import packed, run_prep, sample
from pyarrow import parquet
from store import upload

from pipeline.errors import Halt
from pipeline.evaluation import measures
from pipeline.evaluation.labels import MODEL
from pipeline.evaluation.learned import LearnedMeasures
from pipeline.evaluation.protocol import baselines, evaluate_model
from pipeline.evaluation.summary import to_parquet
from pipeline.images import codec
from pipeline.models.folder import load_model
from pipeline.models.inference import as_network
from pipeline.models.tiles import colorize_picture
from pipeline.params import GUIDES, Cue, Evaluate
from pipeline.systems import system
from pipeline.upkeep.publish import model_index

PARAMS = Evaluate(lpips="none", inception="none", resamples=100)
STROKES = Cue(method="strokes")


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def members(number):
    """Decode the pictures of a sample."""
    return {name: codec.decode(data) for name, data in sample(number).members.items() if name != "json"}


def scored(found, condition, by, measure):
    """List a measure of every picture, by who made it."""
    return [row[measure] for row in found.rows if (row["condition"], row["by"]) == (condition, by)]


def test_a_dataset_behind_a_url_is_measured_as_in_its_folder(bucket, data, measured):
    folder, near = measured("wash")
    far = evaluate_model(upload(data, bucket), folder, replace(PARAMS, unseen="b5"))
    assert "different" in far.summary["conditions"]  # whose references are read out of order
    assert far.rows == near.rows
    assert far.summary == near.summary


def test_the_test_split_is_measured_against_the_originals(data, model):
    folder = model()
    found = evaluate_model(data, folder, PARAMS, batch=2)
    assert found.summary["images"] == 3
    generator, config = load_model(folder)
    for number in (9, 10, 11):
        packed_as, sample = members(number), found.samples[f"{number:03d}"]["paired"]
        given, result = sample.given, sample.pictures[MODEL]
        assert (given["sketch"] == packed_as["sketch-b7.png"][..., 0]).all()
        assert (given["cue"] == packed_as["cue.png"]).all()
        assert (sample.goal == packed_as["color.png"]).all()
        alone = colorize_picture(
            as_network(generator, config), {"sketch": given["sketch"], "cue": given["cue"]}
        )
        np.testing.assert_allclose(alone.astype(int), result, atol=1)
    for by in (MODEL, "cue"):
        pictures = [each["paired"].pictures[by] for each in found.samples.values()]
        goals = [each["paired"].goal for each in found.samples.values()]
        assert scored(found, "paired", by, "psnr") == list(map(measures.psnr, goals, pictures))


@pytest.mark.parametrize("guide", ["cue", "strokes", "palette", "reference", "gray", "none"])
def test_a_model_of_several_guides_gets_each_as_a_picture_to_color_gets_it(measured, guide):
    """`colorize_picture` takes one guide by its name; strokes with their opacity, and a mask as levels."""
    folder, found = measured("wash")
    generator, config = load_model(folder)
    condition = "paired" if guide == "cue" else guide
    for samples in found.samples.values():
        given = dict(samples[condition].given)
        if guide != "gray":
            del given["color"]
        alone = colorize_picture(as_network(generator, config), given)
        np.testing.assert_allclose(alone.astype(int), samples[condition].pictures[MODEL], atol=1)


@pytest.mark.parametrize("name", ["pix2pix", "liu", "scft", "nerk", "mask", "wash"])
def test_every_condition_has_a_gain_over_baselines_that_need_no_model(measured, name):
    found = measured(name)[1].summary
    assert found["system"] == name
    assert found["vgg"] == ("none" if system(name).vgg else "not in this system")
    named = {"paired", "different", "unseen", *GUIDES}
    assert found["conditions"].keys() | found["absent"].keys() <= named | {"lpips", "fid", "kid", "ms_ssim"}
    for condition in found["conditions"].values():
        psnr = {by: scores["psnr"]["mean"] for by, scores in condition["scores"].items()}
        own = psnr.pop(MODEL)
        assert condition["gain"]["mean"] == pytest.approx(own - max(psnr.values()), abs=2e-4)


def test_means_and_gains_have_the_intervals_of_their_values(measured):
    _, found = measured("liu")

    def interval(values):
        return pytest.approx(measures.bootstrap_interval(values, PARAMS.seed, PARAMS.resamples), abs=1e-4)

    for name in ("paired", "different"):
        condition = found.summary["conditions"][name]
        for by in (MODEL, "reference", "reference_times_sketch"):
            values = scored(found, name, by, "colors")
            assert list(condition["scores"][by]["colors"].values()) == interval(values)
            assert len(values) == 3
        psnr = {by: np.array(scored(found, name, by, "psnr")) for by in condition["scores"]}
        best = max(psnr.keys() - {MODEL}, key=lambda by: psnr[by].mean())
        assert list(condition["gain"].values()) == interval(psnr[MODEL] - psnr[best])


def test_with_a_different_reference_the_original_is_the_goal_and_colors_are_those_of_the_reference(measured):
    _, found = measured("liu")
    for number, samples in zip((9, 10, 11), found.samples.values(), strict=True):
        sample, own = samples["different"], members(number)["color.png"]
        assert (sample.goal == own).all()
        assert (sample.given["reference"] != own).any()
    pictures = [each["different"] for each in found.samples.values()]
    expected = [measures.color_distance(each.pictures[MODEL], each.given["reference"]) for each in pictures]
    assert scored(found, "different", MODEL, "colors") == expected


def test_an_unseen_sketch_is_what_the_model_gets(measured):
    _, found = measured("pix2pix")
    for number, samples in zip((9, 10, 11), found.samples.values(), strict=True):
        unseen = samples["unseen"]
        assert (unseen.given["sketch"] == members(number)["sketch-b5.png"][..., 0]).all()
        assert (unseen.pictures[MODEL] != samples["paired"].pictures[MODEL]).any()


@pytest.mark.parametrize(("name", "condition"), [("mask", "paired"), ("wash", "gray")])
def test_a_gray_picture_is_measured_inside_and_outside_its_mask(measured, name, condition):
    _, found = measured(name)
    scores = found.summary["conditions"][condition]["scores"]
    assert scores["gray"]["leakage"]["mean"] < 0.005
    assert 0 < scores[MODEL]["inside"]["mean"] < measures.MAX_PSNR
    if name == "mask":  # wash takes colors within the mask alone
        assert scores[MODEL]["leakage"]["mean"] > scores["gray"]["leakage"]["mean"]
    for samples in found.samples.values():
        sample = samples[condition]
        mask = sample.given["mask"]
        assert set(np.unique(mask)) == {0, 255}
        assert (np.ptp(sample.goal[mask == 0].astype(int), axis=1) <= 1).all()
        inside = (sample.goal - sample.given["color"].astype(int))[mask > 0]
        assert np.abs(inside).max() <= 1


def test_measures_that_cannot_be_computed_are_absent_and_named(data, model):
    found = evaluate_model(data, model(), PARAMS)
    assert found.summary["absent"].keys() == {
        "different", "unseen", "none", "ms_ssim", "lpips", "fid", "kid"
    }  # fmt: skip
    assert found.summary["absent"]["ms_ssim"] == f"a side of 32 is below {measures.MS_SSIM_LEAST}"
    numbers = {"psnr", "ssim", "edges", "colors", "adherence"}
    origin = {"condition", "guide", "key", "artist", "source", "by"}
    assert all(set(row) == origin | numbers for row in found.rows)


def test_the_original_is_0_levels_from_the_strokes_that_were_drawn_from_it(data, model):
    """The original has its own colors below every stroke; another color does not."""
    found = evaluate_model(data, model("wash", guides="strokes 1"), PARAMS)
    for samples in found.samples.values():
        sample = samples["paired"]
        near = measures.adherence(sample.goal, sample.given["strokes"][..., :3], STROKES, sample.key)
        assert near == 0
    assert min(scored(found, "paired", MODEL, "adherence")) > 0


def test_the_baselines_are_the_guide_and_the_guide_under_the_lines():
    sketch, color, guide = picture(4, 4), picture(4, 4, 3), picture(4, 4, 3, seed=1)
    for name in ("cue", "reference", "palette"):
        results = baselines(name, {"sketch": sketch, name: guide, "color": color})
        assert list(results) == [name, f"{name}_times_sketch"]
        assert (results[name] == guide).all()
        under = np.round(guide / 255 * sketch[..., None])
        assert np.abs(results[f"{name}_times_sketch"] - under).max() <= 1


def test_the_baseline_of_strokes_and_points_fills_them_up_to_the_lines():
    sketch, hints = np.full((32, 32), 255, np.uint8), np.zeros((32, 32, 4), np.uint8)
    sketch[:, 16] = 0
    hints[8:12, 4:8], hints[20:24, 24:28] = (200, 0, 0, 255), (0, 0, 200, 255)
    for name in ("strokes", "points"):
        results = baselines(name, {"sketch": sketch, name: hints, "color": picture(32, 32, 3)})
        assert list(results) == ["fill", "fill_times_sketch"]
        assert (results["fill"][:, :16] == (200, 0, 0)).all()
        assert (results["fill"][:, 17:] == (0, 0, 200)).all()
        assert (results["fill_times_sketch"][:, 16] == 0).all()
        assert (results["fill_times_sketch"][:, 17:] == (0, 0, 200)).all()
        hints[:, 16:] = 0
        one = baselines(name, {"sketch": sketch, name: hints, "color": picture(32, 32, 3)})
        assert (one["fill"] == (200, 0, 0)).all()  # where no hint is, too
        hints[20:24, 24:28] = (0, 0, 200, 255)


def test_without_colors_the_baselines_are_the_sketch_and_the_picture_in_gray():
    sketch, color = picture(4, 4), picture(4, 4, 3)
    results = baselines("none", {"sketch": sketch, "color": color})
    assert list(results) == ["sketch"]
    assert (results["sketch"] == sketch[..., None]).all()
    results = baselines("gray", {"sketch": sketch, "mask": picture(4, 4), "color": color})
    assert list(results) == ["gray"]
    assert (np.ptp(results["gray"], axis=2) == 0).all()
    assert np.abs(results["gray"][..., 0] - color @ (0.299, 0.587, 0.114)).max() <= 1


def test_ticks_count_every_picture_under_every_condition(data, model):
    ticks = []
    evaluate_model(data, model("liu"), PARAMS, tick=lambda *progress: ticks.append(progress))
    assert ticks == [(done, 6) for done in range(1, 7)]


def test_the_samples_that_are_kept_are_spread_over_the_split(data, model):
    found = evaluate_model(data, model(), replace(PARAMS, rows=2))
    assert list(found.samples) == ["009", "011"]


def test_with_weights_lpips_is_measured_for_every_picture_and_fid_and_kid_for_all(data, model, monkeypatch):
    class SimpleMeasures(LearnedMeasures):
        def lpips(self, first, second):
            return float(np.abs(first / 1.0 - second).mean())

        def inception_features(self, pictures):
            return torch.tensor(np.stack([image.mean((0, 1)) / 255 for image in pictures])).float()

    learned = SimpleMeasures({"lpips": None, "inception": None}, {}, {"lpips": "ab", "inception": "cd"})
    monkeypatch.setattr("pipeline.evaluation.protocol.load_measures", lambda *given: learned)
    found = evaluate_model(data, model(), PARAMS)
    assert not {"lpips", "fid", "kid"} & set(found.summary["absent"])
    assert (found.summary["lpips_sha256"], found.summary["inception_sha256"]) == ("ab", "cd")
    paired = found.summary["conditions"]["paired"]["scores"]
    for by, scores in paired.items():
        values = [row["lpips"] for row in found.rows if (row["condition"], row["by"]) == ("paired", by)]
        assert scores["lpips"]["mean"] == pytest.approx(sum(values) / 3, abs=1e-4)
        assert scores["fid"] >= -1e-6
        assert "kid" in scores
    # a flat cue has the mean color of its picture
    assert paired["cue"]["fid"] < paired[MODEL]["fid"]


def test_the_summary_says_which_model_and_whether_it_was_trained_on_this_dataset(data, model, tmp_path):
    folder = model()
    summary = evaluate_model(data, folder, PARAMS).summary
    assert summary["own"]
    assert summary["model_sha256"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert summary["dataset"] == json.loads((folder / "config.json").read_bytes())["dataset"]
    measured = {each["type"]: each["value"] for each in model_index(summary)[0]["results"][0]["metrics"]}
    scores = summary["conditions"]["paired"]["scores"][MODEL]
    assert measured == {name: scores[name]["mean"] for name in ("psnr", "ssim")}
    assert not evaluate_model(packed(tmp_path, train=5), folder, PARAMS).summary["own"]


def test_numbers_do_not_depend_on_the_batch(data, model):
    folder = model()
    one, three = (
        evaluate_model(data, folder, PARAMS, batch=batch).summary["conditions"]["paired"]["scores"][MODEL]
        for batch in (1, 3)
    )
    assert one["psnr"]["mean"] == pytest.approx(three["psnr"]["mean"], abs=0.01)


def test_rows_can_be_written_to_a_table_and_read_again(measured):
    rows = measured("liu")[1].rows
    assert parquet.read_table(io.BytesIO(to_parquet(rows))).to_pylist() == rows


def test_an_empty_test_split_and_a_missing_model_are_named(tmp_path, data, model):
    with pytest.raises(Halt, match="has no split test, only train, val"):
        evaluate_model(packed(tmp_path, test=0), model(), PARAMS)
    with pytest.raises(Halt, match="is missing"):
        evaluate_model(data, tmp_path / "nowhere", PARAMS)


def test_the_command_writes_few_numbers_to_one_file_and_all_to_another(data, model, tmp_path, capsys):
    numbers, report, sheet = (tmp_path / name for name in ("numbers.json", "report.json", "sheet.png"))
    folder = model()
    words = ["--resamples", "100", "--lpips", "none", "--inception", "none", "--device", "cpu"]
    written = ["--params", "none", "--metrics", numbers, "--report", report, "--sheet", sheet]
    code, said, _ = run_prep(capsys, "evaluate", data, folder, *words, *written)
    assert code == 0
    found = json.loads(report.read_bytes())
    assert found == evaluate_model(data, folder, PARAMS).summary
    means = found["conditions"]["paired"]["scores"][MODEL]
    assert json.loads(numbers.read_bytes())["ssim"] == means["ssim"]["mean"]
    assert f"pix2pix: {means['psnr']['mean']:.2f} dB PSNR" in said
    assert codec.decode(sheet.read_bytes()).shape[2] == 3
