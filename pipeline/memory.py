"""Threads and memory of a worker process."""

import ctypes
import sys

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MALLOC_OPTIONS = {-1: 1 << 28, -3: 1 << 25}  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes


def prepare_process() -> None:
    """Compute pictures in one thread, since other processes use the other cores, and keep freed memory."""
    import cv2

    cv2.setNumThreads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Keep up to 256 MB of freed memory in this process, if malloc is that of glibc.

    Returning this memory and asking for it again costs as much time as the drawing itself.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for setting, value in MALLOC_OPTIONS.items():
            libc.mallopt(setting, value)
