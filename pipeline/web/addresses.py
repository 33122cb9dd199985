"""Addresses: which machine and which site they lead to, and what of them may be shown."""

import ipaddress
import socket
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit

from urllib3.util import parse_url

from pipeline.untrusted import without_login

DEFAULT_PORTS = {"http": 80, "https": 443}
SHARED_DOMAINS = (  # below which each name belongs to somebody else
    "aliyuncs.com", "amazonaws.com", "azureedge.net", "backblazeb2.com", "blogspot.com", "cloudfront.net",
    "digitaloceanspaces.com", "firebaseapp.com", "fly.dev", "github.io", "githubusercontent.com", "gitlab.io",
    "googleapis.com", "herokuapp.com", "myqcloud.com", "neocities.org", "netlify.app", "onrender.com",
    "pages.dev", "r2.dev", "supabase.co", "vercel.app", "web.app", "windows.net", "wordpress.com",
    "workers.dev",
)  # fmt: skip

LONG_SECOND_LEVELS = (  # of countries; the others have at most three letters
    "aero", "arts", "asso", "conf", "coop", "firm", "geek", "gouv", "govt", "info", "mobi", "museum", "name",
    "nome", "perso", "press", "presse", "priv", "publ", "school", "sport", "store", "tech", "tourism", "univ",
)  # fmt: skip

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache
def host_name(url: str) -> str:
    """Return the host of an address as urllib3 reads it, in lower case; "" if there is none."""
    try:
        return unquote(parse_url(url).host or "").lower().strip("[]").rstrip(".")
    except ValueError:
        return ""


def parse_ip(name: str) -> IPAddress | None:
    """Parse an IP address in any form that connects, such as 127.1, 0x7f000001 or fe80::1%eth0."""
    name = name.partition("%")[0]
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except (OSError, ValueError):
        return None


def is_this_machine(ip: IPAddress) -> bool:
    """Tell whether a connection to an IP address ends at this machine: loopback, or 0.0.0.0."""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified


@lru_cache
def is_loopback_name(name: str) -> bool:
    """Tell whether a host is loopback by its name; connections check the address of all other names."""
    ip = parse_ip(name)
    return is_this_machine(ip) if ip else name == "localhost" or name.endswith(".localhost")


def is_loopback(url: str) -> bool:
    return is_loopback_name(host_name(url))


def domain(url: str) -> str:
    """Return the part of the name that all hosts of a site share, or an IP address.

    This is the registered domain by a rule: the last two labels; three below the second level of a country,
    such as co.uk; and the whole name below a domain that many share. All sites of a city domain, such as
    oslo.no, count as one.
    """
    return domain_of_name(host_name(url))


@lru_cache
def domain_of_name(name: str) -> str:
    labels = name.split(".")
    if parse_ip(name) or any(name.endswith(f".{shared}") for shared in SHARED_DOMAINS):
        return name
    if len(labels) < 3:
        return name
    second = len(labels[-1]) == 2 and (len(labels[-2]) <= 3 or labels[-2] in LONG_SECOND_LEVELS)
    return ".".join(labels[-3 if second else -2 :])


def same_site(first: str, second: str) -> bool:
    """Tell whether two addresses are of one site: of one domain, or one host is below the other."""
    one, other = sorted((host_name(first), host_name(second)), key=len)
    below = "." in one and one not in SHARED_DOMAINS and not parse_ip(one) and other.endswith(f".{one}")
    return bool(one) and (below or domain(first) == domain(second))


def port_of(url: str) -> int | None:
    """Return the port of an address, None if it is the default of its scheme."""
    parts = urlsplit(url)
    return None if parts.port == DEFAULT_PORTS.get(parts.scheme) else parts.port


def redirect_target(url: str, location: str) -> str:
    """Return the target of a redirect if it is on the same site, else ""; http may become https."""
    with suppress(UnicodeError):
        location = location.encode("latin-1").decode()  # http.client takes all bytes for Latin-1
    try:
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
        schemes = (before.scheme, after.scheme)
        safe = schemes == ("http", "https") or (schemes[0] == schemes[1] and schemes[1] in DEFAULT_PORTS)
        same = safe and port_of(url) == port_of(target) and same_site(url, target)
    except ValueError:
        return ""
    return target if same and "@" not in after.netloc else ""


def show_address(url: str) -> str:
    """Return an address without login, query and fragment, which may hold secrets."""
    return without_login(url).partition("?")[0].partition("#")[0]
