"""Units of work -> their results, in order: computed in this process, in several, or on a Ray cluster."""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from pipeline.errors import Halt
from pipeline.memory import keep_freed_memory
from pipeline.run.processes import UNITS_PER_WORKER, single_threaded, start_worker

if TYPE_CHECKING:
    from pipeline.run.step import Transform

START_SECONDS = 0.5  # until a process has started and imported what it needs


def open_pool(workers: int) -> ProcessPoolExecutor:
    """Make a pool of processes. Raise Halt if the locks that they share cannot be made, as in /dev/shm."""
    context = multiprocessing.get_context("spawn")
    try:
        return ProcessPoolExecutor(workers, context, initializer=start_worker)
    except OSError as error:
        raise Halt(
            f"processes cannot share memory ({error}): make room in /dev/shm and make it writable, "
            "or run again with one of the --workers"
        ) from error


def spread(
    work: Callable, units: list, workers: int, on: str = "processes", step: "Transform | None" = None
) -> Generator:
    """Yield `work(unit)` for each unit in order, computed here, or in up to `workers` processes.

    Work begins here. Processes take over once they save more time than it takes to start them, if the units
    that are left take as long as the last one. With `on` "ray", all cores of a Ray cluster compute instead,
    if their code for `step` is the same as here. Raise Halt if a worker is killed.
    """
    if on == "ray":
        assert step is not None
        from pipeline.run import cluster

        yield from cluster.spread_on_cluster(work, units, workers, step)
        return
    keep_freed_memory()
    seconds = 0.0  # that the last unit took
    for number, unit in enumerate(units):
        left = len(units) - number
        several = min(workers, left)
        known = number > 1 or seconds >= START_SECONDS  # the first unit also loads what all of them need
        if known and several > 1 and left * seconds * (1 - 1 / several) >= START_SECONDS:
            yield from spread_on_processes(work, units[number:], several)
            return
        begun = time.perf_counter()
        result = work(unit)
        seconds = time.perf_counter() - begun
        yield result


def spread_on_processes(work: Callable, units: list, workers: int) -> Generator:
    """Yield `work(unit)` for each unit in order, computed in processes. Raise Halt if one is killed."""
    with open_pool(workers) as pool:
        try:
            waiting: deque[Future] = deque()
            for unit in units:
                with single_threaded():
                    waiting.append(pool.submit(work, unit))
                if len(waiting) > UNITS_PER_WORKER * workers:
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
