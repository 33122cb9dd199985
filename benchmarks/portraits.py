"""Drawn portraits as input of the benchmarks: pictures, JPEG files, and a packed dataset."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import files
from pipeline.booru import artist
from pipeline.images import pixels, png
from pipeline.operators import cue, sketch, warp
from pipeline.params import Cue, Reference, Sketch
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

DISTINCT, VALIDATION = 32, 4  # different portraits of a dataset; samples of its validation split


def draw_portrait(number: int, side: int) -> np.ndarray:
    """Draw a portrait, uint8 (side, side, 3)."""
    return pixels.resize(artist.draw(artist.portrait(number)), side, side)


def draw_jpeg(number: int, side: int, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(draw_portrait(number, side)).save(buffer, "jpeg", quality=quality)
    return buffer.getvalue()


def pack_portraits(folder: Path, count: int, side: int) -> Path:
    """Write a packed dataset of `count` training samples, in which portraits repeat after DISTINCT."""
    members = [sample_members(number, side) for number in range(min(count, DISTINCT))]
    shards = [
        write_shard(
            folder / f"{split}-000000.tar",
            (Sample(f"{start + number:06d}", members[number % len(members)]) for number in range(size)),
        )
        for split, start, size in (("train", 0, count), ("val", count, VALIDATION))
    ]
    seal_column(folder, shards, count + VALIDATION, {})
    return folder


def sample_members(number: int, side: int) -> dict[str, bytes]:
    """Draw a portrait and make its columns; return the members of its sample."""
    color = draw_portrait(number, side)
    reference = warp.draw_reference(str(number), Reference())
    columns = {
        "color": color,
        "sketch-b7": sketch.draw_sketch(color, Sketch()),
        "cue": cue.draw_cue(color, Cue()),
        "reference": warp.bend_picture(color, reference),
    }
    members = {f"{name}.png": png.encode_png(image) for name, image in columns.items()}
    return members | {"json": files.dumps({"reference": reference})}
