"""Units of work -> their results, in order: computed here, in several processes, or on a cluster."""

import ctypes
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
UNITS_PER_WORKER = 4  # units handed out per worker; more would hold memory
MALLOPT = {-1: 1 << 28, -3: 1 << 25}  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes


def economize() -> None:
    """Let this process compute pictures in one thread, as others work beside it, and hold its memory."""
    import cv2

    cv2.setNumThreads(1)
    hold_memory()


def hold_memory() -> None:
    """Let this process keep up to 256 MB that it frees, where malloc is that of glibc.

    To get the arrays of every picture anew from the system, page by page, takes as long as to draw it.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for setting, value in MALLOPT.items():
            libc.mallopt(setting, value)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Let the processes that start meanwhile do linear algebra in one thread, or they wait for each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ |= dict.fromkeys(THREADS, "1")
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def start_worker() -> None:
    """Prepare a worker, which has no life after its parent."""
    economize()
    if parent := multiprocessing.parent_process():
        threading.Thread(target=die_after, args=(parent,), daemon=True).start()


def die_after(parent: BaseProcess) -> None:
    """End this process when its parent ends."""
    parent.join()
    os._exit(1)
