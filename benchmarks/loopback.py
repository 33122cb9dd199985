"""A site on loopback in a process of its own, with any number of posts and a log of what it sent.

A post's file is one of a few drawings with its own comment: a picture that any decoder opens, and of which
the site need not keep a copy. `TROUBLES` lists what can go wrong with a file, and the outcome.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection

from portraits import draw_jpeg

from pipeline.booru import site
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer, Request, run_server
from pipeline.chance import fraction
from pipeline.sources.posts import describe_post

DRAWINGS = 8
SHARE = 0.7  # of the files that a trouble may strike: those whose md5 begins with its number, one in 256
TROUBLES = (  # the fault of a file, and the reason for its rejection in the first run and in the second
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
FAULT_RULES = [
    replace(rule, share=SHARE * rule.share, match=f"^/original/{number:02x}/")
    for number, (rule, *_) in enumerate(TROUBLES)
]
OUTCASTS = (  # fields of a post that leave it without a file, and the reason
    ({"is_banned": True}, "banned"),
    ({"is_restricted": True}, "hidden"),
    ({"image_width": 20_000, "image_height": 20_000}, "too big"),
    ({"file_ext": "mp4"}, "wrong type"),
)
OUTCAST_PERIOD = 512  # posts, with one outcast of each sort


@dataclass(frozen=True)
class Contents:
    """The contents of a site: how many posts, the size of their pictures, and whether anything goes wrong."""

    posts: int
    side: int  # pixels
    quality: int = 90
    faulty: bool = False

    def catalog(self) -> Catalog:
        drawings = [draw_jpeg(number, self.side, self.quality) for number in range(DRAWINGS)]

        def read(post: dict) -> bytes:
            return add_comment(drawings[post["id"] % DRAWINGS], b"post %09d" % post["id"])

        return Catalog([self.post(number, read({"id": number})) for number in range(1, self.posts + 1)], read)

    def post(self, number: int, data: bytes) -> dict:
        fields = {"image_width": self.side, "image_height": self.side} | self.outcast(number)[0]
        return describe_post(number, data, "jpg", **fields) | fields

    def outcast(self, number: int) -> tuple[dict, str]:
        """Return the fields that leave a post without a file, and the reason; ({}, "") for most posts."""
        sort = number % OUTCAST_PERIOD
        return OUTCASTS[sort] if self.faulty and sort < len(OUTCASTS) else ({}, "")

    def rejection(self, post: dict, run: int) -> str:
        """Return the reason why a post must be rejected in run 1 or 2, or "" if it must be fetched."""
        if reason := self.outcast(post["id"])[1]:
            return reason
        path = file_path(post)
        for rule, (_, *outcomes) in zip(FAULT_RULES, TROUBLES, strict=True):
            if self.faulty and re.search(rule.match, path) and fraction(0, rule.fault, path) < rule.share:
                return outcomes[run - 1]
        return ""


def add_comment(jpeg: bytes, comment: bytes) -> bytes:
    return b"".join((jpeg[:2], b"\xff\xfe", (len(comment) + 2).to_bytes(2, "big"), comment, jpeg[2:]))


def file_path(post: dict) -> str:
    """Return the path of the file of a post on the site."""
    return f"/original/{post['md5'][:2]}/{post['md5'][2:4]}/{post['md5']}.{post['file_ext']}"


@dataclass
class Loopback:
    """A running site: its address, and the connection to its process."""

    address: str
    connection: Connection

    def read_log(self) -> list[tuple[str, bool]]:
        """List the files requested since the last call, each with whether all the rest of it was sent."""
        self.connection.send(True)
        return self.connection.recv()


@contextmanager
def running_site(contents: Contents) -> Iterator[Loopback]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve_contents, args=(contents, there), daemon=True)
    process.start()
    try:
        yield Loopback(here.recv(), here)
    finally:
        here.send(False)
        process.join()


def serve_contents(contents: Contents, connection: Connection) -> None:
    """Serve until the other end sends False; accept clients of any name."""
    catalog, log = contents.catalog(), []
    strict = site.make_site(catalog, None, Faults(FAULT_RULES) if contents.faulty else None)

    def respond(request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name != "User-Agent"}
        answer = strict(replace(request, headers=headers))
        if request.path.startswith("/original/"):
            log.append((request.target, is_sound(catalog, request, answer)))
        return answer

    with run_server(respond) as address:
        connection.send(address)
        while connection.recv():
            connection.send(log.copy())
            log.clear()


def is_sound(catalog: Catalog, request: Request, answer: Answer) -> bool:
    """Return whether an answer holds all the rest of a file that is requested, undamaged."""
    post = catalog.by_md5[request.path.rpartition("/")[2].partition(".")[0]][0]
    return bool(answer.body) and answer.keep == 1 and catalog.read(post).endswith(answer.body)
