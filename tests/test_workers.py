"""Units of work: what is done elsewhere comes back in order, and leaves the caller as it was."""

import os
import time

import cv2
import pytest

from pipeline.workers import spread


def late(seconds):
    """Take some time."""
    time.sleep(seconds)
    return seconds


def threads(unit):
    """Tell how many threads linear algebra and OpenCV may use here."""
    return os.environ.get("OPENBLAS_NUM_THREADS"), cv2.getNumThreads()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_units(workers):
    units = [0.3, 0.0, 0.2, 0.1]
    assert [*spread(late, units, workers)] == units


def test_workers_compute_in_one_thread_and_the_caller_as_before(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert [*spread(threads, [1, 2], 2)] == [("1", 1)] * 2
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
