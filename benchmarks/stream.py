"""Speed of the loader on shards behind a URL, beside the loader on the same shards in a folder.

Both take turns, some batches at a time, in one process that decodes and augments as training does. The URL is
that of an S3 server on loopback in a process of its own. torch computes in one thread: others would keep the
cores of the server busy with waiting, which a server elsewhere does not notice. Medians are printed: samples
a second by the clock, and by the processor time of the loading process, which counts on a busy machine.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import contest
import torch
from portraits import pack_portraits
from tables import print_head, print_row

from pipeline import files
from pipeline.batches.loader import endless_batches
from pipeline.batches.stream import StreamOrder
from pipeline.params import Model

SPEEDS = ("by the clock", "by processor time")


def serve_store(ready: Connection) -> None:
    """Serve S3 on loopback until the process is ended."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    ready.send(server.get_host_and_port()[1])
    ready.recv()


@contextmanager
def open_bucket() -> Iterator[Path]:
    """Start an S3 server, say so where fsspec looks, and make a bucket."""
    context = get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve_store, args=(there,), daemon=True)
    server.start()
    settings = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}
    settings["ENDPOINT_URL"] = f"http://127.0.0.1:{here.recv()}"
    os.environ.update({f"AWS_{name}": value for name, value in settings.items()})
    bucket = files.to_path("s3://streamed")
    bucket.mkdir()
    yield bucket
    server.terminate()


def upload_folder(folder: Path, home: Path) -> None:
    for path in files.list_files(folder):
        files.upload(path, home.joinpath(*path.relative_to(folder).parts))


def take_batches(batches: Iterator[dict], count: int, batch: int) -> tuple[float, float]:
    """Load some batches; return the samples a second by the clock and by processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    for _ in islice(batches, count):
        pass
    return count * batch / (time.perf_counter() - clock), count * batch / (time.process_time() - processor)


def compare_loaders(folder: Path, home: Path, options: argparse.Namespace) -> None:
    model = Model(system=options.system)
    near, far = contest.open_split(folder, model), contest.open_split(home, model)
    order = StreamOrder(far.shards, options.batch, 0, 0)
    runs = {
        "folder": contest.load_batches(near, options.batch, options.workers, "cpu"),
        "S3 on loopback": endless_batches(far, order, options.workers),
    }
    take = partial(take_batches, count=options.steps, batch=options.batch)
    for batches in runs.values():
        take(batches)
    turns = [{name: take(batches) for name, batches in runs.items()} for _ in range(options.turns)]
    shown = f"{len(near)} samples of {near.side} pixels, batches of {options.batch}"
    print(f"\n{shown}, {options.workers} workers, {options.system}\n")
    print_head("samples a second", *SPEEDS, *(f"x folder {name}" for name in SPEEDS))
    for name in runs:
        speeds = [statistics.median(turn[name][kind] for turn in turns) for kind in range(2)]
        ratios = [
            statistics.median(turn[name][kind] / turn["folder"][kind] for turn in turns) for kind in range(2)
        ]
        print_row(name, *(f"{speed:.0f}" for speed in speeds), *(f"{ratio:.2f}" for ratio in ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--pairs", type=Path, help="a packed dataset; by default portraits are drawn")
    add("--side", type=int, default=256, help="pixels a side of the portraits")
    add("--count", type=int, default=2000, help="portraits")
    add("--system", default="wash", help="as model.system")
    add("--batch", type=int, default=16, help="samples of a batch")
    add("--workers", type=int, default=0, help="processes that load; their processor time does not count")
    add("--steps", type=int, default=10, help="batches of a turn")
    add("--turns", type=int, default=9, help="turns of each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory(prefix="stream-") as scratch, open_bucket() as bucket:
        folder = options.pairs or pack_portraits(Path(scratch), options.count, options.side)
        upload_folder(folder, bucket / "pairs")
        compare_loaders(folder, bucket / "pairs", options)


if __name__ == "__main__":
    main()
