"""The studio under attack: by names, sites, tokens, methods, paths, links, bodies and pictures."""

import asyncio
import re
import struct
import zlib

import numpy as np
import pytest
from httpx2 import ASGITransport, AsyncClient
from made import make_column
from serving import ADDRESS, HELD, PORT, TOKEN, arrays, get_raw, is_sentence
from starlette.routing import Route

from pipeline import files
from pipeline.images import codec
from pipeline.shards.column import list_shards
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard
from pipeline.studio import coloring, safety, server

EVERYWHERE = [
    "/",
    "/main.js",
    "/page.json",
    "/api/project",
    "/data/color/seal.json",
    "/nowhere",
    "/api/thumb",
]


def bomb(width, height):
    """Return a PNG whose header claims a size, and whose pixels are missing."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", b"x"),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_has_the_headers_that_protect(client, work, path):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = client.request(method, path)
        assert safety.HEADERS.items() <= {name: answer.headers.get(name) for name in safety.HEADERS}.items()
        assert ("no-store" in answer.headers.get("Cache-Control", "")) == path.startswith(safety.NEVER_STORED)
        assert answer.status_code < 400 or method == "HEAD" or is_sentence(answer)


def test_the_policy_is_that_of_the_page_and_forbids_frames_too(client):
    page = client.get("/")
    written = re.search(r'content="(default-src[^"]*)"', page.text)[1]
    assert page.headers["Content-Security-Policy"] == f"{written}; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"0.0.0.0:{PORT}",
     f"[::1]:{PORT}", f"127.0.0.1.evil.example:{PORT}", f"127.0.0.1:{PORT}@evil.example",
     f"localhost:{PORT}x", ""],
)  # fmt: skip
def test_a_foreign_host_is_refused(client, host):
    answer = client.get("/page.json", headers={"Host": host})
    assert (answer.status_code, is_sentence(answer)) == (403, True)


def test_two_hosts_are_refused(client):
    for second in (f"127.0.0.1:{PORT}", "evil.example"):
        answer = client.get("/", headers=[("Host", f"127.0.0.1:{PORT}"), ("Host", second)])
        assert answer.status_code == 403


def test_localhost_is_a_name_of_the_studio(client):
    assert client.get("/", headers={"Host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        f"https://127.0.0.1:{PORT}",
        "http://127.0.0.1",
        f"http://evil.example:{PORT}",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused_even_with_the_token(client, origin, method):
    answer = client.request(method, "/api/infer", headers={"Origin": origin, **HELD})
    assert (answer.status_code, is_sentence(answer)) == (403, True)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_what_another_site_asks_for_is_refused(client, site):
    answer = client.get("/data/color/index.tsv", headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, is_sentence(answer)) == (403, True)


def test_its_own_page_may_ask(client, work):
    given = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin", **HELD}
    assert client.post("/api/infer", headers=given, content=arrays()).status_code == 200
    assert client.get("/", headers={"Sec-Fetch-Site": "none"}).status_code == 200


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "\xe9"])
@pytest.mark.parametrize("path", ["/api/infer", "/", "/nowhere", "/data/color/seal.json"])
def test_nothing_is_sent_without_the_token(client, work, token, path):
    for method in ("POST", "PUT"):
        headers = [] if token is None else [(b"X-Inkwash-Token", token.encode("latin-1"))]
        answer = client.request(method, path, headers=headers, content=arrays())
        assert (answer.status_code, is_sentence(answer)) == (403, True)
    assert work.opened == 0


def test_the_token_in_the_address_or_a_cookie_does_not_count(client):
    headers = {"Cookie": f"X-Inkwash-Token={TOKEN}"}
    assert (
        client.post(f"/api/infer?token={TOKEN}&X-Inkwash-Token={TOKEN}", headers=headers).status_code == 403
    )


def test_other_methods_are_refused(client, studio):
    for method in ("DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT", "PROPFIND", "get", ""):
        status, body = get_raw(server.build_app(studio), "/", method)
        assert (status, is_sentence(body)) == (405, True), method
    assert client.get("/api/infer").status_code == 404  # it is no file of the page
    assert client.post("/api/project", headers=HELD).status_code == 405


# ---------------------------------------------------------------- files


@pytest.fixture
def outside(project):
    """Write a secret beside the data, and columns in which links lead to it."""
    secret = project / "secret"
    make_column(secret, ["000000001"])
    data = project / "data"
    (data / "linked").symlink_to(secret)
    inside = make_column(data / "links", [f"{number:09d}" for number in range(1, 8)])
    for name in ("000000.tar", "index.tsv"):
        (inside / name).unlink()
        (inside / name).symlink_to(secret / name)
    sealed = data / "sealed"
    sealed.mkdir()
    (sealed / "seal.json").symlink_to(secret / "seal.json")
    return project


@pytest.mark.parametrize(
    "path",
    ["/data/../params.yaml", "/data/color/../../params.yaml", "/data/%2e%2e/params.yaml",
     "/data/color/%2e%2e%2f%2e%2e%2fparams.yaml", "/data/color/..%2f..%2fparams.yaml",
     "/data/color/..\\params.yaml", "/data/color/..%5c..%5cparams.yaml", "/data/color/seal.json%00",
     "/data/color/%00", "/data/color%00/seal.json", "/data//etc/passwd", "/data/%2fetc/passwd",
     "/data/color//seal.json", "/data/color/./seal.json", "/data/COLOR/seal.json", "/data/color/",
     "/data/color", "/data/", "/data/color/SEAL.JSON", "/data/color/.seal.json", "/data/color/000000.tar/",
     "/data/color/999999.tar", "/data/color/README.md", "/data/pairs/../color/seal.json", "/../server.py",
     "/%2e%2e/server.py", "/..%2fserver.py", "/engine/../../server.py", "/engine/..%2f..%2fserver.py",
     "//etc/passwd", "/%2fetc/passwd", "/main.js%00", "/main.js/", "/./main.js", "/package.json",
     "/C:%5Cwindows", "/~root", "/engine", "/engine/", "/%ff%fe", "/" + "a" * 5000, "main.js", "*",
     "http://evil.example/main.js"],
)  # fmt: skip
def test_no_path_leads_to_another_file(studio, path):
    status, body = get_raw(server.build_app(studio), path)
    assert (status, is_sentence(body)) == (404, True)


def test_links_that_lead_out_are_refused(outside, client):
    names = [
        "linked/seal.json",
        "links/000000.tar",
        "links/index.tsv",
        "sealed/seal.json",
        "sealed/000000.tar",
    ]
    found = {name: client.get(f"/data/{name}").status_code for name in names}
    assert found == dict.fromkeys(names, 403) | {"linked/seal.json": 404}
    assert client.get("/data/links/000001.tar").status_code == 200
    thumb = client.get("/api/thumb", params={"column": "links", "key": "000000001", "side": 32})
    assert (thumb.status_code, is_sentence(thumb)) == (403, True)
    assert client.get("/api/project").status_code == 200


def test_a_link_that_stays_inside_is_served(project, client):
    shard = project / "data" / "color" / "000000.tar"
    shard.rename(project / "data" / "moved.tar")
    shard.symlink_to(project / "data" / "moved.tar")
    assert client.get("/data/color/000000.tar").status_code == 200


def test_a_seal_cannot_name_a_file_elsewhere(project, client):
    for name in ("../../params.yaml", "/etc/passwd", "..\\x.tar", ".hidden.tar"):
        seal = files.dumps({"shards": {name: {"samples": 0, "bytes": 1, "sha256": "0" * 64, "place": 0}}})
        (project / "data" / "color" / "seal.json").write_bytes(seal)
        answer = client.get("/data/color/seal.json")
        assert (answer.status_code, is_sentence(answer)) == (422, True)


def test_a_link_within_the_page_is_not_followed(client, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "WEB", tmp_path)
    (tmp_path / "index.html").write_text("fine", encoding="utf-8")
    (tmp_path / "link.js").symlink_to(server.__file__)
    assert client.get("/").text == "fine"
    assert client.get("/link.js").status_code == 404


# ---------------------------------------------------------------- bodies


def chunks(count, size=1 << 20):
    for _ in range(count):
        yield bytes(size)


@pytest.mark.parametrize("path", ["/api/infer", "/api/project", "/", "/nowhere"])
def test_a_body_that_is_too_long_is_refused_by_its_length(client, path):
    headers = {"Content-Length": str(safety.most_bytes(path) + 1), **HELD}
    answer = client.post(path, headers=headers, content=b"")
    assert (answer.status_code, is_sentence(answer)) == (413, True)
    for odd in ("-1", "1e9", "9" * 40, "", "0x10"):
        assert client.post(path, headers={"Content-Length": odd, **HELD}).status_code == 413


def test_a_body_of_unknown_length_is_stopped_at_the_limit(client, work, monkeypatch):
    monkeypatch.setitem(safety.LARGE_BODIES, "/api/infer", 2 << 20)
    answer = client.post("/api/infer", headers=HELD, content=chunks(3))
    assert (answer.status_code, is_sentence(answer)) == (413, True)
    assert answer.json()["error"].startswith("the request is longer than 2 MB")
    assert work.opened == 0


def test_all_bodies_together_have_a_bound(client, studio, work, monkeypatch):
    monkeypatch.setattr(safety, "MOST_HELD", 3 << 20)
    for _ in range(5):  # one after another they fit
        assert client.post("/api/infer", headers=HELD, content=chunks(2)).status_code == 400
    monkeypatch.setattr(safety, "MOST_HELD", 1 << 20)
    answer = client.post("/api/infer", headers=HELD, content=chunks(2))
    assert (answer.status_code, is_sentence(answer)) == (503, True)


def test_a_body_that_does_not_come_is_given_up(studio, monkeypatch):
    monkeypatch.setattr(safety, "PATIENCE", 0.05)

    async def never():
        await asyncio.sleep(600)

    held = [(name.lower().encode(), value.encode()) for name, value in HELD.items()]
    status, body = get_raw(server.build_app(studio), "/api/infer", "POST", held, never)
    assert (status, is_sentence(body)) == (408, True)


# ---------------------------------------------------------------- pictures


@pytest.fixture
def hostile(project):
    """Write a column of pictures that are none, or claim to be huge, and a text that is a script."""
    pictures = {
        "1": bomb(10_000, 10_001),
        "2": bomb(50_000, 50_000),
        "3": b"GIF89a",
        "4": b"",
        "5": bomb(8_000, 8_000),
    }
    script = files.dumps({"tags": ["<script>alert(1)</script>"], "artist": "<img src=x onerror=alert(1)>"})
    made = [Sample(key, {"png": data, "json": script}) for key, data in pictures.items()]
    column = project / "data" / "hostile"
    seal_column(column, [write_shard(column / "000000.tar", made)], len(made), {})
    return column


@pytest.mark.parametrize("key", "1235")
def test_no_sketch_is_drawn_of_what_is_none_or_too_large(hostile, client, key, monkeypatch):
    [shard] = list_shards(hostile)
    [sample] = shard.pick({key})
    monkeypatch.setattr(codec, "decode", lambda *_, **__: pytest.fail("it was decoded"))
    given = {"sketch": "{}", "column": "hostile", "key": key}
    for words, body in (
        (given, b""),
        ({"sketch": "{}"}, sample.picture),
        ({"sketch": "{}", "square": "1"}, sample.picture),
    ):
        answer = client.post("/api/sketch", headers=HELD, params=words, content=body)
        assert (answer.status_code, is_sentence(answer)) == (422, True)


@pytest.mark.parametrize("key", "12345")
def test_a_picture_that_is_none_or_too_large_is_a_sentence(hostile, client, key, monkeypatch):
    monkeypatch.setattr(codec, "decode", lambda *_: pytest.fail("it was decoded"))
    answer = client.get("/api/thumb", params={"column": "hostile", "key": key, "side": 64})
    assert (answer.status_code, is_sentence(answer)) == (422, True)


def test_markup_passes_as_json_alone(hostile, client):
    params = hostile.parent.parent / "params.yaml"
    params.write_text("search: {tags: '<script>alert(1)</script>'}\nclean: {}", encoding="utf-8")
    for path in (
        "/api/project",
        "/api/thumb?column=<script>&key=<script>&side=32",
        "/<script>",
        "/data/<script>/x",
    ):
        answer = client.get(path)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    found = client.get("/api/sample", params={"column": "hostile", "key": "3"})
    assert found.headers["Content-Type"] == "application/json"
    assert found.json()["metadata"]["tags"] == ["<script>alert(1)</script>"]
    shard = client.get("/data/hostile/000000.tar")
    assert shard.headers["Content-Type"] == "application/x-tar"


# ---------------------------------------------------------------- many at once, and bugs


def test_a_thousand_requests_at_once_are_answered_and_one_is_colored_at_a_time(studio, work):
    async def flood():
        async with AsyncClient(transport=ASGITransport(server.build_app(studio)), base_url=ADDRESS) as client:
            calls = [client.post("/api/infer", headers=HELD, content=arrays(side=64)) for _ in range(1000)]
            answers = await asyncio.gather(*calls)
            return answers, await client.post("/api/infer", headers=HELD, content=arrays())

    answers, last = asyncio.run(flood())
    counts = {status: sum(each.status_code == status for each in answers) for status in (200, 409, 503)}
    assert sum(counts.values()) == 1000
    assert counts[200] >= 1
    assert all(is_sentence(each) for each in answers if each.status_code != 200)
    assert (work.most, work.opened, last.status_code) == (1, 1, 200)


def test_an_exception_is_a_sentence(studio, monkeypatch, caplog):
    testclient = pytest.importorskip("starlette.testclient")

    def broken(studio):
        async def fail(request):
            raise {
                "bug": ValueError("\33[2J"),
                "disk": OSError(28, "No space left on device"),
                "memory": MemoryError(),
            }[request.path_params["how"]]

        return [Route("/api/broken/{how}", fail)]

    monkeypatch.setattr(server, "ROUTES", [broken])
    client = testclient.TestClient(server.build_app(studio), ADDRESS, raise_server_exceptions=False)
    for how, status in {"bug": 500, "disk": 500, "memory": 507}.items():
        answer = client.get(f"/api/broken/{how}")
        assert (answer.status_code, is_sentence(answer)) == (status, True)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Traceback" in caplog.text  # for the terminal, which must not obey what is in it
    assert "\33" not in caplog.text


def test_coloring_says_what_a_system_cannot_take(client, work):
    for names in (
        [],
        ["cue"],
        ["sketch", "strokes"],
        ["sketch", "cue", "reference"],
        ["sketch", "mask"],
        ["color"],
    ):
        answer = client.post(
            "/api/infer", headers=HELD, content=arrays(*names) if names else b'{"arrays":[]}\n'
        )
        assert (answer.status_code, is_sentence(answer)) == (400, True), names


HEADS = [
    b"", b"\n", b"{", b"[]\n", b"{}\n", b"null\n", b"\xff\xfe\n", b'{"arrays":[1]}\n', b'{"arrays":[{}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[0,4]}]}\n', b'{"arrays":[{"name":"sketch","shape":[-4,-4]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[4]}]}\n', b'{"arrays":[{"name":"sketch","shape":[4,4,2]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[4.0,4]}]}\n', b'{"arrays":[{"name":"sketch","shape":[true,4]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":["4",4]}]}\n', b'{"arrays":[{"name":"sketch","shape":null}]}\n',
    b'{"arrays":[{"name":7,"shape":[4,4]}]}\n', b'{"arrays":[{"name":"sketch","shape":[1e999,4]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[4000000000,4000000000]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[1024,1025]}]}\n',
    b'{"arrays":[{"name":"sketch","shape":[4,4]},{"name":"sketch","shape":[4,4]}]}\n',
    b'{"arrays":' + b"[" * 3000 + b"\n", b" " * 5000 + b"\n",
]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_a_broken_head_is_refused(client, work, head):
    answer = client.post("/api/infer", headers=HELD, content=head + bytes(32))
    assert (answer.status_code, is_sentence(answer), work.opened) == (400, True, 0)


@pytest.mark.parametrize("change", [-1, 1, 1000])
def test_a_shape_that_does_not_fit_the_body_is_refused(client, work, change):
    body = arrays()
    answer = client.post(
        "/api/infer", headers=HELD, content=body[:change] if change < 0 else body + bytes(change)
    )
    assert (answer.status_code, is_sentence(answer), work.opened) == (400, True, 0)


@pytest.mark.parametrize(
    "given",
    [
        {"sketch": np.zeros((4, 4), np.uint8), "cue": np.zeros((5, 5, 3), np.uint8)},
        {"sketch": np.zeros((4, 4), np.uint8), "cue": np.zeros((4, 4), np.uint8)},
        {"sketch": np.zeros((4, 4, 3), np.uint8)},
        {"sketch": np.zeros((4, 4), np.uint8), "reference": np.zeros((9, 9), np.uint8)},
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(client, work, given):
    answer = client.post("/api/infer", headers=HELD, content=arrays(**given))
    assert (answer.status_code, is_sentence(answer)) == (400, True)


def test_the_largest_request_fits_its_limit():
    most = coloring.MOST_PIXELS_EACH * (1 + 3 + 4) + coloring.LONGEST_HEAD
    assert most <= safety.LARGE_BODIES["/api/infer"]
    assert np.prod((512, 2000)) <= coloring.MOST_PIXELS_EACH
