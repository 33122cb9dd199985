"""No mutilated file of any format stops `clean`: each is counted, and memory stays bounded."""

import csv
import io
import json
import os
import re
import resource
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from made import picture
from PIL import Image

from pipeline.errors import BadImage
from pipeline.images import codec, containers
from pipeline.operators import limits
from pipeline.shards import loose
from pipeline.shards.ledger import LEDGER
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.upkeep.verify import verify_columns

ROOT = Path(__file__).parent.parent.parent
MEMORY = 2 << 30  # limit per process in bytes; 65,535 x 65,535 pixels would take 12.9 GB, 177 megapixels 3.2
REASONS = {rule.reason for rule in limits.RULES} | {"cannot decode", "too large", "duplicate", "bad facts"}
SIZES = ((65535, 65535), (13300, 13300), (16383, 16383), (65535, 1), (0, 0), (2**31 - 1, 1))
HEAVY = (*SIZES, (9990, 9990))  # the last is small enough to be decoded, which takes seconds
BAD_METADATA = (  # not JSON, not an object, or not representable as JSON
    b"", b"{", b"[1]", b"\xff\xfe", b'{"family":NaN}', b'{"family":1e999}', b'{"family":"\\ud800"}',
    b"[" * 10**5, b'{"family":' + b"9" * 5000 + b"}",
)  # fmt: skip
SIDES = (96, 80)  # pixels of the files before they are mutilated

EXIF = Image.Exif()
EXIF[containers.EXIF_ORIENTATION] = 6
KINDS = (  # suffix, mode, options of Pillow
    ("png", "RGB", {}), ("png", "RGBA", {}), ("png", "P", {}), ("png", "1", {}), ("png", "LA", {}),
    ("png", "I;16", {}), ("png", "P", {"transparency": 0}), ("png", "RGB", {"exif": EXIF}),
    ("jpg", "RGB", {}), ("jpg", "RGB", {"progressive": True}), ("jpg", "CMYK", {}), ("jpg", "L", {}),
    ("jpeg", "RGB", {"exif": EXIF, "subsampling": 0}), ("webp", "RGB", {}), ("webp", "RGB", {"exif": EXIF}),
    ("webp", "RGBA", {"lossless": True}), ("webp", "RGB", {"frames": 3}), ("gif", "P", {}),
    ("gif", "P", {"frames": 3}), ("gif", "P", {"transparency": 0}), ("bmp", "RGB", {}), ("bmp", "P", {}),
    ("bmp", "1", {}),
    ("avif", "RGB", {"speed": 10}), ("avif", "RGBA", {"speed": 10, "frames": 2}), ("tif", "RGB", {}),
    ("tiff", "RGB", {"frames": 3}), ("tif", "RGB", {"compression": "tiff_lzw"}), ("tif", "I;16", {}),
    ("tif", "RGBA", {"compression": "tiff_deflate"}), ("tif", "RGB", {"compression": "jpeg"}),
    ("tif", "1", {"compression": "group4"}), ("tif", "CMYK", {"compression": "packbits"}),
)  # fmt: skip
FORMATS = {"jpg": "jpeg", "tif": "tiff"}
DECLARED = {  # where a header declares the size, and the format of the numbers
    "png": (rb"IHDR(.{8})", ">II"), "jpg": (rb"\xff[\xc0-\xc2]\x00.\x08(.{4})", ">HH"),
    "gif": (rb"GIF8[79]a(.{4})", "<HH"), "bmp": (rb"BM.{16}(.{8})", "<ii"),
    "avif": (rb"ispe\0{4}(.{8})", ">II"),
    "webp": (rb"VP8 .{7}\x9d\x01\x2a(.{4})", "<HH"),
    "tif": (rb"\x00\x01\x03\x00\x01\x00\x00\x00(..)..\x01\x01\x03\x00\x01\x00\x00\x00(..)", "<HH"),
}  # fmt: skip


# ---------------------------------------------------------------- whole files


def paint(number: int, mode: str, sides: tuple[int, int] = SIDES) -> Image.Image:
    """Paint a picture of a mode."""
    pixels = picture(number, *sides)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    image = Image.fromarray(pixels)
    return image.convert("RGB").convert(mode) if mode not in ("RGBA", "LA") else translucent(image, mode)


def translucent(image: Image.Image, mode: str) -> Image.Image:
    """Give a picture a gradient of transparency."""
    image = image.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image.convert(mode)


def save(image: Image.Image, suffix: str, frames: int = 1, **options) -> bytes:
    """Encode a picture; further frames are turned upside down in turn."""
    buffer = io.BytesIO()
    if frames > 1:
        turned = [image.rotate(180 * turn) for turn in range(1, frames)]
        options |= {"save_all": True, "append_images": turned}
    image.save(buffer, FORMATS.get(suffix[:3], suffix) if suffix != "jpeg" else suffix, **options)
    return buffer.getvalue()


def interlaced(image: np.ndarray) -> bytes:
    """Encode gray pixels as an interlaced PNG, which Pillow cannot write."""
    height, width = image.shape
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    lines = [line for top, left, down, right in passes for line in image[top::down, left::right]]
    raw = b"".join(b"\0" + line.tobytes() for line in lines)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*given) for given in chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    """Make a chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def whole_files() -> list[tuple[str, bytes]]:
    """Make a file of every kind, with its suffix."""
    made = [(suffix, save(paint(n, mode), suffix, **how)) for n, (suffix, mode, how) in enumerate(KINDS)]
    return [*made, ("png", interlaced(picture(99, *SIDES)[..., 0]))]


# ---------------------------------------------------------------- mutilations


def flip(data: bytes, count: int, rng: Random) -> bytes:
    """Flip bits."""
    changed = bytearray(data)
    for bit in rng.choices(range(8 * len(data)), k=count):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(data: bytes, rng: Random) -> bytes:
    """Truncate."""
    return data[: rng.randrange(len(data))]


def splice(data: bytes, other: bytes, rng: Random) -> bytes:
    """Replace the head of a file by that of another."""
    size = rng.choice((2, 4, 8, 16, 32, 64, 200, 600))
    return other[:size] + data[size:]


def insert(data: bytes, rng: Random) -> bytes:
    """Insert random bytes."""
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice((1, 2, 17, 300))) + data[at:]


def remove(data: bytes, rng: Random) -> bytes:
    """Remove a run of bytes."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 17, 300)) :]


def blank(data: bytes, value: bytes, rng: Random) -> bytes:
    """Overwrite a run of bytes with one value."""
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 40, 400))
    return data[:at] + value * min(size, len(data) - at) + data[at + size :]


def declare(data: bytes, suffix: str, size: tuple[int, int]) -> bytes:
    """Change every declaration of a file's size; a PNG keeps a correct checksum."""
    pattern, form = DECLARED[{"jpeg": "jpg", "tiff": "tif"}.get(suffix, suffix)]
    top = 2 ** (8 * struct.calcsize(form[:2])) - 1 if form[1] != "i" else 2**31 - 1
    numbers = struct.pack(form, *(min(side, top) for side in size))
    changed = bytearray(data)
    for found in re.finditer(pattern, data, re.DOTALL):
        half = len(numbers) // len(found.groups())
        for number in range(len(found.groups())):
            start, end = found.span(number + 1)
            changed[start:end] = numbers[half * number : half * (number + 1)]
    if suffix == "png":
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    return bytes(changed)


def mutilate(data: bytes, suffix: str, other: bytes, turn: int, rng: Random, sizes) -> bytes:
    """Mutilate a file in one of twelve ways, chosen by `turn`."""
    ways = (
        lambda: flip(data, 1, rng), lambda: flip(data, 10, rng), lambda: flip(data, len(data) // 12, rng),
        lambda: flip(data[:200], 5, rng) + data[200:], lambda: cut(data, rng),
        lambda: splice(data, other, rng), lambda: insert(data, rng), lambda: remove(data, rng),
        lambda: blank(data, b"\0", rng), lambda: blank(data, b"\xff", rng),
        lambda: declare(data, suffix, rng.choice(sizes)),
        lambda: flip(declare(data, suffix, rng.choice(sizes)), 3, rng),
    )  # fmt: skip
    return ways[turn % len(ways)]()


def mutilated(count: int, seed: int, sizes=HEAVY) -> Iterator[tuple[str, bytes]]:
    """Yield files with their suffixes: each kind once unharmed, then every kind mutilated in every way."""
    rng, whole = Random(seed), whole_files()
    yield from islice(whole, count)
    for number, (suffix, data) in enumerate(islice(cycle(whole), count - len(whole))):
        other = rng.choice(whole)[1]
        yield suffix, mutilate(data, suffix, other, number // len(whole) + number, rng, sizes)


# ---------------------------------------------------------------- clean under limits


def write_files(folder: Path, listed: Iterator[tuple[str, bytes]], sealed: bool) -> int:
    """Write files to a folder or a sealed column, some with bad metadata; return how many."""
    metadata = cycle([*BAD_METADATA, *[b'{"family":1}'] * 100])
    named = [Sample(f"{n:06d}", {s: data, "json": next(metadata)}) for n, (s, data) in enumerate(listed)]
    if not sealed:
        loose.write_loose(folder, named)
        return len(named)
    groups = [named[start : start + 64] for start in range(0, len(named), 64)]
    shards = [write_shard(folder / f"{n:06d}.tar", group) for n, group in enumerate(groups)]
    seal_column(folder, shards, len(named), {})
    return len(named)


def limit_memory() -> None:
    """Limit the memory of this process and of its children."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_clean(source: Path, dest: Path, workers: int, seconds: float) -> tuple[dict, list[tuple[str, str]]]:
    """Run `prep clean` under a limit of memory and time; return its counts, and the rows of its ledger."""
    metrics = dest.with_suffix(".json")
    words = f"clean {source} {dest} --tolerance 100 --smallest 1 --side 64 --workers {workers}"
    words += (
        f" --metrics {metrics} --cache {dest.with_suffix('.cache')} --examples {dest.with_suffix('.png')}"
    )
    command = [sys.executable, "-m", "stages.prep", *words.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, timeout=seconds, preexec_fn=limit_memory, env=environment
    )
    said = done.stderr.decode()  # C libraries print their warnings there
    assert (done.returncode, "Traceback" in said) == (0, False), said[-3000:]
    with (dest / LEDGER).open(newline="", encoding="utf-8") as file:
        rows = [(row["key"], row["reason"]) for row in csv.DictReader(file, delimiter="\t")]
    return json.loads(metrics.read_bytes())["counts"][0], rows


def prove(folder: Path, listed: Iterator[tuple[str, bytes]], sealed: bool, seconds: float) -> Counter:
    """Check that `clean` accounts for each of the files; return the counts by reason."""
    count = write_files(folder / "in", listed, sealed)
    counts, rows = run_clean(folder / "in", folder / "out", 1 + sealed, seconds)
    reasons = Counter(reason for _, reason in rows)
    assert counts["taken"] == count == counts["written"] + len(rows)
    assert counts["rejected"] == dict(sorted(reasons.items()))
    assert reasons.keys() <= REASONS
    lost = [name.partition(".")[0] for name, _ in rows]  # the ledger of a folder names files
    kept = keys(folder / "out")
    assert sorted(lost + kept) == [f"{number:06d}" for number in range(count)]
    if sealed:
        verdict = verify_columns(folder / "out")
        assert (verdict.faults, verdict.samples) == ([], counts["written"])
    return reasons | {"written": counts["written"]}


def keys(folder: Path) -> list[str]:
    """List the keys of a column or of a folder, after decoding every picture."""
    samples = [sample for part in loose.list_parts(folder) for sample in part]
    assert all(codec.decode(sample.picture).shape == (64, 64, 3) for sample in samples)
    return [sample.key for sample in samples]


def test_an_animation_with_a_time_scale_of_zero_cannot_be_decoded():
    data = save(paint(1, "RGB"), "avif", frames=2, speed=10)
    scale = data.index(b"mdhd") + 24  # after version, flags, and two times of eight bytes
    assert codec.decode(data).shape == (80, 96, 3)
    with pytest.raises(BadImage, match="cannot decode"):
        codec.decode(data[:scale] + bytes(4) + data[scale + 4 :])


def test_more_than_a_hundred_megapixels_are_refused_before_memory_is_allocated():
    lines = zlib.compress(bytes(10_001 * 1_251), 9)
    head = struct.pack(">IIBBBBB", 10_000, 10_001, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadImage, match="too large"):
        codec.decode(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB


@pytest.mark.parametrize("sealed", [True, False])
def test_mutilated_files_of_every_format_are_each_counted(tmp_path, sealed):
    counts = prove(tmp_path, mutilated(300, sealed, SIZES), sealed, seconds=100)
    assert min(counts[name] for name in ("written", "cannot decode", "too large", "bad facts")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("sealed", [True, False])
def test_ten_thousand_mutilated_files_are_each_counted(tmp_path, sealed):
    counts = prove(tmp_path, mutilated(10_000, 7 + sealed), sealed, seconds=1800)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(dict(counts), f"peak {children.ru_maxrss / 1e6:.2f} GB, CPU {children.ru_utime:.0f} s")
    assert 1024 * children.ru_maxrss < MEMORY
