"""Results come back in the order of the units, and workers leave the caller as it was."""

import errno
import os
import sys
import time
from collections import defaultdict
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from pipeline.errors import Halt
from pipeline.run import spread as spreading
from pipeline.run.spread import spread


def sleep(seconds):
    """Sleep."""
    time.sleep(seconds)
    return seconds


def threads(unit):
    """Return the numbers of threads that linear algebra and OpenCV may use here."""
    return os.environ.get("OPENBLAS_NUM_THREADS"), cv2.getNumThreads()


def faults(unit):
    """Fill and free the memory of a picture's arrays; return the page faults of this process so far."""
    import resource  # not every system has it

    arrays = [np.ones(3 << 19, np.uint8) for _ in range(8)]
    del arrays
    return os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_units(workers):
    units = [0.3, 0.0, 0.2, 0.1]
    assert [*spread(sleep, units, workers)] == units


def process_of(unit):
    """Return the process that computes."""
    return os.getpid()


@pytest.mark.parametrize("seconds", [float("inf"), 1e-9])
def test_processes_take_over_once_they_save_more_time_than_their_start_takes(monkeypatch, seconds):
    monkeypatch.setattr(spreading, "START_SECONDS", seconds)
    here = [process == os.getpid() for process in spread(process_of, [*range(6)], 2)]
    assert here == ([True] * 6 if seconds > 1 else [True] + [False] * 5)


CLOCK = [0.0]  # seconds


def let_pass(seconds):
    """Let time pass in this process; return the process."""
    CLOCK[0] += seconds
    return os.getpid()


@pytest.mark.parametrize(("others", "here"), [(0.01, 21), (0.4, 2)])
def test_a_first_unit_that_takes_long_starts_no_processes_for_short_ones(monkeypatch, others, here):
    monkeypatch.setattr(spreading, "START_SECONDS", 0.5)
    monkeypatch.setattr(spreading, "time", SimpleNamespace(perf_counter=lambda: CLOCK[0]))
    found = [process == os.getpid() for process in spread(let_pass, [0.4, *[others] * 20], 2)]
    assert found == [True] * here + [False] * (21 - here)


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.ENOSYS])
def test_without_shared_memory_the_advice_is_one_worker(monkeypatch, code):
    def fail(*given):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("_multiprocessing.SemLock", fail)
    with pytest.raises(Halt, match=r"/dev/shm.* one of the --workers"):
        list(spread(sleep, [0.0, 0.0], 2))
    assert list(spread(sleep, [0.0, 0.0], 1)) == [0.0, 0.0]


def test_workers_compute_in_one_thread_and_the_caller_as_before(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert [*spread(threads, [1, 2], 2)] == [("1", 1)] * 2
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another malloc")
@pytest.mark.parametrize("workers", [1, 2])
def test_freed_memory_is_reused_without_page_faults(workers):
    got = defaultdict(list)
    for process, pages in spread(faults, [None] * 12, workers):
        got[process].append(pages)
    assert all(pages[-1] - pages[0] < 100 for pages in got.values())  # of the 3,072 that the arrays take
