"""A site whose requests are recorded, its posts, a clock, and sources, for the tests of web and sources."""

import json
import tracemalloc
from contextlib import contextmanager
from random import Random

import pytest

from pipeline import files
from pipeline.booru.server import Answer
from pipeline.errors import Halt
from pipeline.local.source import open_source
from pipeline.params import Search
from pipeline.sources import query
from pipeline.sources.posts import POST_DEFAULTS, Refused, describe_post, read_posts
from pipeline.sources.search import search_posts as search_site
from pipeline.web import ratelimit
from pipeline.web.client import open_site

ALL = Search(rating="g,s,q,e", score=-100, size=1)
EVERY_METATAG = (
    "status:any rating:g,s,q,e score:>=-9 width:>=0 height:>=0 id:>0 date:2000-01-01.. ratio:>=0 -x"
)


class Clock(ratelimit.Clock):
    """A clock whose time passes only in `sleep`."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def stop(self):
        """Do nothing, since no thread waits for this clock."""


class Traffic:
    """Record every request to a site; answer in its place those whose target holds a name in `troubles`."""

    def __init__(self):
        self.requests, self.targets, self.troubles = [], [], {}

    def __call__(self, request):
        """Return an answer in the site's place, or None."""
        self.requests.append(request)
        self.targets.append(request.target)
        for name, answer in self.troubles.items():
            if name in request.target:
                return answer(request.target) if callable(answer) else answer
        return None

    @property
    def files(self):
        return [target for target in self.targets if target.startswith("/original/")]


def read(post):
    """Return the file of a post."""
    return Random(post["id"]).randbytes(2000 + post["id"])


def make_post(number, **fields):
    """Make a post that every search of `ALL` finds."""
    fields = {"image_width": 600, "image_height": 700} | fields
    return describe_post(number, read({"id": number}), fields.pop("ext", "png"), **fields)


def make_posts(count):
    """Make posts with ids that leave gaps."""
    return [make_post(3 * number) for number in range(1, count + 1)]


def find(host, path, search=ALL):
    """Search a site and write the posts to a file."""
    with open_site(host) as site:
        search_site(site, path, search)
    return list(read_posts(path))


def answers(*given):
    """Return a function that gives one answer after the other, then lets the site answer."""
    rest = list(given)
    return lambda target: rest.pop(0) if rest else None


def refuse(status, error="Some::Error", **headers):
    """Make an error in Danbooru's form."""
    body = files.dumps({"success": False, "error": error, "message": "no", "backtrace": []})
    return Answer(status, "application/json", body, headers)


def source_posts(host):
    """Read all posts of a source; check that each one is complete and can be searched."""
    posts = [post for post in open_source(str(host)).posts() if not isinstance(post, Refused)]
    told = [{"created_at": "2020-01-01", "rating": "g", "score": 0} | post for post in posts]
    assert all(map(query.parse_search(EVERY_METATAG), told))
    for post in posts:
        assert {*POST_DEFAULTS, "id", "tag_string", "file_url"} <= post.keys()
    return posts


def source_refused(host):
    """Return the name, the reason and the detail of whatever in a source is no post."""
    found = open_source(str(host)).posts()
    return [(bad.name, bad.reason, bad.detail) for bad in found if isinstance(bad, Refused)]


def source_error(host):
    """Return the sentence with which a source is refused."""
    with pytest.raises(Halt) as caught:
        list(open_source(str(host)).posts())
    return str(caught.value)


def write_lines(path, *records):
    """Write JSON lines."""
    files.write(path, b"".join(json.dumps(record).encode() + b"\n" for record in records))
    return path


@contextmanager
def memory_below(limit):
    """Check that Python allocates fewer bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
