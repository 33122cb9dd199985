"""Print how long coloring a picture takes on one core: wash by torch and by ONNX Runtime, beside pix2pix.

The networks take turns, and the median of their processor time counts. wash is the model that ships;
pix2pix has the size that `make repro` trains, and random weights.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from tables import print_head, print_row

from pipeline.models.inference import as_network
from pipeline.models.network import SHIPPED, SHIPPED_ONNX, open_network
from pipeline.models.tiles import colorize_picture
from pipeline.params import Model
from pipeline.systems import system

PIX2PIX = Model("pix2pix", width=16, depth=5)


def contestants(side: int) -> dict[str, Callable[[], np.ndarray]]:
    """Return what colors a picture of a side, by name; the first is what others are compared with."""
    random = np.random.default_rng(0)
    sketch = np.where(random.random((side, side)) < 0.1, np.uint8(0), np.uint8(255))
    given = {"sketch": sketch, "cue": random.integers(0, 256, (side, side, 3), dtype=np.uint8)}
    networks = {
        "pix2pix, torch": as_network(system("pix2pix").networks(PIX2PIX).generator.eval(), asdict(PIX2PIX)),
        "wash, torch": open_network(SHIPPED),
        "wash, ONNX Runtime": open_network(SHIPPED_ONNX),
    }
    return {
        name: lambda network=network: colorize_picture(network, given) for name, network in networks.items()
    }


def time_in_turns(runs: dict[str, Callable[[], np.ndarray]], turns: int) -> dict[str, float]:
    """Return the median processor seconds of each run, after one that does not count."""
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(turns + 1):
        for name, run in runs.items():
            begun = time.process_time()
            run()
            if turn:
                spent[name].append(time.process_time() - begun)
    return {name: statistics.median(seconds) for name, seconds in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sides", default="128,512", help="of the picture, in pixels")
    parser.add_argument("--turns", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for ONNX Runtime
    print_head("side", "network", "s", "x pix2pix")
    for side in map(int, given.sides.split(",")):
        times = time_in_turns(contestants(side), given.turns)
        base = next(iter(times.values()))
        for name, seconds in times.items():
            print_row(side, name, f"{seconds:.3f}", f"{seconds / base:.2f}")


if __name__ == "__main__":
    main()
