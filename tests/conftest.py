"""Inputs that the tests share, all made in code."""

import numpy as np
import pytest
from rig import Traffic, read

from pipeline import booru, files, images, run, samples
from pipeline.catalog import Catalog
from pipeline.tars import Sample


def picture(number: int, width: int = 64, height: int = 64) -> np.ndarray:
    """Paint colored discs on a gradient: edges, flats and slopes, different for each number."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[:height, :width]
    paint = np.stack([x * 255 / width, y * 255 / height, np.full((height, width), 90.0)], axis=2)
    for _ in range(6):
        cx, cy, radius = random.uniform(0, width), random.uniform(0, height), random.uniform(4, 16)
        paint[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = random.uniform(0, 255, 3)
    return paint.astype(np.uint8)


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Start workers for few samples too, as tests have no more."""
    monkeypatch.setattr(run, "WORTH", 1)


@pytest.fixture(scope="module")
def one_thread():
    """Compute in one thread: several wait for each other on tiny maps, and on a busy machine for long."""
    import torch  # takes seconds, and few tests need it

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def image() -> np.ndarray:
    """Return an RGB picture of 64 x 64."""
    return picture(1)


def make_column(folder, keys, per_shard=3, suffix="png", **facts):
    """Write and seal a column of pictures, `per_shard` to a shard."""
    listed = []
    for start in range(0, len(keys), per_shard):
        made = [
            Sample(
                key, {suffix: images.encode(picture(int(key))), "json": files.dumps({"family": key} | facts)}
            )
            for key in keys[start : start + per_shard]
        ]
        listed.append(samples.write_shard(folder / f"{start // per_shard:06d}.tar", made))
    samples.seal(folder, listed, len(keys), {})
    return folder


@pytest.fixture
def column(tmp_path):
    """Write a sealed column of eight pictures in three shards."""
    return make_column(tmp_path / "column", [f"{number:09d}" for number in range(1, 9)])


@pytest.fixture
def traffic():
    """Watch the requests."""
    return Traffic()


@pytest.fixture
def serve(traffic):
    """Return what serves posts and opens a client of them."""

    def start(posts, read=read):
        return booru.serve(Catalog(posts, read), traffic)

    return start
