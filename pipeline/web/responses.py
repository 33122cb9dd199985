"""What a response means, and which address is whose."""

import ipaddress
import re
from urllib.parse import urljoin, urlsplit

import requests

from pipeline.errors import Halt

REFUSAL_ADVICE = {
    401: "check PREP_LOGIN and PREP_API_KEY",
    403: "ask for less, or with an account that may",
    422: "ask for fewer tags, or set PREP_LEVEL to what the account is",
}


def is_loopback(url: str) -> bool:
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def same_host_redirect(response: requests.Response) -> str:
    """Return the target of a redirect if it is on the same host, else ""; http may become https."""
    target = urljoin(response.url, response.headers["Location"])
    before, after = urlsplit(response.url), urlsplit(target)
    upgrade = (before.scheme, after.scheme) == ("http", "https") and before.port == after.port is None
    return target if before.netloc == after.netloc and (before.scheme == after.scheme or upgrade) else ""


def domain(url: str) -> str:
    """Return the part of the name that all hosts of a site share: the last two labels, or an IP address."""
    name = urlsplit(url).hostname or ""
    return name if re.fullmatch(r"[\d.]+|.*:.*", name) else ".".join(name.split(".")[-2:])


def refusal(response: requests.Response) -> Halt:
    """Return an exception that says why the site refused, and what to do."""
    status, request = response.status_code, response.request
    said = f"{domain(response.url)} refused {request.path_url} ({describe_error(response)})"
    if status == 403 and is_web_page(response):
        agent = request.headers["User-Agent"]
        return Halt(f"{said}, its edge turned away the agent {agent!r}: check PREP_CONTACT, ask later")
    return Halt(f"{said}: {REFUSAL_ADVICE.get(status, 'check host and tags')}")


def is_web_page(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/html")


def describe_error(response: requests.Response) -> str:
    """Return the status of a response, with the error and the message of Danbooru if there are any."""
    try:
        error = response.json()
        return f"{response.status_code} {error['error']}: {error['message']}"
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return str(response.status_code)
