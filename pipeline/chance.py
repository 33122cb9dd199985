"""Random choices that depend on names alone: never on order, time, or what else is drawn."""

import hashlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """Make a generator of random numbers from a seed and names (stage, key, variant)."""
    return np.random.Generator(np.random.PCG64(digest(seed, *names)))


def fraction(seed: int, *names: str) -> float:
    """Draw one number from [0, 1)."""
    return digest(seed, *names) / 2**128


def digest(seed: int, *names: str) -> int:
    """Hash a seed and names to 128 bits."""
    return int.from_bytes(hashlib.sha256("\0".join([str(seed), *names]).encode()).digest()[:16])
