"""Values and texts from outside: tests of their type, bounds and form, and what of a text may be shown."""

import re
from collections.abc import Callable
from typing import Any

MAX_INTEGER = 2**53 - 1  # JSON keeps it exactly
MAX_TEXT = 1_000_000  # characters
UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
HIDDEN = "***"  # in place of a secret
LOGIN = re.compile(r"(?<=//)[^\s/?#]+@")
SECRET = re.compile(  # the value of a parameter of an address, by the end of its name
    r"(?i)(?<=[?&;])([\w.%-]*(?:token|key|secret|sig|signature|auth|authorization|pass|password|passwd|pwd"
    r"|credential|credentials|session|sessionid|jwt|hmac|policy|\bhm)=)[^&;#\s\"'<>\\]+"  # no escape of JSON
)

Test = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MAX_INTEGER  # NaN compares as false


def is_integer(value: Any, low: int = 0, high: int = MAX_INTEGER) -> bool:
    return type(value) is int and low <= value <= high


def is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and not re.search("[\ud800-\udfff]", value)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def matches(pattern: str) -> Test:
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


def plain_text(text: str) -> str:
    """Replace what a terminal obeys, and what UTF-8 cannot hold."""
    return UNPRINTABLE.sub("\ufffd", re.sub(r"[\t\n\r]", " ", text))


def safe_text(text: str) -> str:
    """Escape what a terminal obeys, and hide logins and secrets in the addresses of a text."""
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", hide_secrets(text))


def hide_secrets(text: str) -> str:
    """Replace the keys, tokens and signatures in the addresses of a text by ***, and remove their logins."""
    return SECRET.sub(rf"\1{HIDDEN}", without_login(text))


def without_login(text: str) -> str:
    """Return a text whose addresses have no user and no password, which are never sent."""
    return LOGIN.sub("", text)
