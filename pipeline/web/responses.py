"""What a response means, as a sentence with advice."""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from urllib3.util import parse_url

from pipeline.errors import Halt
from pipeline.web.addresses import domain, redirect_target
from pipeline.web.bodies import parse_json
from pipeline.web.connection import Response

MAX_MESSAGE = 300  # characters of a site's own words
MAX_SECONDS = 10**9  # more, in a Retry-After, is as good as never
REFUSAL_ADVICE = {
    401: "check PREP_LOGIN and PREP_API_KEY",
    403: "ask for less, or with an account that may",
    422: "ask for fewer tags, or set PREP_LEVEL to what the account is",
}


def refusal(response: Response) -> Halt:
    """Return an exception that says why the site refused, and what to do."""
    status, path = response.status, parse_url(response.url).path
    said = f"{domain(response.url)} refused {path} ({describe_error(response)})"
    if status == 403 and is_web_page(response):
        return Halt(f"{said}, its edge turned away this program: check PREP_CONTACT, ask later")
    return Halt(f"{said}: {REFUSAL_ADVICE.get(status, 'check host and tags')}")


def redirect_of(response: Response) -> str:
    """Return the address to which a site redirects within itself, else ""."""
    return redirect_target(response.url, response.location) if response.location else ""


def is_web_page(response: Response) -> bool:
    return response.headers.get("Content-Type", "").lower().startswith("text/html")


def describe_error(response: Response) -> str:
    """Return the status of a response, with the error and the message of Danbooru if there are any.

    A site may repeat who asked; the login, the API key and the contact are left out.
    """
    try:
        error = parse_json(response.content)
        text = f"{error['error'][:MAX_MESSAGE]}: {error['message'][:MAX_MESSAGE]}"
    except (ValueError, KeyError, TypeError):
        return str(response.status)
    for word in private_words(response.asked):
        text = text.replace(word, "***")
    return f"{response.status} {text}"


def private_words(asked: Mapping[str, str]) -> list[str]:
    """Return the words in the headers of a request that say who asks, the longest first."""
    credentials = asked.get("Authorization", "").partition(" ")[2]
    named = re.search(r"\(user (.*); (.*)\)$", asked.get("User-Agent", ""))
    words = {credentials, *b64decode(credentials).decode().split(":"), *(named.groups() if named else ())}
    long = (word for word in words - {"anonymous", "loopback"} if len(word) > 2)
    return sorted(long, key=len, reverse=True)


def retry_after(response: Response) -> int | None:
    """Return for how many seconds a response asks to be left alone; None if it does not say.

    A date counts from the site's own clock, its Date, where it gives one.
    """
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return int(text) if len(text) < len(str(MAX_SECONDS)) else MAX_SECONDS
    until, now = parse_date(text), parse_date(response.headers.get("Date", ""))
    if until is None:
        return None
    seconds = (until - (now or datetime.now(UTC))).total_seconds()
    return min(int(seconds) + 1, MAX_SECONDS) if seconds > 0 else None


def parse_date(text: str) -> datetime | None:
    """Parse a date of HTTP; None if it is none."""
    try:
        date = parsedate_to_datetime(text[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
