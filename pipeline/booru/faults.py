"""Faults on demand: rules in a JSON file -> answers that fail.

The first rule that hits a request decides its answer. Nothing is random: a hash of the target decides
whether a rule with a `share` hits it.
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

from pipeline.booru.search import ApiError, search_bounds
from pipeline.booru.server import Answer, Request, apply_range
from pipeline.booru.site import EDGE_CHALLENGE, Respond, error_answer
from pipeline.chance import fraction
from pipeline.errors import Halt
from pipeline.fields import check_field, choice, number, words

FAULT_KEYS: dict[str, tuple[str, ...]] = {  # of each fault, in addition to COMMON_KEYS
    "status": ("status",), "limit": ("every", "seconds", "retry_after", "penalty"), "canceled": ("window",),
    "edge": (), "page": (), "empty": (), "truncate": ("keep",), "short": ("keep",),
    "stall": ("keep", "seconds"), "corrupt": (), "type": ("content_type",), "redirect": ("location",),
}  # fmt: skip
COMMON_KEYS = ("fault", "match", "share", "times")
MAX_PENALTY = 30  # seconds that all penalties together add to a limit
ERROR_NAMES = {
    400: "ActionController::BadRequest", 401: "SessionLoader::AuthenticationFailure",
    403: "User::PrivilegeError", 404: "ActiveRecord::RecordNotFound",
    410: "PaginationExtension::PaginationError", 422: "PostQuery::TagLimitError",
    429: "RateLimiter::RateLimitError",
}  # fmt: skip
FILE_STARTS = {  # the first bytes of files of a type
    "image/gif": b"GIF89a\1\0\1\0", "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/png": b"\x89PNG\r\n\x1a\n", "image/webp": b"RIFF\0\4\0\0WEBPVP8 ",
    "video/mp4": b"\0\0\0\x18ftypmp42", "video/webm": b"\x1aE\xdf\xa3",
}  # fmt: skip


@dataclass(frozen=True)
class FaultRule:
    """A fault and the requests that it hits. A fault uses COMMON_KEYS and its own FAULT_KEYS."""

    fault: str = choice("The kind of fault.", *FAULT_KEYS)
    match: str = words("", "A regular expression to find in the target.")
    share: float = number(1.0, "The share of these targets that fail, always the same ones.", 0, 1)
    times: int = number(sys.maxsize, "How often each target fails before it succeeds.", 1)
    every: int = number(10, "The limit starts at each Nth request.", 1)
    seconds: float = number(5.0, "How long the limit or the pause lasts.", 0)
    retry_after: bool = field(default=True, metadata={"help": "Whether to send Retry-After."})
    penalty: float = number(0.0, "Seconds by which each request during a limit extends it, 30 at most.", 0)
    window: int = number(1000, "How many ids a search may span.", 0)
    status: int = number(503, "The status of the answer.", 400, 599)
    keep: float = number(0.5, "The share of the body to send.", 0, 1)
    content_type: str = words("video/mp4", "The type of the other file.")
    location: str = words("https://example.org/", "The target of the redirect.")


def read_faults(path: Path, clock: Callable[[], float] = time.monotonic) -> "Faults":
    """Read a JSON list of rules; `clock` returns seconds. Raise Halt that names a bad rule."""
    try:
        given = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Halt(f"{path} does not exist: name a JSON file with a list of faults") from None
    except ValueError as error:
        raise Halt(f"{path} is no JSON ({error}): correct it") from None
    if not isinstance(given, list):
        raise Halt(f"{path} must hold a list of faults, got {type(given).__name__}: correct it")
    rules = []
    for place, value in enumerate(given, 1):
        try:
            rules.append(parse_rule(value))
        except ValueError as error:
            raise Halt(f"{path}, fault {place}: {error}: correct it") from None
    return Faults(rules, clock)


def parse_rule(given: object) -> FaultRule:
    """Make a rule of a JSON value. Raise ValueError."""
    if not isinstance(given, dict) or "fault" not in given:
        raise ValueError('a fault must be an object with the key "fault"')
    fields = {field.name: field for field in dataclasses.fields(FaultRule)}
    check_field(fields["fault"], given["fault"])
    allowed = (*COMMON_KEYS, *FAULT_KEYS[given["fault"]])
    for name, value in given.items():
        if name not in allowed:
            raise ValueError(f"a key of {given['fault']} must be one of {', '.join(allowed)}, got {name!r}")
        if fields[name].type is not bool:
            check_field(fields[name], value)
        elif not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value!r}")
    try:
        re.compile(given.get("match", ""))
    except re.error as error:
        raise ValueError(f"match must be a regular expression ({error}), got {given['match']!r}") from None
    return FaultRule(**given)


@dataclass
class RuleState:
    """The state of a rule: how often each target failed, and its limit."""

    failed: Counter[str] = field(default_factory=Counter)
    asked: int = 0  # requests since the last limit
    until: float = -math.inf  # when the limit ends
    latest: float = -math.inf  # the latest end that penalties can reach


class Faults:
    """The rules of a site and their states, as a site.FaultHandler."""

    def __init__(self, rules: list[FaultRule], clock: Callable[[], float] = time.monotonic):
        self.rules, self.clock, self.lock = rules, clock, threading.Lock()
        self.states = [RuleState() for _ in rules]

    def __call__(self, request: Request, newest: int, respond: Respond) -> Answer:
        """Answer a request with the fault of the first rule that hits it, else as the site does."""
        for rule, state in zip(self.rules, self.states, strict=True):
            with self.lock:
                now = self.clock()
                hit = rule_hits(rule, state, request, newest, now)
            if hit:
                wait = math.ceil(max(state.until - now, 0))
                return refuse_request(rule, request, wait) or spoil_answer(rule, request, respond)
        return respond(request)


def rule_hits(rule: FaultRule, state: RuleState, request: Request, newest: int, now: float) -> bool:
    """Tell whether a rule hits a request, and count the hit."""
    target = request.target
    if not re.search(rule.match, target) or fraction(0, rule.fault, target) >= rule.share:
        return False
    if state.failed[target] >= rule.times:
        return False
    if rule.fault == "limit" and not hits_limit(rule, state, now):
        return False
    if rule.fault == "canceled" and id_span(request, newest) <= rule.window:
        return False
    state.failed[target] += 1
    return True


def hits_limit(rule: FaultRule, state: RuleState, now: float) -> bool:
    """Tell whether a request comes during a limit, which extends it, or starts one."""
    if now < state.until:
        state.until = min(state.until + rule.penalty, state.latest)
        return True
    state.asked += 1
    if state.asked < rule.every:
        return False
    state.asked, state.until = 0, now + rule.seconds
    state.latest = state.until + MAX_PENALTY
    return True


def id_span(request: Request, newest: int) -> float:
    """Return how many ids a search covers; 0 for another request, and for a search that cannot be parsed."""
    if request.path not in ("/posts.json", "/counts/posts.json") or "md5" in request.query:
        return 0
    try:
        low, high = search_bounds(request.query.get("tags", ""), request.query.get("page", ""), newest)
    except (ApiError, ValueError):
        return 0
    return high - low + 1


def refuse_request(rule: FaultRule, request: Request, wait: int) -> Answer | None:
    """Return the answer of a fault that does not need the site, else None; a limit lasts `wait` seconds."""
    match rule.fault:
        case "limit":
            answer = error_answer(429, ERROR_NAMES[429], "Rate limit exceeded.")
            return replace(answer, headers={"Retry-After": str(wait)}) if rule.retry_after else answer
        case "canceled":
            message = "The database timed out running your query."
            return error_answer(500, "ActiveRecord::QueryCanceled", message)
        case "status" if request.path.endswith(".json"):
            name = ERROR_NAMES.get(rule.status, "StandardError")
            return error_answer(rule.status, name, "A fault on demand.")
        case "status" | "page":
            status = rule.status if rule.fault == "status" else 200
            text = f"<!DOCTYPE html><title>{status}</title><p>A fault on demand.</p>"
            return Answer(status, "text/html", text.encode())
        case "edge":
            return EDGE_CHALLENGE
        case "redirect":
            return Answer(302, "text/html", b"", {"Location": rule.location})
    return None


def spoil_answer(rule: FaultRule, request: Request, respond: Respond) -> Answer:
    """Damage the answer of the site in transfer, or damage its body, the same way for every range of it."""
    if rule.fault == "truncate":
        return replace(respond(request), keep=rule.keep)
    if rule.fault == "stall":
        return replace(respond(request), keep=rule.keep, pause=rule.seconds)
    headers = {name: value for name, value in request.headers.items() if name != "Range"}
    whole = respond(replace(request, headers=headers))
    if rule.fault == "empty":
        return Answer(200, whole.content_type, b"")
    kind = rule.content_type if rule.fault == "type" else whole.content_type
    return apply_range(replace(whole, content_type=kind, body=damage_body(rule, whole.body)), request)


def damage_body(rule: FaultRule, body: bytes) -> bytes:
    if rule.fault == "short":
        return body[: int(len(body) * rule.keep)]
    if rule.fault == "type":
        return FILE_STARTS.get(rule.content_type, b"").ljust(1000, b"\0")
    middle = len(body) // 2  # corrupt
    wrong = bytes(255 - byte for byte in body[middle : middle + 1])
    return body[:middle] + wrong + body[middle + 1 :]
