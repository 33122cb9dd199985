"""Worker processes: each computes in one thread, and ends with its parent."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from pipeline.memory import THREAD_VARIABLES, prepare_process

UNITS_PER_WORKER = 4  # units sent ahead to each worker; more would take memory


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let processes started in the body do linear algebra in one thread, or they wait for each other."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ |= dict.fromkeys(THREAD_VARIABLES, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def start_worker() -> None:
    """Prepare a worker, and end it when its parent ends."""
    prepare_process()
    if parent := multiprocessing.parent_process():
        threading.Thread(target=die_after, args=(parent,), daemon=True).start()


def die_after(parent: BaseProcess) -> None:
    """End this process when its parent ends."""
    parent.join()
    os._exit(1)
