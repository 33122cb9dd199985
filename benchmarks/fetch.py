"""Speed, memory and truth of search and fetch, against a site on loopback; the speed beside img2dataset's.

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
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, mkdtemp

from loopback import Contents, Loopback, running_site, target

from pipeline.params import Fetch, Search
from pipeline.shards.column import list_shards
from pipeline.shards.ledger import LEDGER, read_ledger
from pipeline.sources import fetch, search
from pipeline.sources.posts import read_posts
from pipeline.sources.store import Store
from pipeline.web.client import open_site

FETCH_HOME = Path(".bench")
CORES = os.cpu_count() or 1
LARGE = Contents(2000, side=1448, quality=98)  # files of 300 KB
SMALL = 80, 85  # side and quality of files of 3 KB
ALL = Search(score=-100, size=1, types="jpg,mp4", limit=10**6)
THREADS = (16, 64, 256)  # of each process of img2dataset
TIMEOUT = 10, 0.5  # seconds to connect, and between two packets: a stall shall not take long
MODES = {  # of img2dataset: files as they are, checked as ours; or its default
    "as they are": {"disable_all_reencoding": True, "verify_hash": '["md5","md5"]'},
    "encoded anew": {},
}
FETCH_ROUNDS = 3


# ---------------------------------------------------------------- one run in a fresh process


def fresh(function: Callable, *args):
    """Call a function in a process of its own; its peak of memory counts from nothing."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def find(address: str, home: Path) -> dict:
    """Search a site."""
    with open_site(address) as site:
        return measure_call(search.search_posts, site, home / "posts.jsonl", ALL)


def take(address: str, home: Path, params: Fetch, dest: Path) -> dict:
    """Fetch what was found in `home` to `dest`."""
    with open_site(address) as site:
        site.timeout = TIMEOUT
        posts, original, cache = home / "posts.jsonl", dest / "original", dest / "cache"
        return measure_call(fetch.fetch_files, Store(site, cache, params), posts, original)


def measure_call(function: Callable, *args, **named) -> dict:
    """Call a function; return its seconds, and the peak of this process in megabytes."""
    start = time.perf_counter()
    function(*args, **named)
    return {"seconds": time.perf_counter() - start, "peak": peak()}


def peak() -> float:
    """Return the most memory that this process ever held, in megabytes.

    On Linux getrusage would begin with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s*(\d+)", status.read_text())[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


@contextmanager
def searched(contents: Contents) -> Iterator[tuple[Loopback, Path, dict]]:
    """Run a site and search it from a new folder; yield both, and the measures of the search."""
    with running_site(contents) as site, TemporaryDirectory(dir=FETCH_HOME) as home:
        yield site, Path(home), fresh(find, site.address, Path(home))


# ---------------------------------------------------------------- speed


def race_downloaders(rival: Path) -> None:
    """Print the files per second of both, and the seconds of their processes with all that starting takes.

    What a run leaves lies there until the end, since a file system is slow for a while after thousands of
    files are removed, and only one of the two writes so many.
    """
    with searched(LARGE) as (site, home, _):
        files = list_served(site, home)
        threads = max(THREADS, key=lambda number: fetch_theirs(rival, home, "as they are", number, files)[0])
        runs = {"inkwash": lambda: fetch_ours(site, home, files)}
        for mode in MODES:
            name = f"img2dataset {mode}, {CORES} x {threads} threads"
            runs[name] = partial(fetch_theirs, rival, home, mode, threads, files)
        laps = [{name: run() for name, run in runs.items()} for _ in range(FETCH_ROUNDS)]
    print(f"{len(files)} files of 300 KB, {CORES} cores, median of {FETCH_ROUNDS}: files/s, s in all, intact")
    for name in runs:
        rate, seconds, whole = (median(lap[name][column] for lap in laps) for column in range(3))
        ratio = median(lap["inkwash"][0] / lap[name][0] for lap in laps)
        print(f"  {name:44} {rate:7.1f} {seconds:7.1f} {whole:6.0f}   inkwash: {ratio:5.2f} times this")


def list_served(site: Loopback, home: Path) -> set[str]:
    """Write the address and the md5 of each file that was found to a table; return the md5s."""
    posts = [(site.address + post["file_url"], post["md5"]) for post in read_posts(home / "posts.jsonl")]
    with (home / "files.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("url", "md5"), *posts])
    return {md5 for _, md5 in posts}


def fetch_ours(site: Loopback, home: Path, files: set[str]) -> tuple[float, float, int]:
    """Fetch: files per second, the seconds of the process, and the number of intact files."""
    lap = Path(mkdtemp(dir=home))
    os.sync()
    start = time.perf_counter()
    rate = len(files) / fresh(take, site.address, home, Fetch(), lap)["seconds"]
    return rate, time.perf_counter() - start, intact(lap / "original", files)


def fetch_theirs(
    rival: Path, home: Path, mode: str, threads: int, files: set[str]
) -> tuple[float, float, int]:
    """Download by img2dataset; its rate counts from the start of its first shard to the end of its last."""
    lap = Path(mkdtemp(dir=home))
    os.sync()
    options = {
        "url_list": home / "files.csv", "input_format": "csv", "output_folder": lap / "original",
        "output_format": "webdataset", "processes_count": CORES, "thread_count": threads,
        "number_sample_per_shard": -(-len(files) // CORES), "resize_mode": "no", "compute_hash": "md5",
        "extract_exif": False, **MODES[mode],
    }  # fmt: skip
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    quiet = {"NO_PROXY": "127.0.0.1", "NO_ALBUMENTATIONS_UPDATE": "1"}
    start = time.perf_counter()
    subprocess.run([rival, *words], env=os.environ | quiet, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    stats = [json.loads(path.read_bytes()) for path in (lap / "original").glob("*_stats.json")]
    span = max(each["end_time"] for each in stats) - min(each["start_time"] for each in stats)
    return sum(each["successes"] for each in stats) / span, seconds, intact(lap / "original", files)


def intact(folder: Path, files: set[str]) -> int:
    """Count the files, given by md5, that are in the shards of a folder."""
    found = set()
    for shard in folder.glob("*.tar"):
        with tarfile.open(shard) as tar:
            found |= {hashlib.md5(tar.extractfile(each).read()).hexdigest() for each in tar}
    return len(files & found)


def install() -> Path:
    """Return the command of img2dataset, after installing it where no other package meets it."""
    home = FETCH_HOME / "img2dataset"
    if not (home / "bin" / "img2dataset").is_file():
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", "3.11", home], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", home, "img2dataset"], check=True)
    return home / "bin" / "img2dataset"


# ---------------------------------------------------------------- memory, and a second run


def memory() -> None:
    """Print the peaks of search and fetch at 2,000 and at 20,000 posts, and what a second run takes."""
    peaks = {}
    for posts in (2_000, 20_000):
        with searched(Contents(posts, *SMALL)) as (site, home, found):
            taken = fresh(take, site.address, home, Fetch(), home)
            peaks[posts] = {"search": found["peak"], "fetch": taken["peak"]}
            site.log()
            second = fresh(take, site.address, home, Fetch(), home)
            requests = len(site.log())
    print("peak memory in MB at 2,000 and at 20,000 posts")
    for name in ("search", "fetch"):
        few, many = peaks[2_000][name], peaks[20_000][name]
        print(f"  {name:40} {few:8.1f} {many:8.1f}   {many / few:5.2f} times")
    print("second run over a complete set: s per 10,000 posts, requests for files")
    print(f"  {'fetch':40} {second['seconds'] / 2:8.2f} {requests:8d}")


# ---------------------------------------------------------------- truth


def faults() -> None:
    """Print what became of 10,000 posts of which 5 % fail in every way that a site can."""
    contents = Contents(10_000, *SMALL, faulty=True)
    with searched(contents) as (site, home, _):
        sound, transient = Counter(), set()
        print("10,000 posts with faults: fetched, rejected, wrong, sent twice, asked for, amiss, s")
        for run in (1, 2):
            seconds = fresh(take, site.address, home, Fetch(tolerance=100), home)["seconds"]
            log = site.log()
            sound.update(path for path, whole in log if whole)
            asked = {path for path, _ in log}
            verdict = fresh(judge, contents, home, run, sound)
            amiss = (
                len(asked ^ transient) if run == 2 else 0
            )  # the second asks for what failed for now, no more
            transient = verdict.pop("transient")
            print(f"  {f'run {run}':40}", *verdict.values(), len(asked), amiss, f"{seconds:.1f}")


def judge(contents: Contents, home: Path, run: int, sound: Counter[str]) -> dict:
    """Compare shards, ledger and what the site sent with what must become of each post."""
    catalog = contents.catalog()
    rows = [(key, reason) for key, reason, _ in read_ledger(home / "original" / LEDGER)[1:]]
    laid = [each for shard in list_shards(home / "original") for each in shard]
    kept, refused = {each.key: each.picture for each in laid}, dict(rows)
    wrong = len(laid) + len(rows) - len(kept | refused)  # twice, or both there and rejected
    for post in catalog.posts:
        key, fate = f"{post['id']:09d}", contents.fate(post, run)
        wrong += refused.get(key, "") != fate or kept.get(key) != (None if fate else catalog.read(post))
        wrong += sound[target(post)] != (not fate)
    gone = {target(post) for post in catalog.posts if refused.get(f"{post['id']:09d}") == "transient"}
    twice = sum(times > 1 for times in sound.values())
    return {"fetched": len(kept), "rejected": len(refused), "wrong": wrong, "twice": twice, "transient": gone}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", default=["speed", "memory", "faults"], help="what to measure")
    parser.add_argument("--img2dataset", type=Path, help="its command, if it need not be installed")
    given = parser.parse_args()
    FETCH_HOME.mkdir(exist_ok=True)
    if "speed" in given.figures:
        race_downloaders(given.img2dataset or install())
    if "memory" in given.figures:
        memory()
    if "faults" in given.figures:
        faults()


if __name__ == "__main__":
    main()
