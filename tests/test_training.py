"""Training: learns, stops and goes on as if nothing had happened, and leaves a model that works elsewhere."""

import json
import math

import pytest
import safetensors.torch
import torch
from test_dataset import packed

from pipeline import Halt, training
from pipeline.dataset import Pairs, once
from pipeline.params import Model, Train
from pipeline.training import export, fit, load, rate, save

MODEL = Model(width=4, depth=4)
TRAIN = Train(steps=6, batch=2, lr=1e-3, validate=2, decay="linear")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Compute in one thread: several wait for each other on tiny maps, and on a busy machine for long."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def run(data, tmp_path):
    """Train a tiny model on a name for a checkpoint, and give the records."""

    def start(name="run", train=TRAIN, **options):
        return fit(data, MODEL, train, checkpoint=tmp_path / name, **options)

    return start


class Ticks(list):
    """Note the steps that are done."""

    def __call__(self, done, total):
        """Note one."""
        assert total == TRAIN.steps
        self.append(done)


def weights(tmp_path, name):
    """Read the weights of both networks from a checkpoint."""
    state = torch.load(tmp_path / name, weights_only=True)
    return state["generator"] | {f"d.{name}": tensor for name, tensor in state["discriminator"].items()}


def test_records_tell_losses_and_validation_at_every_interval_and_the_end(run):
    records = list(run(train=Train(steps=5, batch=2, validate=2)))
    assert [record["step"] for record in records] == [2, 4, 5]
    for record in records:
        assert set(record) == {"step", "adversarial", "l1", "real", "fake", "val_psnr", "val_l1"}
        assert all(math.isfinite(value) for value in record.values())


def test_validation_equals_numpy(run, data, tmp_path):
    last = list(run())[-1]
    export(tmp_path / "run", tmp_path / "model")
    generator, _ = load(tmp_path / "model")
    psnr, l1 = [], []
    for batch in once(Pairs(data, "val", "b7"), 1, 0):
        with torch.inference_mode():
            difference = (generator(batch["sketch"], batch["cue"]) - batch["color"]).numpy() / 2
        psnr.append(-10 * math.log10((difference**2).mean()))
        l1.append(abs(2 * difference).mean())
    assert last["val_psnr"] == pytest.approx(sum(psnr) / len(psnr), rel=1e-5)
    assert last["val_l1"] == pytest.approx(sum(l1) / len(l1), rel=1e-5)


def test_a_tiny_dataset_is_learned_by_heart(tmp_path):
    data = packed(tmp_path, train=1, val=1, test=0)
    train = Train(steps=120, batch=1, lr=2e-3, validate=30)
    records = list(fit(data, Model(width=8, depth=4), train, checkpoint=tmp_path / "run"))
    assert records[-1]["l1"] < records[0]["l1"] / 2


def test_equal_seeds_give_equal_weights_and_others_do_not(run, tmp_path):
    assert list(run("one")) == list(run("two"))
    list(run("three", Train(steps=6, batch=2, lr=1e-3, validate=2, decay="linear", seed=1)))
    one, two, three = (weights(tmp_path, name) for name in ("one", "two", "three"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["down.0.0.weight"], three["down.0.0.weight"])


@pytest.mark.parametrize("stop", [1, 3, 4])
def test_a_killed_run_goes_on_as_if_undisturbed(run, tmp_path, monkeypatch, stop):
    undisturbed = list(run("whole"))
    monkeypatch.setattr(training, "EVERY", -1.0)  # a checkpoint after every step

    def kill(done, total):
        torch.rand(done)  # random numbers that others draw must not matter
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run("cut", tick=kill))
    steps = Ticks()
    assert list(run("cut", tick=steps)) == undisturbed
    assert steps == list(range(stop + 1, TRAIN.steps + 1))
    whole, cut = weights(tmp_path, "whole"), weights(tmp_path, "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_a_finished_run_only_tells_its_records_again(run):
    records, steps = list(run()), Ticks()
    assert list(run(tick=steps)) == records
    assert steps == []


def test_a_checkpoint_of_other_parameters_or_data_does_not_count(run, data, tmp_path):
    list(run())
    for model, folder in ((Model(width=2, depth=4), data), (MODEL, packed(tmp_path / "more", train=8))):
        steps = Ticks()
        list(fit(folder, model, TRAIN, checkpoint=tmp_path / "run", tick=steps))
        assert steps == list(range(1, TRAIN.steps + 1))


def test_the_learning_rate_falls_to_zero_over_the_second_half():
    assert [rate(Train(steps=4, lr=8.0, decay="linear"), step) for step in range(4)] == [8.0, 8.0, 8.0, 4.0]
    assert [rate(Train(steps=4, lr=8.0), step) for step in range(4)] == [8.0] * 4


def test_losses_that_are_not_finite_stop_the_run_and_name_step_and_samples(run, tmp_path):
    with pytest.raises(Halt, match=r"\w+ at step \d+ is not finite on 00\d, 00\d: lower lr"):
        list(run(train=Train(steps=20, batch=2, lr=1e30)))
    assert not (tmp_path / "run").exists()


def test_a_saved_model_gives_equal_pictures(run, data, tmp_path):
    list(run())
    config = export(tmp_path / "run", tmp_path / "model")
    generator, found = load(tmp_path / "model")
    save(tmp_path / "again", generator, found)
    again, _ = load(tmp_path / "again")
    batch = next(iter(once(Pairs(data, "test", "b7"), 3, 0)))
    with torch.inference_mode():
        first, second = (network(batch["sketch"], batch["cue"]) for network in (generator, again))
    assert torch.equal(first, second)
    assert not generator.training
    assert found == config
    trained = torch.load(tmp_path / "run", weights_only=True)["generator"]
    stored = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(trained[name], stored[name]) for name in trained | stored)


def test_the_config_says_what_the_model_was_made_from(run, data, tmp_path):
    list(run())
    config = export(tmp_path / "run", tmp_path / "model")
    assert config == json.loads((tmp_path / "model" / "config.json").read_bytes())
    assert config["system"] == "pix2pix"
    assert (config["width"], config["depth"], config["sketch"], config["side"]) == (4, 4, "b7", 32)
    assert config["dataset"] == Pairs(data, "train", "b7").fingerprint
    assert config["columns"]["cue"] == {"sigma": 20.0}
    assert config["train"]["steps"] == TRAIN.steps
    stored = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    trained = sum(
        t.numel() for name, t in stored.items() if "running" not in name and "num_batches" not in name
    )
    assert config["parameters"]["generator"] == trained


def test_a_missing_model_and_files_that_do_not_fit_are_named(run, tmp_path):
    with pytest.raises(Halt, match=r"config\.json is missing"):
        load(tmp_path / "nowhere")
    list(run())
    config = export(tmp_path / "run", tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"width": 8}))
    with pytest.raises(Halt, match="no model that can be read"):
        load(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(Halt, match="no model that can be read"):
        load(tmp_path / "model")


def test_a_depth_that_the_side_does_not_allow_is_named(data, tmp_path):
    with pytest.raises(Halt, match="a side of 32 cannot be halved 6 times"):
        next(fit(data, Model(width=4, depth=6), TRAIN, checkpoint=tmp_path / "run"))


def test_bfloat16_trains(run):
    records = list(run(train=Train(steps=2, batch=2, precision="bf16", validate=2)))
    assert math.isfinite(records[0]["val_psnr"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(run):
    with pytest.raises(Halt, match="no GPU"):
        next(run(device="cuda"))
