"""Posts, accounts and requests for the tests of the loopback site."""

import base64
import json
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

from pipeline.sources.posts import describe_post

AGENT = "inkwash/test (user tester; nobody@example.org)"
ACCOUNTS = {"mia": ("m1", "member"), "gus": ("g1", "gold"), "pia": ("p:1", "platinum")}


def make_post(number):
    """Make a post whose fields follow from its id and differ from those of its neighbors."""
    return describe_post(
        number,
        bytes([number]) * (100 + number),
        ("png", "jpg", "webp")[number % 3],
        rating="gsqe"[number % 4],
        score=number - 50,
        image_width=10 * number,
        image_height=5 * number,
        parent_id=5 if number in (6, 9) else None,
        has_children=number == 5,
        is_deleted=number % 7 == 0,
        is_banned=number == 11,
        tag_string_general="even :d" if number % 2 == 0 else "odd",
        tag_string_artist="ann" if number < 100 else "bob",
        is_restricted=number == 15,
        media_asset={"pixel_hash": f"{number:032x}"},
    )


POSTS = [make_post(number) for number in range(1, 251)]


def read(post):
    """Return the file of a post; that of post 13 is lost."""
    if post["id"] == 13:
        raise FileNotFoundError
    return bytes([post["id"]]) * (100 + post["id"])


def basic(login, key):
    """Return a header of HTTP Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{key}".encode()).decode()}


def get(address, target, agent=AGENT, method="GET", **headers):
    """Return status, headers and body of an answer."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, target, headers={"User-Agent": agent} | headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def ask(address, path, login=None, **query):
    """Return status and JSON of an answer, with or without an account."""
    text = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    headers = basic(login, ACCOUNTS[login][0]) if login else {}
    status, _, body = get(address, f"{path}?{text}", **headers)
    return status, json.loads(body)


def ids(address, tags, **query):
    """Return the ids of the posts that a search finds."""
    status, posts = ask(address, "/posts.json", **({"tags": tags, "limit": 200, "only": "id"} | query))
    assert status == 200
    return [post["id"] for post in posts]
