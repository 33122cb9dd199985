"""A site on loopback in a process of its own, with as many posts as one likes and a log of what it sent.

A post's file is one of a few drawings with a comment of its own: a picture that any decoder opens, and of
which a site need not keep a copy. `TROUBLES` is what can go wrong with a file, and what must become of it.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection

from PIL import Image

from pipeline.booru import artist, site
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer, Request, run_server
from pipeline.chance import fraction
from pipeline.images import pixels
from pipeline.sources.posts import describe_post

BASES = 8  # drawings
SHARE = 0.7  # of the files whose md5 begins with the number of a trouble, one in 256, which it strikes
TROUBLES = (  # what a site does with a file, and what becomes of that in the first run and in the second
    (FaultRule("status", status=404), "gone", "gone"),
    (FaultRule("status", status=410), "gone", "gone"),
    (FaultRule("status", status=451), "banned", "banned"),
    (FaultRule("status", status=503), "transient", "transient"),
    (FaultRule("status", status=503, times=1, share=0.4), "", ""),
    (FaultRule("page"), "wrong type", "wrong type"),
    (FaultRule("empty"), "truncated", "truncated"),
    (FaultRule("short"), "truncated", "truncated"),
    (FaultRule("truncate"), "truncated", "truncated"),
    (FaultRule("truncate", times=1), "", ""),
    (FaultRule("stall", keep=0.2, share=0.2), "transient", "transient"),
    (FaultRule("stall", times=1, share=0.4), "", ""),
    (FaultRule("corrupt"), "mismatch", "mismatch"),
    (FaultRule("corrupt", times=1), "", ""),
    (FaultRule("type"), "wrong type", "wrong type"),
    (FaultRule("redirect"), "moved", "moved"),
    (FaultRule("edge", times=1), "transient", ""),
    (FaultRule("limit", seconds=1, every=10), "", ""),
)
FAULT_RULES = tuple(
    replace(rule, share=SHARE * rule.share, match=f"^/original/{number:02x}/")
    for number, (rule, *_) in enumerate(TROUBLES)
)
OUTCASTS = (  # what a post may say of itself, and the reason why there is no file then
    ({"is_banned": True}, "banned"),
    ({"is_restricted": True}, "hidden"),
    ({"image_width": 20_000, "image_height": 20_000}, "too big"),
    ({"file_ext": "mp4"}, "wrong type"),
)
EVERY = 512  # posts, of which one is an outcast of each sort


@dataclass(frozen=True)
class Contents:
    """What a site holds: how many posts, how large their pictures are, and whether anything goes wrong."""

    posts: int
    side: int  # pixels
    quality: int = 90
    faulty: bool = False

    def catalog(self) -> Catalog:
        """Make the posts, numbered from 1."""
        bases = [draw_base(number, self.side, self.quality) for number in range(BASES)]

        def read(post: dict) -> bytes:
            return label(bases[post["id"] % BASES], post["id"])

        return Catalog([self.post(number, read({"id": number})) for number in range(1, self.posts + 1)], read)

    def post(self, number: int, data: bytes) -> dict:
        """Describe the post of a file."""
        size = {"image_width": self.side, "image_height": self.side}
        fields = size | (OUTCASTS[number % EVERY][0] if self.is_outcast(number) else {})
        return describe_post(number, data, "jpg", **fields) | fields

    def is_outcast(self, number: int) -> bool:
        """Tell whether there is no file to have of a post, whatever the site does."""
        return self.faulty and number % EVERY < len(OUTCASTS)

    def fate(self, post: dict, run: int) -> str:
        """Return the reason why a post has no file after the run 1 or 2, or nothing if it has one."""
        if self.is_outcast(post["id"]):
            return OUTCASTS[post["id"] % EVERY][1]
        path = target(post)
        struck = (
            outcome[run - 1]
            for rule, (_, *outcome) in zip(FAULT_RULES, TROUBLES, strict=True)
            if re.search(rule.match, path) and fraction(0, rule.fault, path) < rule.share
        )
        return next(struck, "") if self.faulty else ""


def draw_base(number: int, side: int, quality: int) -> bytes:
    """Draw a JPEG."""
    picture = Image.fromarray(pixels.resize(artist.draw(artist.portrait(number)), side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=quality)
    return buffer.getvalue()


def label(data: bytes, number: int) -> bytes:
    """Put a comment into a JPEG: one that no other post has."""
    comment = b"post %09d" % number
    return b"".join((data[:2], b"\xff\xfe", (len(comment) + 2).to_bytes(2, "big"), comment, data[2:]))


def target(post: dict) -> str:
    """Return where a site has the file of a post."""
    return f"/original/{post['md5'][:2]}/{post['md5'][2:4]}/{post['md5']}.{post['file_ext']}"


@dataclass
class Loopback:
    """A running site: its address, and the line to its process."""

    address: str
    line: Connection

    def log(self) -> list[tuple[str, bool]]:
        """List the files asked for since the last look, each with whether all its rest went out."""
        self.line.send(True)
        return self.line.recv()


@contextmanager
def running_site(contents: Contents) -> Iterator[Loopback]:
    """Run a site in a process of its own."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=host, args=(contents, there), daemon=True)
    process.start()
    try:
        yield Loopback(here.recv(), here)
    finally:
        here.send(False)
        process.join()


def host(contents: Contents, line: Connection) -> None:
    """Serve until the other end of the line says no more; whoever asks is let in, whatever the name."""
    catalog, log = contents.catalog(), []
    proper = site.make_site(catalog, None, Faults(list(FAULT_RULES)) if contents.faulty else None)

    def respond(request: Request) -> Answer:
        nameless = {name: value for name, value in request.headers.items() if name != "User-Agent"}
        answer = proper(replace(request, headers=nameless))
        if request.path.startswith("/original/"):
            log.append((request.target, is_sound(catalog, request, answer)))
        return answer

    with run_server(respond) as address:
        line.send(address)
        while line.recv():
            line.send(log.copy())
            log.clear()


def is_sound(catalog: Catalog, request: Request, answer: Answer) -> bool:
    """Tell whether an answer brings all that is still asked for of a file, undamaged."""
    post = catalog.by_md5[request.path.rpartition("/")[2].partition(".")[0]][0]
    return bool(answer.body) and answer.keep == 1 and catalog.read(post).endswith(answer.body)
