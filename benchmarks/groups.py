"""Seconds to find all near pairs of 100,000 perceptual hashes, compared with comparing all pairs.

The hashes are those of drawn portraits, varied: each copy of one differs from it in 12 to 40 random bits, a
tenth in 0 to 11, and 5,000 are equal. `all pairs` is extrapolated from comparing some rows with all others.
"""

import resource
import time

import numpy as np
from portraits import draw_portrait

from pipeline.images import pixels
from pipeline.operators import lines
from pipeline.operators.hashes import HAMMING_RADIUS, WAVE_COUNT, color_hash, line_hash
from pipeline.packing import groups, hamming

SAMPLES, PORTRAITS, EQUAL, ROWS = 100_000, 200, 5_000, 500


def draw_hashes(number: int) -> tuple[bytes, bytes]:
    image = draw_portrait(number, 256)
    return color_hash(image), line_hash(lines.threshold(pixels.grayscale(image), 7, 2.0))


def vary_hashes(hashes: tuple[bytes, ...], seed: int) -> np.ndarray:
    """Make SAMPLES hashes from a few, uint8 (N, B)."""
    random = np.random.default_rng(seed)
    originals = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
    near, far = random.integers(0, 12, SAMPLES), random.integers(12, 41, SAMPLES)
    flips = np.where(random.random(SAMPLES) < 0.1, near, far)
    ranks = random.random((SAMPLES, WAVE_COUNT * WAVE_COUNT), np.float32).argsort(axis=1)
    chosen = originals[random.integers(len(originals), size=SAMPLES)]
    varied = chosen ^ np.packbits(ranks < flips[:, None], axis=1)
    varied[:EQUAL] = varied[0]
    return varied


def time_all_pairs(hashes: np.ndarray) -> float:
    """Estimate the seconds that comparing all pairs takes."""
    words = hamming.hash_words(hashes)
    start = time.perf_counter()
    for row in range(ROWS):
        np.flatnonzero(sum(np.bitwise_count(word ^ word[row]) for word in words) <= HAMMING_RADIUS)
    return (time.perf_counter() - start) * len(hashes) / ROWS / 2


def print_search(name: str, hashes: np.ndarray) -> None:
    """Print the time to find the near pairs of hashes, and the share of all pairs that are compared."""
    unique = np.unique(hashes, axis=0)
    start = time.perf_counter()
    pairs = sum(len(left) for left, _ in hamming.near_pairs(unique, HAMMING_RADIUS))
    ours, other = time.perf_counter() - start, time_all_pairs(unique)
    bands = hamming.candidate_bands(unique, HAMMING_RADIUS)
    compared = sum(len(left) for band in bands for left, _ in hamming.key_neighbors(*band))
    share = compared / (len(unique) * (len(unique) - 1) / 2)
    print(f"  {name:6} {pairs} near pairs in {ours:.1f} s, comparing {100 * share:.2f} % of all pairs")
    print(f"         all pairs take {other:.1f} s, {other / ours:.1f} times as long")


def main() -> None:
    hashes = zip(*map(draw_hashes, range(PORTRAITS)), strict=True)
    colors, sketches = (vary_hashes(each, seed) for seed, each in enumerate(hashes))
    print(f"{SAMPLES} hashes, {HAMMING_RADIUS} bits, one core")
    print_search("colors", colors)
    print_search("lines", sketches)
    keys = [
        groups.LinkKeys(str(number), str(number), "", color.tobytes(), sketch.tobytes())
        for number, (color, sketch) in enumerate(zip(colors, sketches, strict=True))
    ]
    start = time.perf_counter()
    links = groups.find_links(keys)
    names = groups.name_groups(keys, links)
    torn = groups.count_torn(links, np.random.default_rng(0).integers(0, 3, SAMPLES))
    print(f"  groups {len(set(names))}, pairs {groups.count_links(links)}, torn {torn}")
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"  links, groups and counts together {seconds:.1f} s, peak {peak} MiB")


if __name__ == "__main__":
    main()
