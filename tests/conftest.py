"""Fixtures that the tests share."""

import atexit
import gc

import numpy as np
import pytest
from made import make_column, picture
from rig import Traffic, read

from pipeline.booru import site
from pipeline.booru.catalog import Catalog
from pipeline.run import spread

pytest_plugins = ["committed", "store", "browser"]
LONGEST = ("test_pipeline.py", "test_export.py")


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no process waits for another with them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish():
    """Keep modules and tests, a million objects, out of every later search for garbage."""
    gc.freeze()
    atexit.register(gc.unfreeze)  # or libraries complain of what is left


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Start workers for little work too, as tests have no more."""
    monkeypatch.setattr(spread, "START_SECONDS", 0.0)


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
        return site.serve(Catalog(posts, read), traffic)

    return start
