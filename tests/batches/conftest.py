"""Loading processes that start soon."""

import multiprocessing
import os
from functools import partial

import pytest
from store import inherit

from pipeline.batches import loader


@pytest.fixture
def forked(monkeypatch):
    """Fork processes from one that has imported torch, as many take a minute to do so; others are spawned."""
    start = loader.loader_options

    def chosen(workers, device):
        options = start(workers, device)
        if workers:
            given = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
            begin = partial(inherit, given, options["worker_init_fn"])
            options |= {"multiprocessing_context": "forkserver", "worker_init_fn": begin}
        return options

    multiprocessing.set_forkserver_preload(["pytest", "pipeline.batches.stream", "s3fs", "webdataset"])
    monkeypatch.setattr(loader, "loader_options", chosen)
