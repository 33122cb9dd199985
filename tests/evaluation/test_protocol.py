"""The protocol: its conditions, baselines computed by hand, intervals, reasons for absent measures."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from made import packed, sample
from pyarrow import parquet

from pipeline.batches.dataset import Pairs, to_tensor
from pipeline.batches.loader import single_pass
from pipeline.errors import Halt
from pipeline.evaluation import measures
from pipeline.evaluation.learned import LearnedMeasures
from pipeline.evaluation.protocol import OtherReferences, baselines, evaluate_model
from pipeline.evaluation.summary import MODEL, to_parquet
from pipeline.images import codec
from pipeline.models.folder import load_model, save_model
from pipeline.models.tiles import colorize_picture
from pipeline.params import Evaluate, Model
from pipeline.systems import system

PARAMS = Evaluate(lpips="none", inception="none", resamples=100)
UNSEEN = replace(PARAMS, unseen="b5")
GUIDES = {"pix2pix": "cue", "liu": "reference", "mask": "mask"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    """Save a small model of a system, whose weights are large enough to make a picture."""

    def make(name="pix2pix", sketch="b7"):
        folder = tmp_path_factory.mktemp(name)
        shape = Model(system=name, width=4, depth=4, sketch=sketch)
        torch.manual_seed(0)
        network, _ = system(name).networks(shape)
        for parameter in network.parameters():
            parameter.data *= 2
        trained = {"dataset": Pairs(data, "test", "b7").fingerprint, "side": 32, "columns": {}}
        config = asdict(shape) | trained | {"train": {"vgg": "none"}}
        save_model(folder, network.state_dict(), config, "")
        return folder

    return make


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Make a random picture."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def members(number):
    """Decode the pictures of a sample."""
    return {name: codec.decode(data) for name, data in sample(number).members.items() if name != "json"}


def test_the_test_split_is_measured_against_the_originals(data, model):
    folder = model()
    found = evaluate_model(data, folder, PARAMS, batch=2)
    assert found.summary["images"] == 3
    generator, config = load_model(folder)
    for number in (9, 10, 11):
        given, shown = members(number), found.pictures[f"{number:03d}"]
        assert list(shown) == ["sketch", "cue", "colored", "original"]
        assert (shown["sketch"] == given["sketch-b7.png"][..., 0]).all()
        assert (shown["cue"] == given["cue.png"]).all()
        assert (shown["original"] == given["color.png"]).all()
        alone = colorize_picture(generator, config, {"sketch": shown["sketch"], "cue": shown["cue"]})
        np.testing.assert_allclose(alone.astype(int), shown["colored"], atol=1)
        rows = {row["by"]: row for row in found.rows if row["key"] == f"{number:03d}"}
        assert rows[MODEL]["psnr"] == measures.psnr(shown["original"], shown["colored"])
        assert rows["cue"]["psnr"] == measures.psnr(shown["original"], shown["cue"])


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        ("pix2pix", {"paired", "unseen"}),
        ("nerk", {"paired", "different", "unseen"}),
        ("liu", {"paired", "different", "unseen"}),
        ("scft", {"paired", "different", "unseen"}),
        ("mask", {"paired"}),
    ],
)
def test_each_system_is_measured_under_the_conditions_that_it_allows(data, model, name, conditions):
    found = evaluate_model(data, model(name), UNSEEN)
    assert {row["condition"] for row in found.rows} == conditions
    assert conditions == {"paired", "different", "unseen"} - set(found.summary["absent"])
    assert found.summary["system"] == name
    assert found.summary["vgg"] == ("none" if system(name).vgg else "not in this system")
    assert all(len(found.summary[condition]) > 1 for condition in conditions)  # the model and baselines


def test_the_summary_is_the_mean_of_the_rows_with_its_interval(data, model):
    found = evaluate_model(data, model("liu"), PARAMS)
    for condition in ("paired", "different"):
        for by in (MODEL, "reference", "reference_times_sketch"):
            values = [row["colors"] for row in found.rows if (row["condition"], row["by"]) == (condition, by)]
            ends = measures.bootstrap_interval(values, PARAMS.seed, PARAMS.resamples)
            colors = found.summary[condition][by]["colors"]
            assert [colors["mean"], colors["low"], colors["high"]] == pytest.approx(ends, abs=1e-4)
            assert len(values) == 3
    means = {by: scores["psnr"]["mean"] for by, scores in found.summary["paired"].items()}
    best = max(value for by, value in means.items() if by != MODEL)
    gain = found.summary["gain"]
    assert gain["mean"] == pytest.approx(means[MODEL] - best, abs=2e-4)
    psnr = {
        by: [row["psnr"] for row in found.rows if (row["condition"], row["by"]) == ("paired", by)]
        for by in means
    }
    best = max(means.keys() - {MODEL}, key=means.get)
    differences = np.subtract(psnr[MODEL], psnr[best])
    assert [gain["low"], gain["high"]] == pytest.approx(
        measures.bootstrap_interval(differences, PARAMS.seed, PARAMS.resamples)[1:], abs=1e-4
    )


def test_with_a_different_reference_the_original_is_the_goal_and_colors_are_those_of_the_reference(
    data, model
):
    found = evaluate_model(data, model("liu"), PARAMS)
    colors = {f"{number:03d}": members(number)["color.png"] for number in (9, 10, 11)}
    taken = set()
    for key, shown in found.pictures.items():
        (other,) = [name for name, color in colors.items() if (color == shown["another reference"]).all()]
        taken.add(other)
        assert other != key
        (row,) = [
            row
            for row in found.rows
            if (row["condition"], row["key"], row["by"]) == ("different", key, MODEL)
        ]
        assert row["psnr"] == measures.psnr(colors[key], shown["colored by it"])
        assert row["colors"] == measures.color_distance(shown["colored by it"], colors[other])
    assert taken == set(colors)


def test_a_different_reference_is_the_color_picture_of_another_sample(data):
    pairs = Pairs(data, "test", "b7", ("reference",))
    others = OtherReferences(pairs, seed=3)
    originals = [pairs[number]["color"] for number in range(3)]
    (batch,) = single_pass(others, 3, 0)
    for number in range(3):
        assert torch.equal(others[number]["reference"], originals[others.order[number]])
        assert torch.equal(batch["target"][number], to_tensor(originals[number].numpy()))
        assert torch.equal(batch["reference"][number], to_tensor(originals[others.order[number]].numpy()))


def test_an_unseen_sketch_is_what_the_model_gets(data, model):
    found = evaluate_model(data, model(), UNSEEN)
    for number in (9, 10, 11):
        shown = found.pictures[f"{number:03d}"]
        assert (shown["another kind of sketch"] == members(number)["sketch-b5.png"][..., 0]).all()
        assert (shown["colored from it"] != shown["colored"]).any()


def test_a_sketch_column_that_was_trained_on_does_not_count_as_unseen(data, model):
    found = evaluate_model(data, model(sketch="b7,b5"), UNSEEN)
    assert found.summary["absent"]["unseen"] == "b5 was trained on"
    assert "unseen" not in found.summary


def test_sketches_that_were_not_packed_are_absent(data, model):
    found = evaluate_model(data, model(), replace(PARAMS, unseen="b99"))
    assert found.summary["absent"]["unseen"] == "the dataset has no sketches b99"
    assert "unseen" not in found.summary


def test_a_mask_model_is_measured_inside_and_outside(data, model):
    found = evaluate_model(data, model("mask"), PARAMS)
    gray = found.summary["paired"]["gray"]
    assert gray["leakage"]["mean"] < 0.005
    assert found.summary["paired"][MODEL]["leakage"]["mean"] > gray["leakage"]["mean"]
    assert 0 < found.summary["paired"][MODEL]["inside"]["mean"] < measures.MAX_PSNR
    for shown in found.pictures.values():
        assert set(np.unique(shown["mask"])) <= {0, 255}
        assert (np.ptp(shown["goal"][shown["mask"] == 0].astype(int), axis=1) <= 1).all()


def test_measures_that_cannot_be_computed_are_absent_and_named(data, model):
    found = evaluate_model(data, model(), PARAMS)
    assert found.summary["absent"].keys() == {"different", "unseen", "ms_ssim", "lpips", "fid", "kid"}
    assert found.summary["absent"]["ms_ssim"] == f"a side of 32 is below {measures.MS_SSIM_LEAST}"
    numbers = {"psnr", "ssim", "edges", "colors", "adherence"}
    assert all(set(row) == {"condition", "key", "artist", "by"} | numbers for row in found.rows)


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
    for by, scores in found.summary["paired"].items():
        values = [row["lpips"] for row in found.rows if row["by"] == by]
        assert scores["lpips"]["mean"] == pytest.approx(sum(values) / 3, abs=1e-4)
        assert scores["fid"] >= -1e-6
        assert "kid" in scores
    # a flat cue has the mean color of its picture
    assert found.summary["paired"]["cue"]["fid"] < found.summary["paired"][MODEL]["fid"]


def test_the_baselines_are_the_guide_the_guide_under_the_lines_and_gray():
    sketch, color = picture(4, 4), picture(4, 4, 3)
    for name in ("cue", "reference"):
        guide = picture(4, 4, 3, seed=1)
        results = baselines({"sketch": sketch, name: guide, "color": color})
        assert list(results) == [name, f"{name}_times_sketch"]
        assert (results[name] == guide).all()
        under = np.round(guide / 255 * sketch[..., None])
        assert np.abs(results[f"{name}_times_sketch"] - under).max() <= 1
    results = baselines({"sketch": sketch, "mask": picture(4, 4), "color": color})
    assert list(results) == ["gray"]
    assert (np.ptp(results["gray"], axis=2) == 0).all()
    assert np.abs(results["gray"][..., 0] - color @ (0.299, 0.587, 0.114)).max() <= 1


def test_the_summary_says_whether_the_model_was_trained_on_this_dataset(data, model, tmp_path):
    folder = model()
    assert evaluate_model(data, folder, PARAMS).summary["own"]
    assert not evaluate_model(packed(tmp_path, train=5), folder, PARAMS).summary["own"]


def test_numbers_do_not_depend_on_the_batch(data, model):
    folder = model()
    one, three = (evaluate_model(data, folder, PARAMS, batch=batch).summary["paired"] for batch in (1, 3))
    assert one[MODEL]["psnr"]["mean"] == pytest.approx(three[MODEL]["psnr"]["mean"], abs=0.01)


def test_rows_can_be_written_to_a_table_and_read_again(data, model):
    rows = evaluate_model(data, model("liu"), PARAMS).rows
    assert parquet.read_table(io.BytesIO(to_parquet(rows))).to_pylist() == rows


def test_ticks_count_every_picture_under_every_condition(data, model):
    ticks = []
    evaluate_model(data, model("liu"), PARAMS, tick=lambda *progress: ticks.append(progress))
    assert ticks == [(done, 6) for done in range(1, 7)]


def test_an_empty_test_split_and_a_missing_model_are_named(tmp_path, data, model):
    with pytest.raises(Halt, match="has no split test, only train, val"):
        evaluate_model(packed(tmp_path, test=0), model(), PARAMS)
    with pytest.raises(Halt, match="is missing"):
        evaluate_model(data, tmp_path / "nowhere", PARAMS)


def test_a_test_split_of_one_picture_lends_no_reference(tmp_path, model):
    found = evaluate_model(packed(tmp_path, test=1), model("liu"), PARAMS)
    assert found.summary["absent"]["different"] == "the test split has one picture"
    assert found.summary["images"] == 1


def test_the_pictures_to_show_are_spread_over_the_split(data, model):
    found = evaluate_model(data, model(), replace(PARAMS, rows=2))
    assert list(found.pictures) == ["009", "011"]
