"""Train a colorizer: `fit` yields numbers and leaves a checkpoint, `export` makes a model of it."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
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
from pipeline.dataset import Pairs, batches, fingerprint, once
from pipeline.files import dumps, whole, write, write_json
from pipeline.imports import code
from pipeline.params import Model, Train
from pipeline.systems import SYSTEMS
from pipeline.systems.layers import count

EVERY = 30.0  # seconds between two checkpoints
PRECISIONS = {"32": "32-true", "bf16": "bf16-mixed"}
WEIGHTS, CONFIG = "model.safetensors", "config.json"


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
    `val_l1` (of values in [-1, 1]). A killed run that starts again with the same `checkpoint` yields the old
    records first and goes on as if nothing had happened; a checkpoint of other data, parameters or code is
    ignored. After each step `tick` gets the number of steps done and of all. `workers` processes load samples
    for a GPU. Raise Halt if a loss is not finite.
    """
    from lightning_fabric import Fabric  # takes seconds, and only training needs it

    # The data, and all that decides the result.
    pairs, held_out = (Pairs(data, split, model.sketch) for split in ("train", "val"))
    if pairs.side % 2**model.depth:
        raise Halt(f"a side of {pairs.side} cannot be halved {model.depth} times: choose a smaller depth")
    kind = place(device).type
    loaders = workers if kind != "cpu" else 0  # on cores that compute, loaders make both wait
    validation = once(held_out, train.batch, loaders // 4)

    # The networks, where they run, and in what arithmetic.
    system = SYSTEMS[model.system]
    fabric = Fabric(accelerator=kind, devices=1, precision=PRECISIONS[train.precision])
    torch.manual_seed(train.seed)
    networks = system.networks(model)
    config = describe(pairs, model, train, networks)
    (generator, g_optimizer), (discriminator, d_optimizer) = (
        fabric.setup(network, optimizer)
        for network, optimizer in zip(networks, system.optimizers(*networks, train.lr), strict=True)
    )

    # Where a killed run left off.
    parts = {"generator": generator, "discriminator": discriminator}
    parts |= {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer}
    start, records, sums = restore(checkpoint, identify(config), parts)
    yield from records

    saved = time.monotonic()
    endless = batches(pairs, train.batch, train.seed, start, loaders)
    for step, batch in zip(range(start, train.steps), endless, strict=False):
        # Each step has its own seed and learning rate, so that it does not matter where a run was cut.
        torch.manual_seed(digest(train.seed, "step", str(step)) % 2**63)
        for optimizer in (g_optimizer, d_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = rate(train, step)
        batch = fabric.to_device(batch)
        fake = generator(*system.inputs(batch))

        # The discriminator learns to tell the original from the fake.
        d_terms = means(system.discriminator_loss(discriminator, batch, fake))
        d_optimizer.zero_grad()
        fabric.backward(sum(d_terms.values()))
        d_optimizer.step()

        # The generator learns to pass, and to come close to the original.
        discriminator.requires_grad_(False)
        g_terms = means(system.generator_loss(discriminator, batch, fake, train))
        g_optimizer.zero_grad()
        fabric.backward(sum(g_terms.values()))
        g_optimizer.step()
        discriminator.requires_grad_(True)

        # The numbers of this step join those since the last record.
        terms = g_terms | d_terms
        values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
        done = step + 1
        if broken := [name for name, value in values.items() if not math.isfinite(value)]:
            raise Halt(
                f"{', '.join(broken)} at step {done} is not finite on {', '.join(batch['key'])}: lower lr"
            )
        sums = {name: sums.get(name, 0.0) + value for name, value in values.items()}
        due = done % train.validate == 0 or done == train.steps
        if due:
            since = (done - 1) % train.validate + 1
            record = {"step": done} | {name: value / since for name, value in sums.items()}
            held = map(fabric.to_device, validation)
            records = [*records, record | validate(generator, system, held)]
            sums = {}

        # All of it is kept from time to time, and at the end.
        if done == train.steps or time.monotonic() - saved > EVERY:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"identity": identify(config), "config": config}
            keep(checkpoint, state | {"step": done, "records": records, "sums": sums})
            saved = time.monotonic()
        tick(done, train.steps)
        if due:
            yield records[-1]


def means(terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """Reduce each term of a loss to its mean."""
    return {name: term.mean() for name, term in terms.items()}


def rate(train: Train, step: int) -> float:
    """Return the learning rate of a step: constant, or falling linearly over the second half."""
    if train.decay == "none":
        return train.lr
    return train.lr * min(1.0, 2 * (train.steps - step) / train.steps)


@torch.no_grad()
def validate(generator: nn.Module, system: ModuleType, held_out: Iterable[dict]) -> dict[str, float]:
    """Measure the mean PSNR (at most 100 dB) and L1 of a generator; BatchNorm and dropout as in use."""
    generator.eval()
    psnr, l1 = [], []
    for batch in held_out:
        difference = generator(*system.inputs(batch)) - batch["color"]
        psnr += (10 * torch.log10(4 / difference.square().mean((1, 2, 3)).clamp_min(4e-10))).tolist()
        l1 += difference.abs().mean((1, 2, 3)).tolist()
    generator.train()
    return {"val_psnr": math.fsum(psnr) / len(psnr), "val_l1": math.fsum(l1) / len(l1)}


def describe(pairs: Pairs, model: Model, train: Train, networks: tuple[nn.Module, nn.Module]) -> dict:
    """Say what a model is and what it was made from."""
    sizes = dict(zip(("generator", "discriminator"), map(count, networks), strict=True))
    made = {"dataset": pairs.fingerprint, "columns": pairs.facts, "side": pairs.side}
    return asdict(model) | made | {"parameters": sizes, "train": asdict(train)}


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


def restore(checkpoint: Path, identity: str, parts: dict[str, Any]) -> tuple[int, list[dict], dict]:
    """Load the parts of a killed run and return its step, records and sums; or begin anew."""
    if checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["identity"] == identity:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            return state["step"], state["records"], state["sums"]
    return 0, [], {}


def place(device: str) -> torch.device:
    """Find a device: cpu, cuda, or auto, which is cuda where there is one. Raise Halt if it is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise Halt("there is no GPU that torch can use: run with the device cpu")
    return torch.device(device)


def export(checkpoint: Path, folder: Path) -> dict:
    """Make a model folder of a finished checkpoint, and return its config."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    generator, _ = SYSTEMS[state["config"]["system"]].networks(shape(state["config"]))
    generator.load_state_dict(state["generator"])
    save(folder, generator, state["config"])
    return state["config"]


def save(folder: Path, generator: nn.Module, config: dict) -> None:
    """Write a model: its weights, and what is needed to build it again."""
    tensors = {name: tensor.contiguous().cpu() for name, tensor in generator.state_dict().items()}
    write(folder / WEIGHTS, save_tensors(tensors))
    write_json(folder / CONFIG, config)


def load(folder: Path, device: str = "cpu") -> tuple[nn.Module, dict]:
    """Read a model, ready for use. Raise Halt if it is missing or its two files do not fit."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        tensors = load_tensors((folder / WEIGHTS).read_bytes())
        generator, _ = SYSTEMS[config["system"]].networks(shape(config))
        generator.load_state_dict(tensors)
    except FileNotFoundError as error:
        raise Halt(f"{error.filename} is missing: run train, or name the folder of a model") from None
    except (json.JSONDecodeError, KeyError, RuntimeError, SafetensorError) as error:
        raise Halt(
            f"{folder} is no model that can be read ({type(error).__name__}): run train again"
        ) from error
    return generator.eval().to(place(device)), config


def shape(config: dict) -> Model:
    """Return the parameters of a model from its config."""
    return Model(**{name: config[name] for name in Model.__dataclass_fields__})
