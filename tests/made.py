"""Inputs that several tests share, all made in code, and the calls that they share."""

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import files
from pipeline.images import png
from pipeline.operators import warp
from pipeline.operators.hashes import NO_HASH
from pipeline.packing.groups import LinkKeys
from pipeline.params import Reference
from pipeline.run.process import Execution, Policy, run_step
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from stages import prep

SIDE = 32
STAGE_FACTS = {  # some of the metadata that each stage writes
    "color": {"pixels": ""},
    "sketch": {"method": "threshold", "blocksize": 7},
    "cue": {"method": "gaussian"},
    "reference": {"shift": [0, 0, 0]},
}
PARAMS = """# what to take
search:
  host: sample        # a site
  tags: "solo"   # quoted

  limit: 4
train:
  lr: 2.0e-3
"""
HOW = ("cache", "workers", "on", "tick")  # what changes no byte of a result


def picture(number: int, width: int = 64, height: int = 64) -> np.ndarray:
    """Paint colored discs on a gradient: edges, flats and slopes, different for each number."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    paint = np.stack([x * 255 / width, y * 255 / height, np.full((height, width), 90.0)], axis=2)
    for _ in range(6):
        cx, cy, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(4, 16)
        paint[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = random.uniform(0, 255, 3)
    return paint.astype(np.uint8)


def find_picture(sheet: np.ndarray, image: np.ndarray) -> list[tuple[int, int]]:
    """Find the places (top, left) of a picture on a sheet, pixel by pixel."""
    sheet, image = whole_colors(sheet), whole_colors(image)
    height, width = image.shape
    tried = [(y, x) for y, x in np.random.default_rng(0).integers(0, image.shape, (200, 2))]
    inner = [sheet[y : len(sheet) - height + 1 + y, x : sheet.shape[1] - width + 1 + x] for y, x in tried]
    rare = min(range(20), key=lambda number: np.count_nonzero(inner[number] == image[tried[number]]))
    spots = np.argwhere(inner[rare] == image[tried[rare]])
    for place, shown in zip(tried, inner, strict=True):
        spots = spots[shown[spots[:, 0], spots[:, 1]] == image[place]]
    return [(y, x) for y, x in spots.tolist() if (sheet[y : y + height, x : x + width] == image).all()]


def whole_colors(image: np.ndarray) -> np.ndarray:
    """Give each pixel of a picture, RGB or gray, one number."""
    image = image if image.ndim == 3 else np.dstack([image] * 3)
    return image.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


def make_set(folder):
    """Write a folder of three pictures."""
    for number in range(3):
        files.write(Path(folder) / f"{number}.png", png.encode_png(picture(number)))


def some_samples(count: int = 3) -> list[Sample]:
    """Make small samples whose pictures are no pictures."""
    return [Sample(f"{n:09d}", {"png": bytes([n]) * 700, "json": b'{"n":%d}' % n}) for n in range(count)]


def make_column(folder, keys, per_shard=3, suffix="png", **facts):
    """Write and seal a column of pictures, `per_shard` to a shard."""
    listed = []
    for start in range(0, len(keys), per_shard):
        made = [
            Sample(
                key, {suffix: png.encode_png(picture(int(key))), "json": files.dumps({"family": key} | facts)}
            )
            for key in keys[start : start + per_shard]
        ]
        listed.append(write_shard(folder / f"{start // per_shard:06d}.tar", made))
    seal_column(folder, listed, len(keys), {})
    return folder


def make_columns(folder, keys, *names):
    """Write columns of pictures to pack, with what their stages note; return their folders by name."""
    made = {name: STAGE_FACTS[name.partition("-")[0]] for name in names}
    return {name: make_column(folder / name, keys, **facts) for name, facts in made.items()}


def make_all_columns(keys, *sketches):
    """Write a column of each stage, as far as pack tells them apart."""
    make_columns(Path(), keys, "color", "cue", "reference")
    for name in sketches:
        make_column(Path("sketch", name), keys, **STAGE_FACTS["sketch"])


def clustered_hashes(seed, centers, copies, flips):
    """Make distinct hashes, uint8 (N, B): copies of random centers, each with up to `flips` bits flipped."""
    random = np.random.default_rng(seed)
    made = random.integers(0, 256, (centers, len(NO_HASH)), np.uint8).repeat(copies, axis=0)
    ranks = random.random((len(made), 8 * len(NO_HASH))).argsort(axis=1)
    made ^= np.packbits(ranks < random.integers(0, flips + 1, (len(made), 1)), axis=1)
    return np.unique(made, axis=0)


def crowd(seed, size=300):
    """Make samples with links of all kinds, many of them with several."""
    random = np.random.default_rng(seed)
    hashes = [row.tobytes() for row in clustered_hashes(seed, 12, 4, 14)] + [NO_HASH]
    return [
        LinkKeys(
            str(n),
            str(random.integers(1, n + 1) if random.random() < 0.3 else n),
            random.choice(["", "", "", "a", "b"]),
            hashes[random.integers(len(hashes))],
            hashes[random.integers(len(hashes))],
        )
        for n in range(1, size + 1)
    ]


def sample(number: int, side: int = SIDE, reference: Reference | None = None) -> Sample:
    """Make a sample with a colored disk, whose outline is the sketch and whose mean color is the cue.

    Its reference is the disk itself, whatever the facts tell, or made as `reference` says.
    """
    rng = np.random.default_rng(number)
    y, x = np.mgrid[:side, :side] / side
    distance = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
    inner, outer = rng.integers(0, 256, (2, 3))
    color = np.where(distance[..., None] < 0.25, inner, outer).astype(np.uint8)
    sketch = np.where(abs(distance - 0.25) < 0.04, 0, 255).astype(np.uint8)
    cue = np.broadcast_to(color.mean((0, 1)), color.shape).astype(np.uint8)
    pictures = {
        "color": color,
        "sketch-b5": 255 - sketch,
        "sketch-b7": sketch,
        "cue": cue,
        "reference": color,
    }
    members = {f"{name}.png": png.encode_png(picture) for name, picture in pictures.items()}
    facts = {"cue": {"sigma": 20.0, "drawn": [number]}, "sketch-b7": {"blocksize": 7, "complexity": number}}
    facts["reference"] = warp.draw_reference(f"{number:03d}", reference or Reference())
    if reference:
        members["reference.png"] = png.encode_png(warp.bend_picture(color, facts["reference"]))
    return Sample(f"{number:03d}", members | {"json": json.dumps(facts).encode()})


def packed(
    folder: Path,
    train: int = 7,
    val: int = 2,
    test: int = 3,
    side: int = SIDE,
    reference: Reference | None = None,
) -> Path:
    """Write a packed dataset: up to three samples to a shard."""
    listed, number = [], 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for shard, start in enumerate(range(0, count, 3)):
            made = [sample(number + i, side, reference) for i in range(start, min(start + 3, count))]
            listed.append(write_shard(folder / f"{split}-{shard:06d}.tar", made))
        number += count
    seal_column(folder, listed, number, {})
    return folder


def process(step, source, dest, view=list, **given):
    """Apply a step to a column, with the fields of Execution and of Policy as keywords."""
    execution = Execution(**{name: given.pop(name) for name in HOW if name in given})
    return run_step(step, source, dest, execution, Policy(**given), view)


def unpacked(result):
    """Return the picture and the metadata of a result."""
    return result.picture, result.metadata


def run_prep(capsys, *arguments) -> tuple[int, str, str]:
    """Run a command as its user does; return the exit code, and what it said on stdout and stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prep", *map(str, arguments)])
        patch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as end:
            prep.main()
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err
