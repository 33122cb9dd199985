"""Units of work -> their results, in order: computed here, in several processes, or on a cluster."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline import Halt

if TYPE_CHECKING:
    from pipeline.step import Step

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AHEAD = 4  # units handed out per worker; more would hold memory


def spread(
    work: Callable, units: list, workers: int, on: str = "processes", step: "Step | None" = None
) -> Generator:
    """Yield `work(unit)` for each unit in order, computed in up to `workers` processes, or on a cluster."""
    if on == "ray":
        from pipeline import cluster

        yield from cluster.spread(work, units, workers, step)
        return
    workers = min(workers, len(units))
    if workers <= 1:
        yield from map(work, units)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=prepare) as pool:
        try:
            waiting: deque[Future] = deque()
            for unit in units:
                with single_threaded():
                    waiting.append(pool.submit(work, unit))
                if len(waiting) > AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise Halt(
                "a worker was killed, perhaps for want of memory: run again with fewer workers"
            ) from error
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            raise


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


def prepare() -> None:
    """Prepare a worker: pictures in one thread too, and no life after its parent."""
    import cv2

    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
