"""The files of posts: checked in their folder, or downloaded once and kept in the cache.

In the cache, `files` holds them by their md5; `names` maps the addresses of files without a published md5 to
the hashes of their bytes; `rejects` remembers files that are rejected for good, with the reason. A download
lies beside the place of its result until it is whole (see resume.py).
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock

from pipeline.errors import Halt
from pipeline.files import hash_file, read_note, write_note
from pipeline.params import Fetch
from pipeline.sources.checks import FileRejected, WantedFile, check_bytes, check_file
from pipeline.sources.download import Download
from pipeline.sources.posts import Post, PostSource, Refused, is_address
from pipeline.sources.resume import discard
from pipeline.untrusted import HIDDEN, hide_secrets
from pipeline.web.client import Site

FILE_LOCKS = [Lock() for _ in range(1024)]  # by the hash of a file: two threads must not write the same .part


@dataclass(frozen=True)
class StoredFile:
    """A checked file; its `sha256` too if no md5 was published, so that changes are noticed."""

    path: Path
    md5: str
    sha256: str = ""


@dataclass(frozen=True)
class Folder:
    """The files in a folder; those of the posts of a source that has its pictures on disk.

    `cache` has notes on finished shards alone. A file that was missing may be there by now, so a shard that
    lacks one is made again.
    """

    root: Path
    params: Fetch
    cache: Path | None = None

    host, again, closed = "", True, False  # see Store

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file of the folder. Raise FileRejected if it is not the wanted one."""
        name, path = PurePosixPath(file.url), self.root / file.url
        if name.is_absolute() or ".." in name.parts or not path.is_file():  # a link to a file is one
            raise FileRejected("gone", "not in the folder")
        check_bytes(path.stat().st_size, self.params)
        file = replace(file, width=0, height=0)  # a dump may give the original's size
        return StoredFile(path, check_file(file, path, self.params), own_hash(file, path))

    def complete(self, post: Post) -> Post:
        return post

    def decides(self, post: Post) -> bool:
        """Return whether a post tells by hashes which bytes its files must have."""
        return "md5" in post and "sketch_url" not in post

    def stop(self) -> None:
        """Do nothing, since nothing is downloaded."""


@dataclass(frozen=True)
class Store:
    """The files of a site, kept in the folder `cache`; with `again` it asks for rejected ones once more.

    Those of a list may be on any site, or below its folder; the list is `source`.
    """

    site: Site
    cache: Path
    params: Fetch
    again: bool = False
    source: PostSource | None = None

    @property
    def host(self) -> str:
        return self.site.host

    @property
    def closed(self) -> bool:
        return self.site.closed

    def stop(self) -> None:
        """End all downloads and waits."""
        self.site.stop()

    @cached_property
    def secret_addresses(self) -> dict[int, str]:
        """The addresses of a list that hold secrets, by the id of their post; read from the list."""
        posts = self.source.posts() if self.source else ()
        found = {post["id"]: post.get("file_url", "") for post in posts if not isinstance(post, Refused)}
        return {number: url for number, url in found.items() if hide_secrets(url) != url}

    def complete(self, post: Post) -> Post:
        """Return a post with the secrets of its address, which `posts.jsonl` leaves out. Raise Halt."""
        if not self.source or HIDDEN not in post.get("file_url", ""):
            return post
        if post["id"] not in self.secret_addresses:
            raise Halt(f"the list no longer has the address of post {post['id']}: run search again")
        return post | {"file_url": self.secret_addresses[post["id"]]}

    def decides(self, post: Post) -> bool:
        """Return True, since what was received once is not asked for again."""
        return True

    def obtain(self, file: WantedFile) -> StoredFile:
        """Return a file, downloaded if necessary. Raise FileRejected. Several threads may call this."""
        if self.source and self.is_local(file):
            return Folder(self.source.root, self.params).obtain(file)
        with FILE_LOCKS[hash(file.md5 or file.url) % len(FILE_LOCKS)]:
            if stored := self.find(file):
                return stored
            rejected = self.record("rejects", file)
            if (known := read_note(rejected)) and not self.again:
                raise FileRejected(known["reason"], known["detail"])
            part = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
            part = part.with_name(f"{part.name}.part")
            try:
                md5 = Download(self.site, self.address(file), file, part, self.params).run()
            except FileRejected as reject:
                if reject.reason != "transient":
                    url = hide_secrets(file.url)
                    write_note(rejected, {"reason": reject.reason, "detail": reject.detail, "url": url})
                raise
            rejected.unlink(missing_ok=True)
            return self.adopt(file, part, md5)

    def is_local(self, file: WantedFile) -> bool:
        return self.source is not None and not is_address(file.url)

    def record(self, shelf: str, file: WantedFile) -> Path:
        """Return the path of the record about an address on a shelf, `names` or `rejects`."""
        name = hashlib.sha256(self.address(file).encode()).hexdigest()
        return self.cache / shelf / name[:2] / name

    def address(self, file: WantedFile) -> str:
        return file.url if is_address(file.url) else f"{self.site.host}/{file.url.lstrip('/')}"

    def path(self, md5: str, ext: str) -> Path:
        return self.cache / "files" / md5[:2] / f"{md5}.{ext or 'bin'}"

    def knows(self, file: WantedFile) -> bool:
        """Return whether a file was received, or was rejected for good, without reading it."""
        path = self.path(file.md5, file.ext) if file.md5 else self.record("names", file)
        return path.is_file() or self.record("rejects", file).is_file()

    def find(self, file: WantedFile) -> StoredFile | None:
        """Return a file that was received earlier, unless it is missing or its bytes changed since."""
        known = {"md5": file.md5, "sha256": ""}
        if not file.md5:
            known = read_note(self.record("names", file))
            if known is None:
                return None
        stored = StoredFile(self.path(known["md5"], file.ext), known["md5"], known["sha256"])
        kind = "sha256" if stored.sha256 else "md5"
        intact = stored.path.is_file() and hash_file(stored.path, kind) == known[kind]
        return stored if intact else None

    def adopt(self, file: WantedFile, part: Path, md5: str) -> StoredFile:
        """Move a checked file to its place in `files`."""
        sha256 = own_hash(file, part)
        stored = StoredFile(self.path(md5, file.ext), md5, sha256)
        stored.path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(stored.path)
        discard(part)
        if sha256:
            known = {"md5": md5, "sha256": sha256, "url": hide_secrets(file.url)}
            write_note(self.record("names", file), known)
        return stored


def own_hash(file: WantedFile, path: Path) -> str:
    """Return the SHA-256 of a checked file if no md5 was published, else ""."""
    return "" if file.md5 else hash_file(path)


Files = Folder | Store
