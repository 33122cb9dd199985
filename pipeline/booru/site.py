"""A Danbooru-compatible site on loopback, for tests, the embedded sample and folders of pictures.

`respond` is the site as a function of catalog and request; `serve` connects it to a socket.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from pipeline.booru import search
from pipeline.booru.catalog import Catalog
from pipeline.booru.search import ApiError
from pipeline.booru.server import Answer, Request, Server, apply_range, run_server
from pipeline.booru.variants import BOXES, list_variants, render_variant, variant_path
from pipeline.errors import BadImage, Halt
from pipeline.files import dumps
from pipeline.sources import query
from pipeline.sources.posts import FullPost

Tree = dict[str, Any]  # of field names
Accounts = Mapping[str, tuple[str, str]]  # login: (api_key, level), a key of query.TAG_LIMITS
Respond = Callable[[Request], Answer]
FaultHandler = Callable[[Request, int, Respond], Answer]  # (request, newest id, the site) -> answer

BANNED_AGENTS = ("python-requests", "Mozilla")
WAIT_PAGE = b"<!DOCTYPE html><title>Just a moment...</title>"
EDGE_CHALLENGE = Answer(403, "text/html", WAIT_PAGE, {"cf-mitigated": "challenge"})
ROBOTS = b"User-agent: *\nDisallow: /*.json\nAllow: /original\nAllow: /sample\n"
NOT_FOUND = Answer(404, "text/html", b"<!DOCTYPE html><title>404 Not Found</title>")
FILE_PATH = re.compile(rf"/(original|{'|'.join(BOXES)})/(..)/(..)/(?:sample-)?(\2\3[0-9a-f]{{28}})\.\w+")
CONTENT_TYPES = {
    "jpg": "image/jpeg", "mp4": "video/mp4", "webm": "video/webm", "zip": "application/zip",
    "swf": "application/x-shockwave-flash",
}  # fmt: skip
TRUSTED_LEVELS = ("gold", "platinum")  # levels that may see restricted posts
HIDDEN_FIELDS = ("md5", "file_url", "large_file_url")  # fields that lead to the picture


def error_answer(status: int, error: str, message: str) -> Answer:
    body = {"success": False, "error": error, "message": message, "backtrace": []}
    return Answer(status, "application/json", dumps(body))


def respond(catalog: Catalog, accounts: Accounts, request: Request) -> Answer:
    """Answer a request as Danbooru would."""
    if request.headers.get("User-Agent", "").startswith(BANNED_AGENTS):
        return EDGE_CHALLENGE
    if request.path == "/robots.txt":
        return Answer(200, "text/plain", ROBOTS)
    if match := FILE_PATH.fullmatch(request.path):
        return apply_range(send_file(catalog, match[4], match[1], request.path), request)
    try:
        level = log_in(accounts, request.headers.get("Authorization", ""))
        only = parse_only(request.query.get("only", ""))
        value = select_fields(answer_api(catalog, level, request), only)
        return Answer(200, "application/json", dumps(value))
    except ApiError as error:
        return error_answer(*error.args)


def log_in(accounts: Accounts, credentials: str) -> str:
    """Return the level of the account in an Authorization header. Raise ApiError."""
    if not credentials:
        return "anonymous"
    for login, (key, level) in accounts.items():
        if credentials == "Basic " + b64encode(f"{login}:{key}".encode()).decode():
            return level
    raise ApiError(401, "SessionLoader::AuthenticationFailure", "Invalid API key.")


def send_file(catalog: Catalog, md5: str, kind: str, path: str) -> Answer:
    """Return the file at a path: a size of a post that has this MD5 and is not banned.

    It needs no account, as on Danbooru, where the files are on another host.
    """
    for post in catalog.by_md5.get(md5, []):
        variant = next((variant for variant in list_variants(post) if variant.type == kind), None)
        if post["is_banned"] or not variant or variant_path(md5, variant) != path:
            continue
        try:
            data = catalog.read(post)
            body = data if kind == "original" else render_variant(data, variant)
        except (FileNotFoundError, BadImage):
            continue
        ext = variant.file_ext
        return Answer(200, CONTENT_TYPES.get(ext, f"image/{ext}"), body, {"Accept-Ranges": "bytes"})
    return NOT_FOUND


def answer_api(catalog: Catalog, level: str, request: Request) -> Any:
    """Return the JSON value that the API answers to an account of this level. Raise ApiError."""
    path, params = request.path, request.query
    if path == "/counts/posts.json":
        return {"counts": {"posts": search.count_matches(catalog.posts, params, level)}}
    if path == "/tags.json":
        return search.list_tags(catalog, params)
    if path == "/posts.json" and "md5" not in params:
        page = search.browse_page(catalog.posts, params, level)
        return [show_post(post, request.address, level) for post in page]
    if path == "/posts.json":
        found = [post for post in catalog.by_md5.get(params["md5"], []) if not is_hidden(post, level)]
    elif match := re.fullmatch(r"/posts/(\d{1,18})\.json", path):
        found = search.posts_between(catalog.posts, int(match[1]), int(match[1]))
    else:
        raise ApiError(404, "ActionController::RoutingError", f"No route matches {path}.")
    if not found:
        raise ApiError(404, "ActiveRecord::RecordNotFound", "That record was not found.")
    return show_post(found[0], request.address, level)


def is_hidden(post: FullPost, level: str) -> bool:
    """Tell whether an account of this level may not see the picture of a post."""
    return post["is_banned"] or (post.get("is_restricted", False) and level not in TRUSTED_LEVELS)


def show_post(post: FullPost, address: str, level: str) -> dict[str, Any]:
    """Return a post as an account of this level sees it, with URLs only of files that it may see."""
    asset = {name: value for name, value in (post["media_asset"] or {}).items() if name != "variants"}
    fields = {name: value for name, value in post.items() if name != "is_restricted"}  # not of Danbooru
    if is_hidden(post, level):
        return {name: fields[name] for name in fields if name not in HIDDEN_FIELDS} | {"media_asset": asset}
    listed = list_variants(post)
    urls = {variant.type: address + variant_path(post["md5"], variant) for variant in listed}
    files = {"file_url": urls["original"], "large_file_url": urls.get("sample", urls["original"])}
    variants = [variant._asdict() | {"url": urls[variant.type]} for variant in listed]
    return fields | files | {"media_asset": asset | {"variants": variants}}


def parse_only(text: str) -> Tree:
    """Parse the fields of only=, such as id,media_asset[pixel_hash], to a tree of names. Raise ApiError."""
    branches: list[Tree] = [{}]
    name = ""
    for token in re.findall(r"\w+|\[|\]", text):
        if token == "[" and name in branches[-1]:
            branches.append(branches[-1][name])
        elif token == "]" and len(branches) > 1:
            branches.pop()
        elif token in "[]":
            raise search.bad_request("only has a bracket too many.")
        else:
            name = token
            branches[-1][name] = {}
    if len(branches) > 1:
        raise search.bad_request("only lacks a bracket.")
    return branches[0]


def select_fields(value: Any, tree: Tree) -> Any:
    """Reduce an object, or each in a list, to the fields of a tree; an empty tree keeps all."""
    if isinstance(value, list):
        return [select_fields(each, tree) for each in value]
    if not tree or not isinstance(value, dict):
        return value
    return {name: select_fields(value[name], branch) for name, branch in tree.items() if name in value}


def read_accounts(texts: Iterable[str]) -> Accounts:
    """Read accounts written as LOGIN:API_KEY:LEVEL. Raise ValueError, without repeating the key."""
    accounts: dict[str, tuple[str, str]] = {}
    for text in texts:
        login, _, rest = text.partition(":")
        key, _, level = rest.rpartition(":")
        if not login or not key or level not in query.TAG_LIMITS:
            levels = ", ".join(query.TAG_LIMITS)
            raise ValueError(f"account must be LOGIN:API_KEY:LEVEL, and its level one of {levels}")
        accounts[login] = (key, level)
    return accounts


def make_site(catalog: Catalog, accounts: Accounts | None, faults: FaultHandler | None) -> Respond:
    """Return a site as a function from request to answer."""
    site = partial(respond, catalog, accounts or {})
    if faults is None:
        return site
    return lambda request: faults(request, search.newest_id(catalog.posts), site)


@contextmanager
def serve(
    catalog: Catalog,
    instead: Callable[[Request], Answer | None] = lambda request: None,
    *,
    accounts: Accounts | None = None,
    faults: FaultHandler | None = None,
) -> Iterator[str]:
    """Run the site in the background and yield its address; `instead` may answer in its place."""
    site = make_site(catalog, accounts, faults)
    with run_server(lambda request: instead(request) or site(request)) as address:
        yield address


def serve_forever(
    catalog: Catalog, port: int, accounts: Accounts | None = None, faults: FaultHandler | None = None
) -> None:
    """Run the site until the process ends. Raise Halt if the port is taken."""
    try:
        server = Server(port, make_site(catalog, accounts, faults))
    except OSError as error:
        raise Halt(f"port {port} of 127.0.0.1 cannot be opened ({error.strerror}): choose another") from error
    with server:
        server.serve_forever()
