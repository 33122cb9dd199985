"""The commands of `prep`, one file each."""

import os

# Before NumPy is imported: its small products gain nothing from threads, and wait for them on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
