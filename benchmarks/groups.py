"""Seconds to find all near pairs of 100,000 hashes, beside comparing all pairs.

The hashes are those of drawn portraits, varied: each copy of one differs from it in 12 to 40 random bits, a
tenth in 0 to 11, and 5,000 are equal. `all pairs` compares some rows with all others, and is multiplied.
"""

import resource
import time

import numpy as np

from pipeline.booru import artist
from pipeline.images import pixels
from pipeline.operators import lines
from pipeline.operators.hashes import HAMMING_RADIUS, WAVE_COUNT, color_hash, line_hash
from pipeline.packing import groups, hamming

SAMPLES, DRAWN, EQUAL, ROWS = 100_000, 200, 5_000, 500


def draw_hashes(number: int) -> tuple[bytes, bytes]:
    """Hash the colors and the lines of a portrait."""
    image = pixels.square(artist.draw(artist.portrait(number)), 256)
    return color_hash(image), line_hash(lines.threshold(pixels.grayscale(image), 7, 2.0))


def vary(hashes: list[bytes], seed: int) -> np.ndarray:
    """Make 100,000 hashes out of a few, uint8 (N, B)."""
    random = np.random.default_rng(seed)
    drawn = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
    flips = np.where(
        random.random(SAMPLES) < 0.1, random.integers(0, 12, SAMPLES), random.integers(12, 41, SAMPLES)
    )
    ranks = random.random((SAMPLES, WAVE_COUNT * WAVE_COUNT), np.float32).argsort(axis=1)
    varied = drawn[random.integers(len(drawn), size=SAMPLES)] ^ np.packbits(ranks < flips[:, None], axis=1)
    varied[:EQUAL] = varied[0]
    return varied


def all_pairs(hashes: np.ndarray) -> float:
    """Estimate the seconds that comparing all pairs takes."""
    words = hamming.hash_words(hashes)
    start = time.perf_counter()
    for row in range(ROWS):
        np.flatnonzero(sum(np.bitwise_count(word ^ word[row]) for word in words) <= HAMMING_RADIUS)
    return (time.perf_counter() - start) * len(hashes) / ROWS / 2


def main() -> None:
    """Print the table."""
    colors, sketches = (
        vary(list(hashes), seed)
        for seed, hashes in enumerate(zip(*map(draw_hashes, range(DRAWN)), strict=True))
    )
    print(f"{SAMPLES} hashes, {HAMMING_RADIUS} bits, one core")
    for name, hashes in {"colors": colors, "lines": sketches}.items():
        unique = np.unique(hashes, axis=0)
        start = time.perf_counter()
        pairs = sum(len(left) for left, _ in hamming.near_pairs(unique, HAMMING_RADIUS))
        ours, other = time.perf_counter() - start, all_pairs(unique)
        tried = sum(
            len(left)
            for band in hamming.candidate_bands(unique, HAMMING_RADIUS)
            for left, _ in hamming.key_neighbors(*band)
        )
        share = tried / (len(unique) * (len(unique) - 1) / 2)
        print(f"  {name:6} {pairs} near pairs in {ours:.1f} s, comparing {100 * share:.2f} % of all pairs")
        print(f"         all pairs take {other:.1f} s, {other / ours:.1f} times as long")
    looks = [
        groups.LinkKeys(str(n), str(n), "", color.tobytes(), sketch.tobytes())
        for n, (color, sketch) in enumerate(zip(colors, sketches, strict=True))
    ]
    start = time.perf_counter()
    found = groups.find_links(looks)
    names = groups.name_groups(looks, found)
    torn = groups.count_torn(found, np.random.default_rng(0).integers(0, 3, SAMPLES))
    print(f"  groups {len(set(names))}, pairs {groups.count_links(found)}, torn {torn}")
    print(f"  links, groups and counts together {time.perf_counter() - start:.1f} s, "
          f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
