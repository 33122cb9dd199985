"""Train a colorizer: `fit` yields numbers and leaves a checkpoint, `release` makes a model of it."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from pipeline import Halt, samples
from pipeline.chance import digest
from pipeline.dataset import Fresh, Pairs, batches, fingerprint, once
from pipeline.files import dumps, whole, write
from pipeline.imports import code
from pipeline.models import CONFIG, WEIGHTS, place, save
from pipeline.params import Model, Reference, Train
from pipeline.systems import SYSTEMS, liu
from pipeline.systems.layers import count

POWER = 0.9  # of the polynomial decay
EVERY = 30.0  # seconds between two checkpoints
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}


def fit(
    data: Path,
    model: Model,
    train: Train,
    *,
    checkpoint: Path,
    device: str = "cpu",
    workers: int = 0,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[dict[str, float]]:
    """Train on the packed dataset `data`, and yield a record every `train.validate` steps and after the last.

    A record holds the step, the mean of each weighted loss since the record before, and `val_psnr` (dB) and
    `val_l1` (of values in [-1, 1]). The checkpoint also keeps the weights of the best `val_psnr`. A killed
    run that starts again with the same `checkpoint` yields the old records first and goes on as if nothing
    had happened; a checkpoint of other data, parameters or code is ignored. After each step `tick` gets the
    number of steps done and of all. `workers` processes load samples for a GPU. Raise Halt if a loss is not
    finite.
    """
    from lightning_fabric import Fabric  # takes seconds, and only training needs it

    # The data, and all that decides the result.
    system = SYSTEMS[model.system]
    pairs = Pairs(data, "train", model.sketch, system.COLUMNS)
    pairs.fresh = freshly(system, pairs, train)
    held_out = Pairs(data, "val", model.sketch, system.COLUMNS)
    if pairs.side % system.multiple(model):
        raise Halt(
            f"a side of {pairs.side} is no multiple of {system.multiple(model)}, which {model.system} needs: "
            "pack another side, or choose a smaller depth"
        )
    steps = train.epochs * (len(pairs) // train.batch) or train.steps
    kind = place(device).type
    loaders = workers if kind != "cpu" else 0  # on cores that compute, loaders make both wait
    validation = once(held_out, train.batch, loaders // 4)

    # The networks, where they run, and in what arithmetic.
    fabric = Fabric(accelerator=kind, devices=1, precision=PRECISIONS[train.precision])
    torch.manual_seed(train.seed)
    networks = system.networks(model)
    begin(networks[0], model, train.start)
    features = perceptual(system, train.vgg)
    config = describe(pairs, model, train, networks)
    optimizers = system.optimizers(*networks, train.lr or system.pace(model))
    (generator, g_optimizer), (discriminator, d_optimizer) = (
        fabric.setup(network, optimizer) for network, optimizer in zip(networks, optimizers, strict=True)
    )
    features = features and fabric.to_device(features)
    average = deepcopy(networks[0]) if train.ema else networks[0]
    rates = [[group["lr"] for group in each.param_groups] for each in optimizers]

    # Where a killed run left off.
    parts = {"generator": generator, "discriminator": discriminator}
    parts |= {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "average": average}
    past = restore(checkpoint, identify(config), parts)
    start, records, sums, best = past["step"], past["records"], past["sums"], past["best"]
    yield from records

    saved = time.monotonic()
    endless = batches(pairs, train.batch, train.seed, start, loaders)
    for step, batch in zip(range(start, steps), endless, strict=False):
        # Each step has its own seed and learning rate, so that it does not matter where a run was cut.
        torch.manual_seed(digest(train.seed, "step", str(step)) % 2**63)
        for optimizer, initial in zip((g_optimizer, d_optimizer), rates, strict=True):
            for group, lr in zip(optimizer.param_groups, initial, strict=True):
                group["lr"] = lr * share(train.decay, step / steps)
        batch = fabric.to_device(batch)
        output = generator(*system.inputs(batch))

        # The discriminator learns to tell the original from the fake.
        d_terms = means(system.discriminator_loss(discriminator, batch, output, train))
        d_optimizer.zero_grad()
        fabric.backward(sum(d_terms.values()))
        if clip := train.clip or system.CLIP:
            fabric.clip_gradients(discriminator, d_optimizer, max_norm=clip)
        d_optimizer.step()

        # The generator learns to pass, and to come close to the original.
        discriminator.requires_grad_(False)
        g_terms = means(system.generator_loss(generator, discriminator, batch, output, train, features))
        g_optimizer.zero_grad()
        fabric.backward(sum(g_terms.values()))
        if clip:
            fabric.clip_gradients(generator, g_optimizer, max_norm=clip)
        g_optimizer.step()
        discriminator.requires_grad_(True)
        if train.ema:
            follow(average, networks[0], train.ema)

        # The numbers of this step join those since the last record.
        terms = g_terms | d_terms
        values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
        done = step + 1
        if broken := [name for name, value in values.items() if not math.isfinite(value)]:
            raise Halt(
                f"{', '.join(broken)} at step {done} is not finite on {', '.join(batch['key'])}: lower lr"
            )
        sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
        due = done % train.validate == 0 or done == steps
        if due:
            since = (done - 1) % train.validate + 1
            record = {"step": done} | {name: value / since for name, value in sums.items()}
            held = map(fabric.to_device, validation)
            records = [*records, record | validate(average, system, held)]
            sums = {}
            if records[-1]["val_psnr"] > max((each["val_psnr"] for each in records[:-1]), default=-math.inf):
                best = {name: tensor.to("cpu", copy=True) for name, tensor in average.state_dict().items()}

        # All of it is kept from time to time, and at the end.
        if done == steps or time.monotonic() - saved > EVERY:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"identity": identify(config), "config": config}
            keep(checkpoint, state | {"step": done, "records": records, "sums": sums, "best": best})
            saved = time.monotonic()
        tick(done, steps)
        if due:
            yield records[-1]


def means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reduce each term of a loss to its mean."""
    return {name: term.mean() for name, term in terms.items()}


def share(decay: str, past: float) -> float:
    """Return the share of the learning rate that is left when the share `past` of all steps is done.

    All of it, or falling linearly to 0 over the second half, or as the 0.9th power of what is to come.
    """
    if decay == "polynomial":
        return (1 - past) ** POWER
    return min(1.0, 2 * (1 - past)) if decay == "linear" else 1.0


def freshly(system: ModuleType, pairs: Pairs, train: Train) -> Fresh:
    """Say what is drawn anew each epoch: references as the system was published, or as the dataset's."""
    reference = system.REFERENCE if train.fresh == "published" else None
    if train.fresh == "dataset" and "reference" in system.COLUMNS:
        facts = pairs.facts["reference"]
        reference = Reference(**{name: facts[name] for name in ("grid", "strength", "jitter", "order")})
    return Fresh(train.seed, reference, train.flip, train.drop)


def perceptual(system: ModuleType, file: str) -> nn.Module | None:
    """Load the network whose features a system compares; None if it compares none, or shall go without."""
    if not system.VGG or file == "none":
        return None
    from pipeline.systems.features import Features

    return Features(system.VGG, file)


def begin(generator: nn.Module, model: Model, folder: str) -> None:
    """Start from the weights of a saved model, if one is named. Raise Halt if they do not fit."""
    if not folder:
        return
    try:
        tensors = load_tensors(Path(folder, WEIGHTS).read_bytes())
        main = json.loads(Path(folder, CONFIG).read_bytes())["variant"] == "main"
        if model.variant == "finetune" and main:
            liu.adopt(generator, tensors)
        else:
            generator.load_state_dict(tensors)
    except FileNotFoundError:
        raise Halt(f"{folder} holds no model: name the folder of a trained one in train.start") from None
    except (RuntimeError, SafetensorError, KeyError) as error:
        raise Halt(
            f"the model in {folder} has other parts than the one to train: name another start"
        ) from error


@torch.no_grad()
def follow(average: nn.Module, generator: nn.Module, past: float) -> None:
    """Move the mean of the weights towards the present ones; statistics of norms are taken as they are."""
    for mean, now in zip(average.parameters(), generator.parameters(), strict=True):
        mean.lerp_(now, 1 - past)
    for mean, now in zip(average.buffers(), generator.buffers(), strict=True):
        mean.copy_(now)


@torch.no_grad()
def validate(generator: nn.Module, system: ModuleType, held_out: Iterable[dict]) -> dict[str, float]:
    """Measure the mean PSNR (at most 100 dB) and L1 of a generator; BatchNorm and dropout as in use."""
    generator.eval()
    psnr, l1 = [], []
    for batch in held_out:
        difference = system.shown(generator(*system.inputs(batch)), batch) - system.goal(batch)
        psnr += (10 * torch.log10(4 / difference.square().mean((1, 2, 3)).clamp_min(4e-10))).tolist()
        l1 += difference.abs().mean((1, 2, 3)).tolist()
    generator.train()
    return {"val_psnr": math.fsum(psnr) / len(psnr), "val_l1": math.fsum(l1) / len(l1)}


def describe(pairs: Pairs, model: Model, train: Train, networks: tuple[nn.Module, nn.Module]) -> dict:
    """Say what a model is and what it was made from."""
    sizes = dict(zip(("generator", "discriminator"), map(count, networks), strict=True))
    made = {"dataset": pairs.fingerprint, "columns": pairs.facts, "side": pairs.side}
    begun = hashlib.sha256(Path(train.start, WEIGHTS).read_bytes()).hexdigest() if train.start else ""
    return asdict(model) | made | {"parameters": sizes, "train": asdict(train), "start": begun}


def identify(config: dict) -> str:
    """Return what changes with the data, the parameters, and the code and library that train."""
    return hashlib.sha256(dumps([config, code(__name__), torch.__version__])).hexdigest()


def checkpoint_in(cache: Path, data: Path, model: Model, train: Train) -> Path:
    """Name the checkpoint of a run: runs that differ in data or parameters never share one."""
    given = [fingerprint(samples.shards(data)), asdict(model), asdict(train)]
    return cache / "train" / f"{hashlib.sha256(dumps(given)).hexdigest()}.pt"


def keep(checkpoint: Path, state: dict) -> None:
    """Write a checkpoint, whole or not at all."""
    with whole(checkpoint) as file:
        torch.save(state, file)


def restore(checkpoint: Path, identity: str, parts: dict[str, Any]) -> dict:
    """Load the parts of a killed run and return its step, records, sums and best weights; or begin anew."""
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["identity"] == identity:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            return state
    return {"step": 0, "records": [], "sums": {}, "best": {}}


def release(checkpoint: Path, folder: Path) -> dict:
    """Make a model folder of a finished checkpoint, and return its config.

    `train.keep` says which weights become the model: the last, or those of the best validation. The others
    lie beside them, in a file of that name.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    records = state["records"]
    told = {"last": records[-1], "best": max(records, key=lambda record: record["val_psnr"])}
    weights = {"last": state["average"], "best": state["best"]}
    kept = state["config"]["train"]["keep"]
    config = state["config"] | {"validation": told[kept]}
    save(folder, weights.pop(kept), config)
    for name, tensors in weights.items():
        write(folder / f"{name}.safetensors", save_tensors(tensors))
    return config
