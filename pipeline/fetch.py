"""Posts -> their originals in shards, each file asked for once and checked by md5.

Files are kept by md5 beside the outputs, so that no run asks for one that an earlier run received.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urljoin

import requests

from pipeline import Halt, samples
from pipeline.danbooru import SILENCE, Overload, Site, is_page, read_posts
from pipeline.files import dumps, whole, write
from pipeline.images import SUFFIXES
from pipeline.run import Report
from pipeline.samples import Sample

FINAL = {404: "gone", 410: "gone", 451: "takedown"}
CATEGORIES = ("artist", "character", "copyright", "general", "meta")


class Reject(Exception):
    """Give the reason why a file cannot be had; reasons are few and fixed, they are keys of a metric."""


class Damage(Reject):
    """Give the reason why a file did not arrive, though it may the next time."""


def fetch(
    site: Site,
    source: Path,
    dest: Path,
    *,
    shard: int,
    cache: Path,
    tick: Callable[[int, int], None] = lambda done, posts: None,
    threads: int = 4,
) -> Report:
    """Write the originals of the posts in `source` to `dest`, `shard` posts to a shard, in their order.

    Files come from the folder `cache`, where they are kept by md5, or else from the site. After each post
    `tick` gets how many are done and the number of all. Raise Halt if the site is down or gives no file.
    """
    posts = read_posts(source)
    samples.unseal(dest)
    report, made = Report(), []
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(posts), shard):
            batch = posts[start : start + shard]
            files = [pool.submit(obtain, site, cache, post) for post in batch]
            lines = lay_down(site, batch, files, report, lambda: tick(report.taken, len(posts)))
            try:
                made.append(samples.write_shard(dest / f"{start // shard:06d}.tar", lines))
            finally:  # nobody waits for the others when one stops the run
                for file in files:
                    file.cancel()
    samples.write_ledger(dest, report.rejects)
    if not report.kept:
        raise Halt(f"no file could be fetched: see {dest / samples.LEDGER}")
    samples.seal(dest, made, report.taken, report.rejected)
    return report


def lay_down(
    site: Site, posts: list[dict], files: list[Future[Path]], report: Report, tick: Callable[[], None]
) -> Iterator[Sample]:
    """Yield a sample per file as it arrives; note in `report` what became of each post."""
    for post, file in zip(posts, files, strict=True):
        key = f"{post['id']:09d}"
        try:
            data = file.result().read_bytes()
        except Reject as reason:
            report.rejects.append((key, str(reason)))
        except Overload:
            if site.silence >= SILENCE:
                raise
            report.rejects.append((key, "transient"))
        else:
            report.kept[key] = {}
            yield Sample(key, {post["file_ext"]: data, "json": dumps(facts(post))})
        tick()


def facts(post: dict) -> dict:
    """Return what a sample says of its post; a family is named by the id of its parent."""
    tags = " ".join(post.get(f"tag_string_{category}", "") for category in CATEGORIES)
    return {
        "id": post["id"],
        "family": post.get("parent_id") or post["id"],
        "rating": post.get("rating", ""),
        "score": post.get("score", 0),
        "source": post.get("source", ""),
        "artist": post.get("tag_string_artist", ""),
        "tags": sorted(tags.split()),
        "md5": post["md5"],
    }


def obtain(site: Site, cache: Path, post: dict) -> Path:
    """Return where the file of a post is, after downloading it if need be. Raise Reject or Halt.

    What is final is kept too: no run asks again for a file that is gone.
    """
    md5, ext = post.get("md5") or "", post.get("file_ext")
    if not re.fullmatch("[0-9a-f]{32}", md5) or not post.get("file_url"):
        raise Reject("hidden")
    if ext not in SUFFIXES:
        raise Reject("wrong type")
    path = cache / "files" / md5[:2] / f"{md5}.{ext}"
    if path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() == md5:
        return path
    url = urljoin(f"{site.host}/", post["file_url"])
    name = hashlib.sha256(url.encode()).hexdigest()
    verdict = cache / "rejects" / name[:2] / name
    if verdict.is_file():
        raise Reject(verdict.read_text())
    for last in (False, False, True):
        try:
            download(site, url, path, post)
            break
        except Damage:
            if last:
                raise
        except Reject as reason:
            write(verdict, str(reason).encode())
            raise
    return path


def download(site: Site, url: str, path: Path, post: dict) -> None:
    """Write a file to `path` if it arrives whole. Raise Reject, Damage or Halt."""
    with site.get(url) as response:
        if response.status_code in FINAL:
            raise Reject(FINAL[response.status_code])
        if response.status_code != 200:
            raise site.refusal(response)
        if is_page(response):
            raise Reject("wrong type")
        with whole(path) as file:
            digest = hashlib.md5()
            for chunk in chunks(response):
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != post["md5"]:
                raise Damage("truncated" if file.tell() < post.get("file_size", 0) else "md5 mismatch")


def chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of an answer piece by piece. Raise Damage if the connection breaks or stalls."""
    try:
        yield from response.iter_content(1 << 16)
    except requests.exceptions.ChunkedEncodingError as error:
        raise Damage("truncated") from error
    except requests.ConnectionError as error:
        raise Damage("transient") from error
