"""Redirects are followed within a site."""

import pytest
from wire import Wire

from pipeline.booru.server import Answer, run_server
from pipeline.web.client import open_site


def test_redirects_within_a_host_are_followed_up_to_a_number(traffic):
    def respond(request):
        left = int(request.path[1:])
        if not left:
            return Answer(200, "text/plain", request.headers["Range"].encode())
        return Answer(302, "text/plain", b"", {"Location": f"/{left - 1}"})

    with run_server(respond) as host, open_site(host) as site:
        assert site.get(f"{host}/3", headers={"Range": "bytes=5-"}, hops=3).raw.data == b"bytes=5-"
        assert site.get(f"{host}/3", hops=2).status == 302
        assert site.get(f"{host}/1").status == 302


@pytest.mark.parametrize(
    ("before", "after", "followed"),
    [
        ("http://example.org/a", "https://example.org/b", True),
        ("https://example.org/a", "//example.org/b", True),
        ("https://example.org/a", "http://example.org/b", False),
        ("https://example.org/a", "https://www.example.org/b", True),
        ("https://img1.example.org/a", "https://img2.example.org/b", True),
        ("https://example.org/a", "https://example.org:443/b", True),
        ("https://example.org/a", "https://badexample.org/b", False),
        ("https://example.org/a", "https://example.org.evil.net/b", False),
        ("https://example.org/a", "https://example.org:8443/b", False),
        ("https://example.org/a", "https://[/b", False),
        ("https://example.org/a", "file:///etc/passwd", False),
        ("https://example.org/a", "https://ann@example.org/b", False),
        ("http://example.org:8080/a", "https://example.org/b", False),
        ("http://example.org/a", "ftp://example.org/b", False),
        ("https://example.org/a", "http://127.0.0.1/b", False),
    ],
)
def test_a_redirect_is_followed_within_a_site_alone_and_never_to_less_safety(
    elsewhere, before, after, followed
):
    wire = Wire(example_org=(302, {"Location": after}))
    site = elsewhere(wire, host="")
    assert site.get(before, hops=1).status == 302
    assert len(wire.requests) == 1 + followed
    assert not followed or wire.requests[1].url.endswith("/b")


def test_a_redirect_to_a_name_in_utf_8_leads_there():
    def respond(request):
        if request.path == "/a":
            return Answer(302, "text/plain", b"", {"Location": "/\u3042".encode().decode("latin-1")})
        return Answer(200, "text/plain", request.path.encode())

    with run_server(respond) as host, open_site(host) as site:
        assert site.get(f"{host}/a", hops=1).raw.data == b"/%E3%81%82"
