"""Threads and memory of a process that works beside others."""

import ctypes
import sys

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MALLOC_OPTIONS = {-1: 1 << 28, -3: 1 << 25}  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc, in bytes


def prepare_process() -> None:
    """Let this process compute pictures in one thread, as others work beside it, and hold its memory."""
    import cv2

    cv2.setNumThreads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let this process keep up to 256 MB that it frees, where malloc is that of glibc.

    To get the arrays of every picture anew from the system, page by page, takes as long as to draw it.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        for setting, value in MALLOC_OPTIONS.items():
            libc.mallopt(setting, value)
