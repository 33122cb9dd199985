"""What goes wrong with a site, on demand: rules in a JSON file -> answers that fail by them.

The first rule that hits a request decides its answer. Nothing is random: which targets a rule hits follows
from their names.
"""

import dataclasses
import json
import math
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline import Halt
from pipeline.booru import EDGE, Respond, complaint
from pipeline.chance import fraction
from pipeline.fields import check, choice, number, words
from pipeline.pages import Refusal, reach
from pipeline.server import Answer, Request, ranged

KEYS = {  # of each fault, beside match, share and times
    "limit": ("every", "seconds", "retry_after", "penalty"),
    "canceled": ("window",),
    "status": ("status",),
    "edge": (),
    "page": (),
    "empty": (),
    "truncate": ("keep",),
    "short": ("keep",),
    "stall": ("keep", "seconds"),
    "corrupt": (),
    "type": ("content_type",),
    "redirect": ("location",),
}
COMMON = ("fault", "match", "share", "times")
GRACE = 30  # seconds that asking while limited can cost at most
ERRORS = {
    400: "ActionController::BadRequest",
    401: "SessionLoader::AuthenticationFailure",
    403: "User::PrivilegeError",
    404: "ActiveRecord::RecordNotFound",
    410: "PaginationExtension::PaginationError",
    422: "PostQuery::TagLimitError",
    429: "RateLimiter::RateLimitError",
}
MAGIC = {  # how files of a type begin
    "image/gif": b"GIF89a\1\0\1\0",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/webp": b"RIFF\0\4\0\0WEBPVP8 ",
    "video/mp4": b"\0\0\0\x18ftypmp42",
    "video/webm": b"\x1aE\xdf\xa3",
}


@dataclass(frozen=True)
class Rule:
    """One way to fail, and the requests that do; a fault reads the fields that `KEYS` gives it."""

    fault: str = choice("status", "What goes wrong.", *KEYS)
    match: str = words("", "A regular expression that the target holds.")
    share: float = number(1.0, "The share of the targets that fail, always the same ones.", 0, 1)
    times: int = number(sys.maxsize, "How often each target fails before it is answered properly.", 1)
    every: int = number(10, "The limit begins with every such request.", 1)
    seconds: float = number(5.0, "How long the limit or the silence lasts.", 0)
    retry_after: bool = field(default=True, metadata={"help": "Whether Retry-After says how long."})
    penalty: float = number(0.0, "Seconds more for each request meanwhile, 30 at most together.", 0)
    window: int = number(1000, "How many ids a search may span.", 0)
    status: int = number(503, "The status of the answer.", 400, 599)
    keep: float = number(0.5, "The share of the body that is sent.", 0, 1)
    content_type: str = words("video/mp4", "What the file is instead.")
    location: str = words("https://example.org/", "Where the answer points to.")


# ---------------------------------------------------------------- reading


def read_faults(path: Path, clock: Callable[[], float] = time.monotonic) -> "Faults":
    """Read a JSON list of rules. Raise Halt, naming the rule and what is wrong with it."""
    try:
        given = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Halt(f"{path} does not exist: name a JSON file with a list of faults") from None
    except ValueError as error:
        raise Halt(f"{path} is no JSON ({error}): correct it") from None
    if not isinstance(given, list):
        raise Halt(f"{path} must hold a list of faults, got {type(given).__name__}: correct it")
    rules = []
    for place, keys in enumerate(given, 1):
        try:
            rules.append(read_rule(keys))
        except ValueError as error:
            raise Halt(f"{path}, fault {place}: {error}: correct it") from None
    return Faults(rules, clock)


def read_rule(given: object) -> Rule:
    """Make a rule of what a file says. Raise ValueError."""
    if not isinstance(given, dict) or "fault" not in given:
        raise ValueError('a fault must be an object with the key "fault"')
    fields = {field.name: field for field in dataclasses.fields(Rule)}
    check(fields["fault"], given["fault"])
    allowed = (*COMMON, *KEYS[given["fault"]])
    for name, value in given.items():
        if name not in allowed:
            raise ValueError(f"a key of {given['fault']} must be one of {', '.join(allowed)}, got {name!r}")
        if fields[name].type is not bool:
            check(fields[name], value)
        elif not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value!r}")
    try:
        re.compile(given.get("match", ""))
    except re.error as error:
        raise ValueError(f"match must be a regular expression ({error}), got {given['match']!r}") from None
    return Rule(**given)


# ---------------------------------------------------------------- which requests fail


@dataclass
class Count:
    """What one rule remembers: how often each target failed, and its limit."""

    failed: Counter[str] = field(default_factory=Counter)
    asked: int = 0  # since the last limit
    until: float = -math.inf  # when the limit ends
    latest: float = -math.inf  # beyond which no penalty moves that


class Faults:
    """A site's rules at work, to be called with a request, the newest id, and the site itself."""

    def __init__(self, rules: list[Rule], clock: Callable[[], float] = time.monotonic):
        """Remember nothing yet; `clock` returns seconds."""
        self.rules, self.clock, self.lock = rules, clock, threading.Lock()
        self.counts = [Count() for _ in rules]

    def __call__(self, request: Request, newest: int, respond: Respond) -> Answer:
        """Answer a request as the first rule that hits it says, or as the site does."""
        for rule, count in zip(self.rules, self.counts, strict=True):
            with self.lock:
                now = self.clock()
                hit = hits(rule, count, request, newest, now)
            if hit:
                wait = math.ceil(max(count.until - now, 0))
                return refuse(rule, request, wait) or spoil(rule, request, respond)
        return respond(request)


def hits(rule: Rule, count: Count, request: Request, newest: int, now: float) -> bool:
    """Tell whether a rule hits a request, and count it."""
    target = request.target
    if not re.search(rule.match, target) or fraction(0, rule.fault, target) >= rule.share:
        return False
    if count.failed[target] >= rule.times:
        return False
    if rule.fault == "limit" and not limits(rule, count, now):
        return False
    if rule.fault == "canceled" and span(request, newest) <= rule.window:
        return False
    count.failed[target] += 1
    return True


def limits(rule: Rule, count: Count, now: float) -> bool:
    """Tell whether a request comes while the site is limited, or begins that; the former costs a penalty."""
    if now < count.until:
        count.until = min(count.until + rule.penalty, count.latest)
        return True
    count.asked += 1
    if count.asked < rule.every:
        return False
    count.asked, count.until = 0, now + rule.seconds
    count.latest = count.until + GRACE
    return True


def span(request: Request, newest: int) -> float:
    """Return how many ids a search must look at; 0 for what is no search or cannot be read."""
    if request.path not in ("/posts.json", "/counts/posts.json") or "md5" in request.query:
        return 0
    try:
        low, high = reach(request.query.get("tags", ""), request.query.get("page", ""), newest)
    except (Refusal, ValueError):
        return 0
    return high - low + 1


# ---------------------------------------------------------------- how they fail


def refuse(rule: Rule, request: Request, wait: int) -> Answer | None:
    """Answer in the site's place, if that is how a rule fails; a limit goes on for `wait` seconds."""
    match rule.fault:
        case "limit":
            headers = {"Retry-After": str(wait)} if rule.retry_after else {}
            return complaint(429, ERRORS[429], "Rate limit exceeded.", **headers)
        case "canceled":
            message = "The database timed out running your query."
            return complaint(500, "ActiveRecord::QueryCanceled", message)
        case "status" if request.path.endswith(".json"):
            return complaint(rule.status, ERRORS.get(rule.status, "StandardError"), "A fault on demand.")
        case "status":
            return page(rule.status)
        case "edge":
            return EDGE
        case "page":
            return page(200)
        case "redirect":
            return Answer(302, "text/html", b"", {"Location": rule.location})
    return None


def page(status: int) -> Answer:
    """Make a web page."""
    text = f"<!DOCTYPE html><title>{status}</title><p>A fault on demand.</p>"
    return Answer(status, "text/html", text.encode())


def spoil(rule: Rule, request: Request, respond: Respond) -> Answer:
    """Damage what the site answers, on the way or where it lies."""
    match rule.fault:
        case "truncate":
            return replace(respond(request), keep=rule.keep)
        case "stall":
            return replace(respond(request), keep=rule.keep, pause=rule.seconds)
    headers = {name: value for name, value in request.headers.items() if name != "Range"}
    whole = respond(replace(request, headers=headers))
    if rule.fault == "empty":
        return Answer(200, whole.kind, b"")
    return ranged(rot(rule, whole), request)


def rot(rule: Rule, answer: Answer) -> Answer:
    """Damage a file where it lies, so that every part of it that is asked for fits the others."""
    body = answer.body
    match rule.fault:
        case "short":
            return replace(answer, body=body[: int(len(body) * rule.keep)])
        case "corrupt":
            middle = len(body) // 2
            wrong = bytes(255 - byte for byte in body[middle : middle + 1])
            return replace(answer, body=body[:middle] + wrong + body[middle + 1 :])
        case _:  # type
            start = MAGIC.get(rule.content_type, b"")
            return replace(answer, kind=rule.content_type, body=start.ljust(1000, b"\0"))
