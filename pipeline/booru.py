"""A Danbooru-compatible site on loopback, for tests, for the sample pipeline and for folders of pictures.

`respond` is the site as a function of catalog and request, `serve` gives it
a socket. What there is to serve comes from `catalog`.
"""

import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from pipeline import Halt, query
from pipeline.catalog import Catalog
from pipeline.files import dumps

TAG_LIMIT = query.LIMITS["anonymous"]


class Refusal(Exception):
    """Answer a request with an error: a status, Danbooru's name for it, and a message."""


def bad(message: str) -> Refusal:
    """Refuse a request that is not understood."""
    return Refusal(400, "ActionController::BadRequest", message)


def parse(tags: str) -> query.Test:
    """Turn a search into a test of posts. Raise Refusal if it has too many tags or cannot be read."""
    if len(query.counted(tags)) > TAG_LIMIT:
        raise Refusal(
            422, "PostQuery::TagLimitError", f"You cannot search for more than {TAG_LIMIT} tags at a time."
        )
    try:
        return query.parse(tags)
    except ValueError as error:
        raise bad(f"{error}.") from None


# ---------------------------------------------------------------- requests and answers

BANNED_AGENTS = ("python-requests", "Mozilla")
HIDDEN = ("md5", "file_url", "large_file_url")  # of banned posts
ORDERS = {"id": ("id", 1), "id_desc": ("id", -1), "score": ("score", -1), "score_asc": ("score", 1)}


@dataclass(frozen=True)
class Answer:
    """What goes back: status, content type, body, and headers beside the usual ones."""

    status: int
    kind: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def respond(catalog: Catalog, host: str, target: str, headers: Mapping[str, str]) -> Answer:
    """Answer GET `target` as Danbooru would, for a site at the address `host` that has no accounts."""
    url = urlsplit(target)
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    if headers.get("User-Agent", "").startswith(BANNED_AGENTS):
        return Answer(
            403, "text/html", b"<!DOCTYPE html><title>Just a moment...</title>", {"cf-mitigated": "challenge"}
        )
    if url.path == "/robots.txt":
        return Answer(
            200, "text/plain", b"User-agent: *\nDisallow: /*.json\nAllow: /original\nAllow: /sample\n"
        )
    try:
        if "Authorization" in headers:
            raise Refusal(401, "SessionLoader::AuthenticationFailure", "Invalid API key.")
        if match := re.fullmatch(r"/original/(..)/(..)/(\1\2[0-9a-f]{28})\.(\w+)", url.path):
            return original(catalog, match[3], match[4])
        return Answer(200, "application/json", dumps(route(catalog, host, url.path, asked)))
    except Refusal as refusal:
        status, error, message = refusal.args
        body = {"success": False, "error": error, "message": message, "backtrace": []}
        return Answer(status, "application/json", dumps(body))


def original(catalog: Catalog, md5: str, ext: str) -> Answer:
    """Send the file of a post, unless it is hidden or not there."""
    found = [post for post in catalog.posts if post["md5"] == md5 and post["file_ext"] == ext]
    try:
        if found and not found[0]["is_banned"]:
            return Answer(200, f"image/{ext.replace('jpg', 'jpeg')}", catalog.read(found[0]))
    except FileNotFoundError:
        pass
    return Answer(404, "text/html", b"<!DOCTYPE html><title>404 Not Found</title>")


def route(catalog: Catalog, host: str, path: str, asked: dict[str, str]) -> dict | list[dict]:
    """Answer a question to the API. Raise Refusal."""
    only = selection(asked.get("only", ""))
    tags = asked.get("tags", "")
    if path == "/counts/posts.json":
        return {"counts": {"posts": sum(map(parse(tags), catalog.posts))}}
    if path == "/posts.json" and "md5" not in asked:
        found = list(filter(parse(tags), catalog.posts))
        return [select(show(post, host), only) for post in browse(found, tags, asked)]
    if path == "/posts.json":
        found = [post for post in catalog.posts if post["md5"] == asked["md5"] and not post["is_banned"]]
    elif match := re.fullmatch(r"/posts/(\d+)\.json", path):
        found = [post for post in catalog.posts if post["id"] == int(match[1])]
    else:
        raise Refusal(404, "ActionController::RoutingError", f"No route matches {path}.")
    if not found:
        raise Refusal(404, "ActiveRecord::RecordNotFound", "That record was not found.")
    return select(show(found[0], host), only)


def browse(posts: list[dict], tags: str, asked: dict[str, str]) -> list[dict]:
    """Take the page that is asked for out of posts sorted by id."""
    match = re.fullmatch(r"([ab]?)(\d+)", asked.get("page", "1"))
    if not match or not asked.get("limit", "20").isdecimal():
        raise bad("page or limit is not a number.")
    number, limit = int(match[2]), min(int(asked.get("limit", "20")), 200)
    if match[1] == "b":
        return [post for post in reversed(posts) if post["id"] < number][:limit]
    if match[1] == "a":
        return [post for post in posts if post["id"] > number][:limit][::-1]
    if number > 1000:
        raise Refusal(410, "PaginationExtension::PaginationError", "You cannot go beyond page 1000.")
    start = max(number - 1, 0) * limit
    return ordered(posts, tags)[start : start + limit]


def ordered(posts: list[dict], tags: str) -> list[dict]:
    """Sort posts as the last order: of a search says, newest first without one."""
    names = re.findall(r"(?<!\S)order:(\S+)", f"order:id_desc {tags}")
    name, sign = ORDERS.get(names[-1], ORDERS["id_desc"])
    return sorted(posts, key=lambda post: (sign * post[name], -post["id"]))


def show(post: dict, host: str) -> dict:
    """Return a post as strangers see it: where its file is, or no trace of a hidden one."""
    if post["is_banned"]:
        return {name: value for name, value in post.items() if name not in HIDDEN}
    md5 = post["md5"]
    return post | {"file_url": f"{host}/original/{md5[:2]}/{md5[2:4]}/{md5}.{post['file_ext']}"}


def selection(text: str) -> dict:
    """Read the fields of only=, such as id,media_asset[pixel_hash], as a tree of names."""
    branches, name = [{}], ""
    for token in re.findall(r"\w+|\[|\]", text):
        if token == "[" and name in branches[-1]:
            branches.append(branches[-1][name])
        elif token == "]" and len(branches) > 1:
            branches.pop()
        elif token in "[]":
            raise bad("only has a bracket too many.")
        else:
            name = token
            branches[-1][name] = {}
    if len(branches) > 1:
        raise bad("only lacks a bracket.")
    return branches[0]


def select(value, tree: dict):
    """Reduce an object to the fields of a tree; without one all stay."""
    if not tree or not isinstance(value, dict):
        return value
    return {name: select(value[name], branch) for name, branch in tree.items() if name in value}


# ---------------------------------------------------------------- the socket


class Server(ThreadingHTTPServer):
    """A catalog on a port of 127.0.0.1. `instead` may answer a request in the site's place."""

    request_queue_size = 128

    def __init__(self, catalog: Catalog, port: int, instead: Callable[[str], Answer | None]):
        """Listen on `port`, or on any free one for 0."""
        super().__init__(("127.0.0.1", port), Handler)
        self.catalog, self.instead = catalog, instead
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Keep silent about a client that hangs up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgment of its head

    def do_GET(self):
        """Answer a request."""
        server = self.server
        answer = server.instead(self.path)
        answer = answer or respond(server.catalog, server.address, self.path, self.headers)
        self.send_response(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.body))} | answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format, *args):
        """Keep silent."""


@contextmanager
def serve(catalog: Catalog, instead: Callable[[str], Answer | None] = lambda target: None) -> Iterator[str]:
    """Run the site in the background and yield its address; `instead` makes it fail at will."""
    with Server(catalog, 0, instead) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.address
        finally:
            server.shutdown()
            thread.join()


def forever(catalog: Catalog, port: int) -> None:
    """Run the site until the process ends. Raise Halt if the port is taken."""
    try:
        server = Server(catalog, port, lambda target: None)
    except OSError as error:
        raise Halt(f"port {port} of 127.0.0.1 cannot be opened ({error.strerror}): choose another") from error
    with server:
        server.serve_forever()
