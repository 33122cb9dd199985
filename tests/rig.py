"""A site on loopback whose traffic is watched, for the tests of the client."""

from random import Random

from pipeline import files
from pipeline.booru.server import Answer
from pipeline.params import Search
from pipeline.sources.posts import describe_post, read_posts
from pipeline.sources.search import search_posts as search_site
from pipeline.web import ratelimit
from pipeline.web.client import open_site

ALL = Search(rating="g,s,q,e", score=-100, size=1)


class Clock(ratelimit.Clock):
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        """Begin at zero."""
        self.now, self.slept = 0.0, []

    def monotonic(self):
        """Return the time in seconds."""
        return self.now

    def sleep(self, seconds):
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def stop(self):
        """Do nothing, since no thread waits for this clock."""


class Traffic:
    """See every request that a site gets, and answer those in its place that hold a name in `troubles`."""

    def __init__(self):
        """See nothing yet."""
        self.requests, self.targets, self.troubles = [], [], {}

    def __call__(self, request):
        """Return an answer in the site's place, or nothing."""
        self.requests.append(request)
        self.targets.append(request.target)
        for name, answer in self.troubles.items():
            if name in request.target:
                return answer(request.target) if callable(answer) else answer
        return None

    @property
    def files(self):
        """List the files that were asked for."""
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
    """Return what gives one answer after the other, then lets the site answer."""
    rest = list(given)
    return lambda target: rest.pop(0) if rest else None


def refuse(status, error="Some::Error", **headers):
    """Make an error in Danbooru's form."""
    body = files.dumps({"success": False, "error": error, "message": "no", "backtrace": []})
    return Answer(status, "application/json", body, headers)
