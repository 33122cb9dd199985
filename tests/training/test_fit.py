"""Training: learns, stops and resumes without a trace, and leaves a model that works elsewhere."""

import json
import math
from dataclasses import asdict, replace

import pytest
import safetensors.torch
import torch
from made import packed, sample

from pipeline.batches.dataset import Pairs
from pipeline.batches.loader import single_pass
from pipeline.codehash import source_files
from pipeline.errors import Halt
from pipeline.images import codec, png
from pipeline.models.card import model_card
from pipeline.models.folder import load_model, save_model
from pipeline.models.inference import infer_padded
from pipeline.operators import warp
from pipeline.params import Model, Reference, Train
from pipeline.shards.sums import SUMS_FILE
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.systems import SYSTEMS, system
from pipeline.training import fit
from pipeline.training.checkpoint import read_state, release_model, shrink
from pipeline.training.fit import rate_share, train_model
from pipeline.training.hardware import Hardware

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = Model(width=4, depth=4)
TRAIN = Train(steps=6, batch=2, lr=1e-3, validate=2, decay="linear", vgg="none")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pack one dataset for all tests."""
    return packed(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def run(data, tmp_path):
    """Train a tiny model on a name for a checkpoint, and give the records."""

    def start(name="run", train=TRAIN, **options):
        return train_model(data, MODEL, train, checkpoint=tmp_path / name, **options)

    return start


class Ticks(list):
    """Note the steps that are done."""

    def __call__(self, done, total):
        """Note one."""
        assert total == TRAIN.steps
        self.append(done)


def always(monkeypatch):
    """Write a checkpoint after every step."""
    monkeypatch.setattr(fit, "CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(fit, "CHECKPOINT_SHARE", math.inf)


def weights(tmp_path, name):
    """Read the weights of the networks from a checkpoint."""
    state = read_state(tmp_path / name)
    judge = state.get("discriminator", {})
    return state["generator"] | {f"d.{name}": tensor for name, tensor in judge.items()}


def test_records_hold_losses_and_validation_of_every_interval_and_the_end(run):
    records = list(run(train=Train(steps=5, batch=2, validate=2)))
    assert [record["step"] for record in records] == [2, 4, 5]
    for record in records:
        assert set(record) == {"step", "adversarial", "l1", "real", "fake", "val_psnr", "val_l1"}
        assert all(math.isfinite(value) for value in record.values())


def test_validation_equals_numpy(run, data, tmp_path):
    last = list(run())[-1]
    release_model(tmp_path / "run", tmp_path / "model", model_card)
    generator, _ = load_model(tmp_path / "model")
    psnr, l1 = [], []
    for batch in single_pass(Pairs(data, "val", "b7"), 1, 0):
        with torch.inference_mode():
            difference = (generator(batch["sketch"], batch["cue"]) - batch["color"]).numpy() / 2
        psnr.append(-10 * math.log10((difference**2).mean()))
        l1.append(abs(2 * difference).mean())
    assert last["val_psnr"] == pytest.approx(sum(psnr) / len(psnr), rel=1e-5)
    assert last["val_l1"] == pytest.approx(sum(l1) / len(l1), rel=1e-5)


def test_a_tiny_dataset_is_learned_by_heart(tmp_path):
    data = packed(tmp_path, train=1, val=1, test=0)
    train = Train(steps=120, batch=1, lr=2e-3, validate=30)
    records = list(train_model(data, Model(width=8, depth=4), train, checkpoint=tmp_path / "run"))
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
    always(monkeypatch)

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


def test_a_finished_run_only_yields_its_records_again(run):
    records, steps = list(run()), Ticks()
    assert list(run(tick=steps)) == records
    assert steps == []


def test_a_shrunk_run_releases_the_same_model_again_without_training(run, tmp_path):
    records, file = list(run()), tmp_path / "run"
    release_model(file, tmp_path / "model", model_card)
    size = file.stat().st_size
    shrink(file)
    assert file.stat().st_size < 0.7 * size
    assert list(run(tick=lambda *given: pytest.fail("trained"))) == records
    release_model(file, tmp_path / "again", lambda config: "another card")
    for path in (tmp_path / "model").iterdir():
        same = (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
        assert same == (path.name != "README.md")


def decisive(module, folder):
    """Name the modules in a folder that decide what a module does."""
    return {path.stem for path in source_files(module) if path.parent.name == folder}


def test_neither_a_card_nor_another_system_decides_what_is_trained():
    for module in ("pipeline.training.fit", "pipeline.evaluation.protocol"):
        assert "card" not in decisive(module, "models")
        assert "markdown" not in decisive(module, "pipeline")
        assert decisive(module, "systems") <= {"__init__", "layers"}
    for name in SYSTEMS:
        features = {"features"} if system(name).vgg else set()
        ideas = {"backprojection", "propagation", "matching", "muon"} if name == "wash" else set()
        own = {"__init__", "layers", name} | features | ideas
        assert decisive(f"pipeline.systems.{name}", "systems") == own


@pytest.mark.parametrize("damage", ["empty", "old", "flipped", "swapped halves"])
def test_a_damaged_checkpoint_says_a_sentence_and_training_begins_again(run, tmp_path, damage):
    list(run())
    records, whole = list(run()), (tmp_path / "run").read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    data = {"empty": b"", "old": whole[32:], "flipped": flipped, "swapped halves": whole[middle:] + whole}
    (tmp_path / "run").write_bytes(data[damage])
    said, steps = [], Ticks()
    assert list(run(say=said.append, tick=steps)) == records
    assert said == [f"{tmp_path / 'run'} is damaged, or of an older version, so training begins again"]
    assert steps == [*range(1, TRAIN.steps + 1)]
    assert (tmp_path / "run").read_bytes() == whole


def test_a_model_is_not_released_from_a_damaged_checkpoint(run, tmp_path):
    list(run())
    (tmp_path / "run").write_bytes((tmp_path / "run").read_bytes()[:-1])
    with pytest.raises(Halt, match="run is damaged, or of an older version: run train again"):
        release_model(tmp_path / "run", tmp_path / "model", model_card)


def test_a_checkpoint_of_other_code_does_not_count(run, tmp_path, monkeypatch):
    list(run())
    monkeypatch.setattr("pipeline.training.checkpoint.code_hashes", lambda *modules: list(modules))
    steps = Ticks()
    list(run(tick=steps))
    assert steps == list(range(1, TRAIN.steps + 1))


def test_a_checkpoint_of_other_parameters_or_data_does_not_count(run, data, tmp_path):
    list(run())
    for model, folder in ((Model(width=2, depth=4), data), (MODEL, packed(tmp_path / "more", train=8))):
        steps = Ticks()
        list(train_model(folder, model, TRAIN, checkpoint=tmp_path / "run", tick=steps))
        assert steps == list(range(1, TRAIN.steps + 1))


def test_the_learning_rate_falls_to_zero_over_the_second_half():
    past = (0.0, 0.25, 0.5, 0.75)
    assert [rate_share("linear", each) for each in past] == [1.0, 1.0, 1.0, 0.5]
    assert [rate_share("none", each) for each in past] == [1.0] * 4
    warm = [rate_share("cosine", each) for each in (0.0, 0.025, 0.05, 0.525, 1.0)]
    assert warm == pytest.approx([0.001, 0.5, 1.0, 0.5, 0.001])
    assert [rate_share("polynomial", each) for each in past] == pytest.approx(
        [(1 - each) ** 0.9 for each in past]
    )


def test_losses_that_are_not_finite_stop_the_run_and_name_step_and_samples(run, tmp_path):
    with pytest.raises(Halt, match=r"\w+ at step \d+ is not finite on 00\d, 00\d: lower lr"):
        list(run(train=Train(steps=20, batch=2, lr=1e30)))
    assert not (tmp_path / "run").exists()


def test_reading_the_losses_less_often_changes_no_record_and_no_error(run, monkeypatch):
    train = replace(TRAIN, steps=7, validate=5)
    often = list(run("often", train))
    monkeypatch.setitem(fit.STEPS_PER_READ, "cpu", 3)
    assert list(run("seldom", train)) == often
    with pytest.raises(Halt) as late:
        list(run("late", Train(steps=20, batch=2, lr=1e30)))
    monkeypatch.undo()
    with pytest.raises(Halt) as early:
        list(run("early", Train(steps=20, batch=2, lr=1e30)))
    assert str(late.value) == str(early.value)


def test_a_batch_that_cannot_be_shared_is_refused(run):
    with pytest.raises(Halt, match="a batch of 3 cannot be shared by 1 processes in 2 parts"):
        next(run(train=Train(batch=3, accumulate=2)))


def test_a_saved_model_gives_equal_pictures(run, data, tmp_path):
    list(run())
    config = release_model(tmp_path / "run", tmp_path / "model", model_card)
    generator, found = load_model(tmp_path / "model")
    save_model(tmp_path / "again", generator.state_dict(), found, "")
    again, _ = load_model(tmp_path / "again")
    batch = next(iter(single_pass(Pairs(data, "test", "b7"), 3, 0)))
    with torch.inference_mode():
        first, second = (network(batch["sketch"], batch["cue"]) for network in (generator, again))
    assert torch.equal(first, second)
    assert not generator.training
    assert found == config
    trained = read_state(tmp_path / "run")["generator"]
    stored = safetensors.torch.load_file(tmp_path / "model" / "model.safetensors")
    assert all(torch.equal(trained[name], stored[name]) for name in trained | stored)


def test_the_config_names_data_and_parameters(run, data, tmp_path):
    list(run())
    config = release_model(tmp_path / "run", tmp_path / "model", model_card)
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
        load_model(tmp_path / "nowhere")
    list(run())
    config = release_model(tmp_path / "run", tmp_path / "model", model_card)
    (tmp_path / "model" / SUMS_FILE).unlink()
    (tmp_path / "model" / "config.json").write_text(json.dumps(config | {"width": 8}))
    with pytest.raises(Halt, match="no model that can be read"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(Halt, match="no model that can be read"):
        load_model(tmp_path / "model")


def test_a_depth_that_the_side_does_not_allow_is_named(data, tmp_path):
    with pytest.raises(Halt, match="a side of 32 is no multiple of 64, which pix2pix needs"):
        next(train_model(data, Model(width=4, depth=6), TRAIN, checkpoint=tmp_path / "run"))


def test_half_a_side_that_the_network_cannot_take_is_named_if_batches_are_halved(data, tmp_path):
    model, reason = Model(width=4, depth=5), "half a side of 32 is no multiple of 32, which pix2pix needs"
    with pytest.raises(
        Halt, match=f"^{reason}: set train.halve to 0, pack another side, or choose a smaller"
    ):
        next(train_model(data, model, replace(TRAIN, halve=0.1), checkpoint=tmp_path / "run"))
    next(train_model(data, model, TRAIN, checkpoint=tmp_path / "run"))


def test_a_share_of_all_steps_is_halved_by_seed_and_step_alone():
    train = Train(halve=0.25)
    halved = [fit.is_halved(train, step) for step in range(2000)]
    assert halved == [fit.is_halved(replace(train, lr=1.0), step) for step in range(2000)]
    assert 0.22 < sum(halved) / 2000 < 0.28  # three standard deviations
    others = [fit.is_halved(replace(train, seed=1), step) for step in range(2000)]
    assert 95 < sum(map(min, halved, others)) < 155  # of 2000 / 16, if the seeds have nothing in common


def test_the_networks_see_half_the_side_in_the_steps_that_are_halved(data, tmp_path, monkeypatch):
    train, train_step, seen = replace(TRAIN, halve=0.5), fit.train_step, {}

    def step(learner, batch, number):
        seen[number] = {batch[name].shape[2:] for name in ("sketch", "color", "guide", "target")}
        return train_step(learner, batch, number)

    monkeypatch.setattr(fit, "train_step", step)
    list(train_model(data, Model(system="wash", width=4), train, checkpoint=tmp_path / "run"))
    for number, shapes in seen.items():
        assert shapes == {(16, 16) if fit.is_halved(train, number) else (32, 32)}
    assert len(set(map(str, seen.values()))) == 2


def test_without_halving_training_is_as_if_there_were_none(run, tmp_path, monkeypatch):
    records = list(run("none"))
    monkeypatch.setattr(fit, "is_halved", lambda *_: False)
    assert list(run("never", replace(TRAIN, halve=1.0))) == records
    none, never = weights(tmp_path, "none"), weights(tmp_path, "never")
    assert all(torch.equal(none[name], never[name]) for name in none)


@pytest.mark.parametrize("name", SYSTEMS)
def test_bfloat16_trains_every_system_to_nearly_the_same_losses(data, tmp_path, name):
    def losses(precision):
        train = Train(steps=1, batch=2, validate=1, vgg="none", precision=precision)
        model = Model(system=name, width=4, depth=4)
        return next(train_model(data, model, train, checkpoint=tmp_path / precision))

    exact, fast = losses("32"), losses("bf16")
    assert fast != exact
    assert fast == pytest.approx(exact, rel=0.05, abs=0.05)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_named(run):
    with pytest.raises(Halt, match="no GPU"):
        next(run(hardware=Hardware("cuda")))


OTHERS = [name for name in SYSTEMS if name != "pix2pix"]


@pytest.mark.parametrize("name", OTHERS)
def test_every_system_trains_stops_goes_on_and_is_saved(data, tmp_path, monkeypatch, name):
    halve = 0.3 if name == "wash" else 0.0  # the first step alone; half the side does not fit the others
    model = Model(system=name, width=2)
    train = Train(steps=3, batch=2, validate=2, vgg="none", flip=0.5, halve=halve)

    def run(checkpoint, **options):
        return list(train_model(data, model, train, checkpoint=tmp_path / checkpoint, **options))

    whole = run("whole")
    assert all(math.isfinite(value) for record in whole for value in record.values())
    always(monkeypatch)

    def kill(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("cut", tick=kill)
    assert run("cut") == whole
    one, other = weights(tmp_path, "whole"), weights(tmp_path, "cut")
    assert all(torch.equal(one[name], other[name]) for name in one)
    release_model(tmp_path / "whole", tmp_path / "model", model_card)
    generator, config = load_model(tmp_path / "model")
    batch = next(iter(single_pass(Pairs(data, "test", "b7", system(name).columns), 3, 0)))
    assert infer_padded(generator, config, batch).shape == (3, 3, 32, 32)


def test_epochs_count_passes_over_the_training_split(data, tmp_path):
    steps = []
    train = Train(epochs=2, batch=3, validate=100)
    list(
        train_model(data, MODEL, train, checkpoint=tmp_path / "run", tick=lambda done, _: steps.append(done))
    )
    assert steps == [1, 2, 3, 4, 5]  # fourteen samples, and one more to fill the last batch


def test_the_mean_of_the_weights_follows_them_and_becomes_the_model(run, tmp_path):
    list(run("plain"))
    list(run("mean", replace(TRAIN, ema=0.5)))
    plain, mean = (read_state(tmp_path / name) for name in ("plain", "mean"))
    name = "down.0.0.weight"
    assert torch.equal(plain["generator"][name], mean["generator"][name])
    assert not torch.equal(mean["average"][name], mean["generator"][name])
    release_model(tmp_path / "mean", tmp_path / "model", model_card)
    assert torch.equal(load_model(tmp_path / "model")[0].state_dict()[name], mean["average"][name])


@pytest.mark.parametrize("kept", ["last", "best"])
def test_the_last_and_the_best_weights_are_kept_and_either_becomes_the_model(
    run, tmp_path, monkeypatch, kept
):
    scores = iter([3.0, 5.0, 4.0])
    monkeypatch.setattr(fit, "validate", lambda *given: {"val_psnr": next(scores), "val_l1": 0.1})
    records = list(run("run", replace(TRAIN, keep=kept)))
    config = release_model(tmp_path / "run", tmp_path / "model", model_card)
    assert config["validation"] == records[{"last": 2, "best": 1}[kept]]
    stored = {
        name: safetensors.torch.load_file(tmp_path / "model" / f"{name}.safetensors")
        for name in ("model", {"last": "best", "best": "last"}[kept])
    }
    state = read_state(tmp_path / "run")
    for name, tensors in stored.items():
        kind = "average" if name == "last" or (name, kept) == ("model", "last") else "best"
        assert all(torch.equal(tensors[each], state[kind][each]) for each in tensors)
    name = "down.0.0.weight"
    assert not torch.equal(*(tensors[name] for tensors in stored.values()))


def test_training_starts_from_a_saved_model_and_refuses_one_that_does_not_fit(data, run, tmp_path):
    list(run("first"))
    release_model(tmp_path / "first", tmp_path / "model", model_card)
    train = Train(steps=1, batch=2, lr=1e-12, start=str(tmp_path / "model"))
    list(train_model(data, MODEL, train, checkpoint=tmp_path / "next"))
    before, after = weights(tmp_path, "first"), weights(tmp_path, "next")
    torch.testing.assert_close(after["down.0.0.weight"], before["down.0.0.weight"], atol=1e-9, rtol=0)
    for model, said in (
        (Model(width=4, depth=3), "has other parts than the one to train: name another train.start"),
        (Model(width=8, depth=4), "has the width 4, and this run 8: name another train.start"),
        (Model(system="scft", width=4), "has the system pix2pix, and this run scft: name another"),
    ):
        with pytest.raises(Halt, match=said):
            next(train_model(data, model, train, checkpoint=tmp_path / "other"))
    with pytest.raises(Halt, match=r"config.json is missing: run train, or name the folder of a model"):
        next(train_model(data, MODEL, replace(train, start=str(tmp_path)), checkpoint=tmp_path / "other"))


@pytest.mark.parametrize("odd", [{"width": 10**9}, {"columns": None}, {"columns": {"cue": 5}}, {}])
def test_training_starts_from_no_damaged_model(data, tmp_path, odd):
    generator = system("pix2pix").networks(MODEL).generator
    tensors = {name: tensor * (1.0 if odd else math.nan) for name, tensor in generator.state_dict().items()}
    save_model(tmp_path / "model", tensors, asdict(MODEL) | odd, "")
    train = replace(TRAIN, start=str(tmp_path / "model"))
    with pytest.raises(Halt, match=r"is no model that can be read \(ValueError: .*\): run train again"):
        next(train_model(data, MODEL, train, checkpoint=tmp_path / "run"))


def test_finetune_starts_from_main(data, tmp_path):
    main = Model(system="liu", width=4)
    train = Train(steps=1, batch=2, vgg="none")
    list(train_model(data, main, train, checkpoint=tmp_path / "main"))
    release_model(tmp_path / "main", tmp_path / "model", model_card)
    onward = replace(train, start=str(tmp_path / "model"))
    list(train_model(data, replace(main, variant="finetune"), onward, checkpoint=tmp_path / "finetune"))
    release_model(tmp_path / "finetune", tmp_path / "finetuned", model_card)
    assert load_model(tmp_path / "finetuned")[1]["variant"] == "finetune"


def test_gradients_are_clipped_to_the_norm_asked_for(run, tmp_path):
    list(run("free", Train(steps=1, batch=2, lr=1e-3)))
    list(run("bound", Train(steps=1, batch=2, lr=1e-3, clip=1e-12)))
    free, bound = (read_state(tmp_path / name)["g_optimizer"]["state"][0] for name in ("free", "bound"))
    assert bound["exp_avg"].norm() < 1e-6 < free["exp_avg"].norm()


@pytest.mark.slow
def test_scft_learns_one_picture_by_heart_from_four_references(tmp_path):
    """One reference alone leaves the discriminator's BatchNorm a batch of one, of which it makes noise."""
    color = codec.decode(sample(0).members["color.png"])
    members = []
    for key in ("000", "001", "002", "003"):
        metadata = warp.draw_reference(key, Reference())
        bent = {"reference.png": png.encode_png(warp.bend_picture(color, metadata))}
        bent |= {"json": json.dumps({"reference": metadata}).encode()}
        members.append(Sample(key, sample(0).members | bent))
    listed = [write_shard(tmp_path / "pairs" / f"{split}-000000.tar", members) for split in ("train", "val")]
    seal_column(tmp_path / "pairs", listed, 8, {})
    train = Train(
        steps=1800, batch=4, lr=3e-4, ema=0.995, keep="best", validate=300, vgg="none", fresh="none"
    )
    run = train_model(tmp_path / "pairs", Model(system="scft", width=4), train, checkpoint=tmp_path / "run")
    assert max(record["val_psnr"] for record in run) > 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width", "lr", "steps"),
    [("pix2pix", 16, 2e-3, 900), ("nerk", 8, 2e-3, 900), ("liu", 8, 5e-3, 500), ("mask", 8, 2e-3, 500)],
)
def test_one_picture_is_learned_by_heart(tmp_path, name, width, lr, steps):
    data = packed(tmp_path, train=1, val=1, test=1)
    train = Train(steps=steps, batch=1, lr=lr, decay="linear", validate=steps, vgg="none", fresh="none")
    list(train_model(data, Model(system=name, width=width, depth=3), train, checkpoint=tmp_path / "run"))
    release_model(tmp_path / "run", tmp_path / "model", model_card)
    learned = single_pass(Pairs(data, "train", "b7", system(name).columns), 1, 0)
    assert fit.validate(load_model(tmp_path / "model")[0], system(name), learned)["val_psnr"] > 30
