"""A Danbooru-compatible site on loopback, for tests, for the sample pipeline and for folders of pictures.

A catalog is what the site holds: posts, as dicts with Danbooru's field names, and their files. `sample` draws
one, `folder` reads one. `respond` is the site as a function of the request, `serve` gives it a socket.
"""

import hashlib
import io
import json
import operator
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, urlsplit

import cv2
import numpy as np
import PIL
from PIL import Image

from pipeline import Halt, artist
from pipeline.files import dumps, write
from pipeline.images import BadImage, decode, measure, resize
from pipeline.imports import sources
from pipeline.run import spread
from pipeline.samples import Loose, parts

# ---------------------------------------------------------------- catalogs

CATEGORIES = ("artist", "character", "copyright", "general", "meta")
USUAL = {
    "rating": "g", "score": 0, "source": "", "image_width": 0, "image_height": 0, "parent_id": None,
    "has_children": False, "is_deleted": False, "is_banned": False, "media_asset": {"pixel_hash": None},
    **{f"tag_string_{category}": "" for category in CATEGORIES},
}  # fmt: skip


@dataclass(frozen=True)
class Catalog:
    """What a site holds: its posts, sorted by id, and how to read the file of one."""

    posts: list[dict]
    read: Callable[[dict], bytes]


def describe(number: int, data: bytes, ext: str, **fields) -> dict:
    """Make the post with id `number` from its file; `fields` replace the usual values."""
    uploaded = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    post = {"id": number, "created_at": uploaded.isoformat("T", "milliseconds")} | USUAL | fields
    post |= {"md5": hashlib.md5(data).hexdigest(), "file_size": len(data), "file_ext": ext}
    tags = " ".join(post[f"tag_string_{category}"] for category in CATEGORIES).split()
    return post | {"tag_string": " ".join(sorted(tags))}


def folder(path: Path) -> Catalog:
    """Make a post of every picture below a folder, numbered from 1 in the order of their names.

    NAME.json beside a picture replaces its fields, except md5, file_size and file_ext, which are the file's.
    Raise Halt if there are no pictures, or if two posts have one id.
    """
    units = parts(path)
    if not isinstance(units[0], Loose):
        raise Halt(f"{path} holds shards: name a folder of pictures")
    posts, files = [], {}
    for number, file in enumerate((file for unit in units for file in unit.paths), 1):
        posts.append(read_post(number, file, units[0].root))
        twin = files.setdefault(posts[-1]["id"], file)
        if twin is not file:
            raise Halt(f"{twin} and {file} both have the id {posts[-1]['id']}: change it in a JSON file")
    return Catalog(sorted(posts, key=operator.itemgetter("id")), lambda post: files[post["id"]].read_bytes())


def read_post(number: int, path: Path, root: Path) -> dict:
    """Describe a picture file: its name begins with the artist, and the source is its place in `root`."""
    data = path.read_bytes()
    try:
        width, height = measure(data)
    except BadImage:
        width, height = 0, 0
    name = re.sub(r"(_[^_]*|\d+)$", "", path.stem)
    fields = {
        "id": number,
        "image_width": width,
        "image_height": height,
        "source": path.relative_to(root).as_posix(),
        "tag_string_artist": re.sub(r"[\s_]+", "_", name.lower()).strip("_"),
    } | read_facts(path.with_suffix(".json"))
    return describe(fields.pop("id"), data, path.suffix[1:].lower().replace("jpeg", "jpg"), **fields)


def read_facts(path: Path) -> dict:
    """Read a JSON file of Danbooru's fields, if there is one. Raise Halt if it holds anything else."""
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not isinstance(facts.get("id", 0), int):
        raise Halt(f"{path} does not hold the fields of a post: repair it or remove it")
    return {name: value for name, value in facts.items() if value is not None}


# ---------------------------------------------------------------- the embedded sample

COUNT = 480
KINDS = {  # of posts, in percent
    "plain": 64, "variant": 12, "gray": 4, "complex": 4, "broken": 3, "duplicate": 3, "small": 2, "banner": 2,
    "transparent": 3, "turned": 3,
}  # fmt: skip
TYPES = {"png": 70, "jpg": 20, "webp": 10}
SAVING = {"png": {}, "jpg": {"quality": 92, "subsampling": 0}, "webp": {"quality": 90, "method": 2}}
COLORS = tuple(f"{name}_" for name in artist.HAIR | artist.EYES | artist.CLOTH | artist.BACKDROP)
ORIENTATION = 0x0112  # a field of EXIF; 6 asks the viewer for a quarter turn to the right


def sample(
    home: Path,
    count: int = COUNT,
    workers: int = os.cpu_count() or 1,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Catalog:
    """Draw the posts 1 to `count` of the embedded sample, or find them in the folder `home`.

    A post depends on its id alone, so a larger sample begins with the smaller one. A picture's JSON file is
    written after it, so a start that was killed goes on where it stopped. After each picture that is drawn
    `tick` gets how many there are and `count`.
    """
    home = home / fingerprint()
    facts = [home / f"{number:06d}.json" for number in range(1, count + 1)]
    missing = [number for number, path in enumerate(facts, 1) if not path.is_file()]
    for done, _ in enumerate(spread(partial(draw_post, home), missing, workers), count - len(missing) + 1):
        tick(done, count)
    posts = [json.loads(path.read_bytes()) for path in facts]
    return Catalog(posts, lambda post: picture_path(home, post).read_bytes())


def fingerprint() -> str:
    """Return what changes with the code and the libraries that decide a pixel."""
    files = {*sources("pipeline.artist"), *sources("pipeline.images"), Path(__file__)}
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)]
    return hashlib.sha256(dumps([code, np.__version__, cv2.__version__, PIL.__version__])).hexdigest()[:16]


def picture_path(home: Path, post: dict) -> Path:
    """Return where the sample keeps the file of a post."""
    return home / f"{post['id']:06d}.{post['file_ext']}"


def draw_post(home: Path, number: int) -> None:
    """Draw one post of the sample into the folder `home`."""
    post, data = make(number)
    write(picture_path(home, post), data)
    write(home / f"{number:06d}.json", dumps(post))


def pick(number: int, purpose: str, weights: dict[str, int]) -> str:
    """Choose for a post, each choice independent of all others."""
    return Random(f"{purpose} {number}").choices(tuple(weights), tuple(weights.values()))[0]


def kind_of(number: int) -> str:
    """Return what sort of post has an id; the first is plain."""
    return "plain" if number == 1 else pick(number, "kind", KINDS)


def elder(number: int) -> int:
    """Return the nearest plain post before `number`."""
    return next(n for n in range(number - 1, 0, -1) if kind_of(n) == "plain")


def has_variant(number: int) -> bool:
    """Tell whether a variant stands between `number` and the next plain post, even after the sample's end."""
    kind = kind_of(number + 1)
    return kind == "variant" or (kind != "plain" and has_variant(number + 1))


def make(number: int) -> tuple[dict, bytes]:
    """Draw post `number`: its fields and its file."""
    kind = kind_of(number)
    if kind == "duplicate":
        return duplicate(number)
    owner = elder(number) if kind == "variant" else number
    sitter = artist.portrait(owner)
    if kind == "variant":
        sitter = artist.recolor(sitter, number)
    if kind == "complex":
        sitter = artist.complicate(sitter)
    image = develop(artist.draw(sitter), kind)
    ext = {"transparent": "png", "turned": "jpg"}.get(kind) or pick(number, "type", TYPES)
    data = save(image, kind, ext)
    if kind == "broken":
        data = mutilate(data, Random(f"damage {number}"))
    fields = {
        "image_width": image.shape[1],
        "image_height": image.shape[0],
        "parent_id": owner if owner != number else None,
        "has_children": kind == "plain" and has_variant(number),
        "source": f"pipeline/artist.py, drawing {owner}",
        "media_asset": {"pixel_hash": pixel_hash(data)},
        "tag_string_artist": pick(owner, "artist", {"hatch": 4, "nib": 3, "gouache": 2, "sumi": 1}),
        "tag_string_copyright": "original",
        "tag_string_general": " ".join(see(sitter, kind)),
    }
    return describe(number, data, ext, **fields, **rate(number)), data


def duplicate(number: int) -> tuple[dict, bytes]:
    """Encode the pixels of an earlier post once more, of one that lies far enough away for another shard."""
    twin, data = make(elder(number // 2 + 1))
    data = save(decode(data), "duplicate", "png")
    own = {"id", "file_ext", "file_size", "md5", "created_at", "has_children", "tag_string"}
    fields = {name: value for name, value in twin.items() if name not in own}
    return describe(number, data, "png", **(fields | rate(number))), data


def develop(image: np.ndarray, kind: str) -> np.ndarray:
    """Take the color from a drawing, shrink it to 200 pixels or cut a banner out of it, as its kind asks."""
    height, width = image.shape[:2]
    if kind == "gray":
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if kind == "small":
        return resize(image, 200 * width // min(width, height), 200 * height // min(width, height))
    if kind == "banner":
        image = resize(image, 1024, 1024 * height // width)
        top = (len(image) - 400) // 3
        return image[top : top + 400]
    return image


def save(image: np.ndarray, kind: str, ext: str) -> bytes:
    """Encode a drawing as its kind asks: cut out in an oval, stored on its side, or packed harder."""
    picture, options = Image.fromarray(image), dict(SAVING[ext])
    if kind == "transparent":
        center = picture.width // 2, picture.height // 2
        oval = cv2.ellipse(
            np.zeros(image.shape[:2], np.uint8), center, center, 0, 0, 360, 255, -1, cv2.LINE_AA
        )
        picture.putalpha(Image.fromarray(oval))
    if kind == "turned":
        picture, options["exif"] = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
        options["exif"][ORIENTATION] = 6
    if kind == "duplicate":
        options["compress_level"] = 2
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg" if ext == "jpg" else ext, **options)
    return buffer.getvalue()


def mutilate(data: bytes, dice: Random) -> bytes:
    """Cut a file off, or replace it by noise."""
    return data[: len(data) * 6 // 10] if dice.random() < 0.6 else dice.randbytes(len(data))


def pixel_hash(data: bytes) -> str | None:
    """Return the MD5 of the decoded pixels, or nothing for a broken file."""
    try:
        return hashlib.md5(decode(data).tobytes()).hexdigest()
    except BadImage:
        return None


def see(sitter: artist.Portrait, kind: str) -> list[str]:
    """List the tags of a drawing; a gray one has no tags of color."""
    tags = artist.tags(sitter)
    if kind == "gray":
        return sorted([tag for tag in tags if not tag.startswith(COLORS)] + ["greyscale", "monochrome"])
    return tags


def rate(number: int) -> dict:
    """Say what the site's people think of a post."""
    dice = Random(f"opinion {number}")
    return {
        "rating": "g" if dice.random() < 0.85 else "s",
        "score": int(201 * dice.random() ** 2),
        "is_deleted": dice.random() < 0.02,
        "is_banned": dice.random() < 0.01,
    }


# ---------------------------------------------------------------- the query language

FREE = (  # metatags that do not count towards the limit
    "status", "rating", "limit", "is", "id", "date", "age", "filesize", "filetype", "parent", "child", "md5",
    "width", "height", "duration", "mpixels", "ratio", "score", "favcount", "tagcount", "pixiv",
)  # fmt: skip
COUNTED = ("order", "random", "source", "user", "pool")
SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
TAG_LIMIT = 2
Test = Callable[[dict], bool]


class Refusal(Exception):
    """Answer a request with an error: a status, Danbooru's name for it, and a message."""


def bad(message: str) -> Refusal:
    """Refuse a request that is not understood."""
    return Refusal(400, "ActionController::BadRequest", message)


def parse(tags: str) -> Test:
    """Turn a search into a test of posts. Raise Refusal if it has too many tags or cannot be read."""
    words = tags.lower().split()
    if sum(counts(word) for word in words) > TAG_LIMIT:
        raise Refusal(
            422, "PostQuery::TagLimitError", f"You cannot search for more than {TAG_LIMIT} tags at a time."
        )
    tests = [term(word) for word in words]
    return lambda post: all(test(post) for test in tests)


def counts(word: str) -> bool:
    """Tell whether a word counts towards the tag limit."""
    name, colon, _ = word.lstrip("-").partition(":")
    return not (colon and name in FREE)


def term(word: str) -> Test:
    """Turn one word of a search into a test."""
    if word.startswith("-") and len(word) > 1:
        test = term(word[1:])
        return lambda post: not test(post)
    name, colon, value = word.partition(":")
    if colon and name in METATAGS:
        return METATAGS[name](value)
    if colon and (name in FREE or name in COUNTED):
        raise bad(f"This site does not know the metatag {name}.")
    return lambda post: word in post["tag_string"].split()


def one_of(name: str, text: str) -> Test:
    """Test whether a field is one of several words."""
    words = text.split(",")
    return lambda post: post[name] in words


def in_range(name: str, text: str) -> Test:
    """Test whether a field is in one of several ranges: 5, 5..10, 5.., ..10, >=5, >5, <=5, <5."""
    spans = [span(part) for part in text.split(",")]
    return lambda post: any(inside(post[name]) for inside in spans)


def span(text: str) -> Callable[[float], bool]:
    """Turn one range into a test of numbers."""
    if match := re.fullmatch(r"(-?[\d.]*?)\.\.(-?[\d.]*)", text):
        low, high = as_number(match[1] or "-inf"), as_number(match[2] or "inf")
        return lambda value: low <= value <= high
    sign, bound = re.fullmatch(r"([<>]?=?)(.*)", text).groups()
    compare, bound = SIGNS.get(sign, operator.eq), as_number(bound)
    return lambda value: compare(value, bound)


def as_number(text: str) -> float:
    """Read a number. Raise Refusal if it is none."""
    try:
        return float(text)
    except ValueError:
        raise bad(f"{text!r} is not a number.") from None


def has_status(text: str) -> Test:
    """Test the status of a post: active, deleted or any."""
    if text not in ("active", "deleted", "any"):
        raise bad(f"This site does not know the status {text}.")
    return lambda post: text in ("any", "deleted" if post["is_deleted"] else "active")


def has_parent(text: str) -> Test:
    """Test whether a post is a parent or its child, has a parent (any) or has none (none)."""
    if text in ("any", "none"):
        return lambda post: (post["parent_id"] is None) == (text == "none")
    return lambda post: text in (str(post["id"]), str(post["parent_id"]))


METATAGS: dict[str, Callable[[str], Test]] = {
    "status": has_status,
    "parent": has_parent,
    "rating": lambda text: one_of("rating", ",".join(word[:1] for word in text.split(","))),
    "filetype": partial(one_of, "file_ext"),
    "md5": partial(one_of, "md5"),
    "id": partial(in_range, "id"),
    "score": partial(in_range, "score"),
    "width": partial(in_range, "image_width"),
    "height": partial(in_range, "image_height"),
    "filesize": partial(in_range, "file_size"),
    "order": lambda text: lambda post: True,  # `ordered` reads it
}

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
    query = dict(parse_qsl(url.query, keep_blank_values=True))
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
        return Answer(200, "application/json", dumps(route(catalog, host, url.path, query)))
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


def route(catalog: Catalog, host: str, path: str, query: dict[str, str]) -> dict | list[dict]:
    """Answer a question to the API. Raise Refusal."""
    only = selection(query.get("only", ""))
    tags = query.get("tags", "")
    if path == "/counts/posts.json":
        return {"counts": {"posts": sum(map(parse(tags), catalog.posts))}}
    if path == "/posts.json" and "md5" not in query:
        found = list(filter(parse(tags), catalog.posts))
        return [select(show(post, host), only) for post in browse(found, tags, query)]
    if path == "/posts.json":
        found = [post for post in catalog.posts if post["md5"] == query["md5"] and not post["is_banned"]]
    elif match := re.fullmatch(r"/posts/(\d+)\.json", path):
        found = [post for post in catalog.posts if post["id"] == int(match[1])]
    else:
        raise Refusal(404, "ActionController::RoutingError", f"No route matches {path}.")
    if not found:
        raise Refusal(404, "ActiveRecord::RecordNotFound", "That record was not found.")
    return select(show(found[0], host), only)


def browse(posts: list[dict], tags: str, query: dict[str, str]) -> list[dict]:
    """Take the page that is asked for out of posts sorted by id."""
    match = re.fullmatch(r"([ab]?)(\d+)", query.get("page", "1"))
    if not match or not query.get("limit", "20").isdecimal():
        raise bad("page or limit is not a number.")
    number, limit = int(match[2]), min(int(query.get("limit", "20")), 200)
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
