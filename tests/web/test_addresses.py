"""Addresses lead to machines and belong to sites."""

import pytest

from pipeline.web.addresses import domain, is_loopback, redirect_target, same_site, show_address


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://cdn.donmai.us/a", "donmai.us"),
        ("https://donmai.us:8080", "donmai.us"),
        ("http://localhost:1", "localhost"),
        ("http://127.0.0.1:1", "127.0.0.1"),
        ("http://[::1]:1", "::1"),
        ("https://img.example.co.uk/a", "example.co.uk"),
        ("https://a.b.example.com.au/a", "example.com.au"),
        ("https://ann.github.io/a", "ann.github.io"),
        ("https://bucket.s3.amazonaws.com/a", "bucket.s3.amazonaws.com"),
        ("http://[::1", ""),
    ],
)
def test_a_domain_is_the_end_of_a_name_or_an_address_of_numbers(url, name):
    assert domain(url) == name


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("example.org", "www.example.org", True),
        ("img1.example.co.uk", "img2.example.co.uk", True),
        ("x.io", "www.x.io", True),
        ("one.co.uk", "two.co.uk", False),
        ("ann.github.io", "bob.github.io", False),
        ("a.s3.amazonaws.com", "b.s3.amazonaws.com", False),
        ("s3.amazonaws.com", "a.s3.amazonaws.com", True),
        ("github.io", "ann.github.io", False),
        ("one.gouv.fr", "two.gouv.fr", False),
        ("one.info.pl", "two.info.pl", False),
        ("img1.info.fr", "info.fr", True),
        ("danbooru.donmai.us", "cdn.donmai.us", True),
        ("example.org", "example.com", False),
        ("10.0.0.1", "0.0.1", False),
        ("10.0.0.1", "11.0.0.1", False),
        ("127.0.0.1", "localhost", False),
    ],
)
def test_hosts_of_one_registered_domain_are_one_site(first, second, same):
    assert same_site(f"https://{first}/a", f"https://{second}/b") is same
    assert same_site(f"https://{second}/a", f"https://{first}/b") is same
    assert bool(redirect_target(f"https://{first}/a", f"https://{second}/b")) is same


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.1", True), ("127.9.9.9", True), ("2130706433", True), ("0x7f.1", True),
        ("0177.0.0.1", True), ("0.0.0.0", True), ("0", True), ("[::1]", True), ("[::]", True),
        ("[::ffff:127.0.0.1]", True), ("[::ffff:7f00:1]", True), ("localhost", True), ("LOCALHOST.", True),
        ("a.localhost", True), ("%31%32%37.0.0.1", True), ("127%2e0%2e0%2e1", True), ("127.0.0.1.", True),
        ("ann:pw@127.0.0.1", True), ("127.0.0.1\\@example.org", True),
        ("example.org", False), ("127.0.0.1.example.org", False), ("localhost.example.org", False),
        ("10.0.0.1", False), ("128.0.0.1", False), ("[2001:db8::1]", False), ("127.0.0.1@example.org", False),
    ],
)  # fmt: skip
def test_what_is_loopback_is_decided_by_the_address_that_is_meant(host, loopback):
    assert is_loopback(f"http://{host}:80/a") is loopback or "\\" in host
    assert is_loopback(f"http://{host}/a") is loopback


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:pw@example.org/a@b.png?token=1#x", "https://example.org/a@b.png"),
        ("https://example.org/a.png", "https://example.org/a.png"),
        ("https://example.org?token=1", "https://example.org"),
        ("/posts.json?tags=hat", "/posts.json"),
    ],
)
def test_an_address_is_shown_without_login_and_query(url, shown):
    assert show_address(url) == shown
