"""Speed, memory and correctness of search and fetch on a loopback site; the speed next to img2dataset's.

The site runs in a process of its own, and every measurement in a fresh one. img2dataset downloads the same
files from the same site with as many processes as there are cores, into WebDataset shards, without resizing;
of its numbers of threads the best counts. Both write to `.bench`, on one disk.
"""

import argparse
import csv
import hashlib
import json
import os
import re
import resource
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp
from typing import NamedTuple

from loopback import Contents, Loopback, file_path, running_site
from tables import print_head, print_row

from pipeline.files import dumps
from pipeline.params import Fetch, Search
from pipeline.shards.column import list_shards
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.sources import fetch, search
from pipeline.sources.posts import read_posts
from pipeline.sources.store import Store
from pipeline.web.client import open_site

FETCH_HOME = Path(".bench")
CORES = os.cpu_count() or 1
LARGE_FILES = Contents(2000, side=1448, quality=98)  # files of 300 KB
SMALL_FILES = 80, 85  # side and quality of files of 3 KB
FEW, MANY, FAULTY = 2_000, 20_000, 10_000  # posts
ALL = Search(score=-100, size=1, types="jpg,mp4", limit=10**6)
THREADS = (16, 64, 256)  # of each process of img2dataset
TIMEOUT = 10, 0.5  # seconds to connect, and between two packets, so that a stall ends soon
MODES = {  # of img2dataset: files unchanged and checked as ours are; or its default
    "unchanged": {"disable_all_reencoding": True, "verify_hash": '["md5","md5"]'},
    "reencoded": {},
}
FETCH_ROUNDS = 3


def search_all(address: str, home: Path) -> None:
    with open_site(address) as site:
        search.search_posts(site, home / "posts.jsonl", ALL)


def fetch_all(address: str, posts: Path, params: Fetch, dest: Path) -> None:
    with open_site(address) as site:
        site.timeout = TIMEOUT
        fetch.fetch_files(Store(site, dest / "cache", params), posts, dest / "original")


def measure_fresh(function: Callable, *args) -> tuple[float, float]:
    """Call a function in a process of its own; return its seconds, and its peak memory in megabytes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measure_call, function, *args).result()


def measure_call(function: Callable, *args) -> tuple[float, float]:
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start, peak_memory()


def peak_memory() -> float:
    """Return the peak memory of this process in megabytes.

    On Linux getrusage would begin with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text(encoding="utf-8"))[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


@contextmanager
def searched_site(contents: Contents) -> Iterator[tuple[Loopback, Path, float]]:
    """Run a site and search it from a new folder; yield both, and the peak memory of the search."""
    with running_site(contents) as site, TemporaryDirectory(dir=FETCH_HOME) as home:
        yield site, Path(home), measure_fresh(search_all, site.address, Path(home))[1]


class Fetched(NamedTuple):
    """What a run took."""

    rate: float  # files per second
    seconds: float  # of its processes, with their start
    processor: float  # seconds of all its processes
    intact: int  # files


def print_speed(rival: Path) -> None:
    """Print the files per second of both, and the time of their processes, in all and of the processors.

    That of a few files is subtracted from the processors' time: it is that of their start. The files of a
    run stay until the end: a file system is slow for a while after thousands of files are removed, and only
    one of the two writes so many.
    """
    with searched_site(LARGE_FILES) as (site, home, _):
        few = write_lists(site, home, "few", CORES)
        files = write_lists(site, home, "all")
        theirs = partial(fetch_theirs, rival, home, "unchanged")
        threads = max(THREADS, key=lambda number: theirs(number, "all", files).rate)
        runs: dict[str, Callable[[str, set[str]], Fetched]] = {"inkwash": partial(fetch_ours, site, home)}
        for mode in MODES:
            name = f"img2dataset {mode}, {CORES} x {threads} threads"
            runs[name] = partial(fetch_theirs, rival, home, mode, threads)
        starts = {name: run("few", few).processor for name, run in runs.items()}
        rounds = [{name: run("all", files) for name, run in runs.items()} for _ in range(FETCH_ROUNDS)]
    print(f"\n{len(files)} files of 300 KB, {CORES} cores, median of {FETCH_ROUNDS}\n")
    print_head("", "files/s", "processor ms/file", "s in all", "intact", "inkwash is as many times that")
    for name in runs:
        runs_of = zip(*(each[name] for each in rounds), strict=True)
        rate, seconds, processor, intact = map(median, runs_of)
        spent = 1000 * (processor - starts[name]) / (len(files) - len(few))
        ratio = median(each["inkwash"].rate / each[name].rate for each in rounds)
        print_row(name, f"{rate:.1f}", f"{spent:.2f}", f"{seconds:.1f}", f"{intact:.0f}", f"{ratio:.2f}")


def write_lists(site: Loopback, home: Path, name: str, count: int | None = None) -> set[str]:
    """Write the first posts found to a file, and their addresses and md5s to a table; return the md5s."""
    posts = list(islice(read_posts(home / "posts.jsonl"), count))
    (home / f"{name}.jsonl").write_bytes(b"".join(dumps(post) + b"\n" for post in posts))
    rows = [(site.address + post["file_url"], post["md5"]) for post in posts]
    with (home / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("url", "md5"), *rows])
    return {md5 for _, md5 in rows}


def fetch_ours(site: Loopback, home: Path, name: str, files: set[str]) -> Fetched:
    dest = Path(mkdtemp(dir=home))
    os.sync()
    start, before = time.perf_counter(), processor_of_children()
    taken = measure_fresh(fetch_all, site.address, home / f"{name}.jsonl", Fetch(), dest)[0]
    seconds, processor = time.perf_counter() - start, processor_of_children() - before
    return Fetched(len(files) / taken, seconds, processor, count_intact(dest / "original", files))


def fetch_theirs(rival: Path, home: Path, mode: str, threads: int, name: str, files: set[str]) -> Fetched:
    """Download with img2dataset; its rate counts from the start of its first shard to the end of its last."""
    dest = Path(mkdtemp(dir=home), "original")
    os.sync()
    options = {
        "url_list": home / f"{name}.csv", "input_format": "csv", "output_folder": dest,
        "output_format": "webdataset", "processes_count": CORES, "thread_count": threads,
        "number_sample_per_shard": -(-len(files) // CORES), "resize_mode": "no", "compute_hash": "md5",
        "extract_exif": False, **MODES[mode],
    }  # fmt: skip
    words = [str(word) for option, value in options.items() for word in (f"--{option}", value)]
    environment = os.environ | {"NO_PROXY": "127.0.0.1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    start, before = time.perf_counter(), processor_of_children()
    subprocess.run([rival, *words], env=environment, check=True, capture_output=True)
    seconds, processor = time.perf_counter() - start, processor_of_children() - before
    stats = [json.loads(path.read_bytes()) for path in dest.glob("*_stats.json")]
    span = max(each["end_time"] for each in stats) - min(each["start_time"] for each in stats)
    rate = sum(each["successes"] for each in stats) / span
    return Fetched(rate, seconds, processor, count_intact(dest, files))


def processor_of_children() -> float:
    """Return the processor seconds of the processes that this one started, and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def count_intact(folder: Path, files: set[str]) -> int:
    """Count the files, given by md5, that are in the shards of a folder."""
    found = set()
    for shard in folder.glob("*.tar"):
        with tarfile.open(shard) as tar:
            found |= {hashlib.md5(tar.extractfile(each).read()).hexdigest() for each in tar}
    return len(files & found)


def install_rival() -> Path:
    """Return the command of img2dataset, after installing it in an environment of its own."""
    home = FETCH_HOME / "img2dataset"
    if not (home / "bin" / "img2dataset").is_file():
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", "3.11", home], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", home, "img2dataset"], check=True)
    return home / "bin" / "img2dataset"


def print_memory() -> None:
    """Print the peaks of search and fetch for few and for many posts, and the cost of a second run."""
    peaks = []
    for posts in (FEW, MANY):
        with searched_site(Contents(posts, *SMALL_FILES)) as (site, home, peak):
            peaks.append(
                (peak, measure_fresh(fetch_all, site.address, home / "posts.jsonl", Fetch(), home)[1])
            )
            site.read_log()
            seconds, _ = measure_fresh(fetch_all, site.address, home / "posts.jsonl", Fetch(), home)
            requests = len(site.read_log())
    print()
    print_head("peak memory, MB", f"{FEW} posts", f"{MANY} posts", "times")
    for name, few, many in zip(("search", "fetch"), *peaks, strict=True):
        print_row(name, f"{few:.1f}", f"{many:.1f}", f"{many / few:.2f}")
    print(f"\nA second fetch takes {1e4 * seconds / MANY:.2f} s per 10,000 posts, and {requests} requests.")


def print_faults() -> None:
    """Print the outcome for posts of which 5 % fail in every way that a site can."""
    contents = Contents(FAULTY, *SMALL_FILES, faulty=True)
    print(f"\n{FAULTY} posts with faults\n")
    print_head("run", "fetched", "rejected", "wrong", "sent twice", "requests", "needless", "s")
    with searched_site(contents) as (site, home, _):
        sound, transient = Counter(), set()
        for run in (1, 2):
            seconds, _ = measure_fresh(
                fetch_all, site.address, home / "posts.jsonl", Fetch(tolerance=100), home
            )
            log = site.read_log()
            sound.update(path for path, whole in log if whole)
            requested = {path for path, _ in log}
            # the second run must request what failed for now in the first, and nothing else
            needless = len(requested ^ transient) if run == 2 else 0
            counts, transient = check_outcome(contents, home, run, sound)
            print_row(run, *counts, len(requested), needless, f"{seconds:.1f}")


def check_outcome(
    contents: Contents, home: Path, run: int, sound: Counter[str]
) -> tuple[tuple[int, ...], set[str]]:
    """Compare shards, ledger and log with the right outcome for each post.

    Return how many are fetched, rejected, wrong, and sent twice, and the files that failed for now.
    """
    catalog = contents.catalog()
    rows = [(key, reason) for key, reason, _ in read_ledger(home / "original" / LEDGER)[1:]]
    samples = [each for shard in list_shards(home / "original") for each in shard]
    fetched, rejected = {each.key: each.picture for each in samples}, dict(rows)
    wrong = len(samples) + len(rows) - len(fetched | rejected)  # twice in one of them, or in both
    transient = set()
    for post in catalog.posts:
        key, reason, path = f"{post['id']:09d}", contents.rejection(post, run), file_path(post)
        expected = None if reason else catalog.read(post)
        wrong += rejected.get(key, "") != reason or fetched.get(key) != expected
        wrong += sound[path] != (not reason)
        if rejected.get(key) == "transient":
            transient.add(path)
    twice = sum(times > 1 for times in sound.values())
    return (len(fetched), len(rejected), wrong, twice), transient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", default=["speed", "memory", "faults"], help="what to measure")
    parser.add_argument("--img2dataset", type=Path, help="its command, if it need not be installed")
    options = parser.parse_args()
    FETCH_HOME.mkdir(exist_ok=True)
    if "speed" in options.figures:
        print_speed(options.img2dataset or install_rival())
    if "memory" in options.figures:
        print_memory()
    if "faults" in options.figures:
        print_faults()


if __name__ == "__main__":
    main()
