"""Random choices that depend on a seed and on names only: not on order, time, or other draws."""

import hashlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator of random numbers for a seed and names (stage, key, variant)."""
    return np.random.Generator(np.random.PCG64(digest(seed, *names)))


def fraction(seed: int, *names: str) -> float:
    """Draw a uniform number from [0, 1)."""
    return digest(seed, *names) / 2**128


def digest(seed: int, *names: str) -> int:
    """Hash a seed and names to 128 bits."""
    return int.from_bytes(hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()[:16])
