"""The studio as its page uses it: the page, what it says of the model and the project, and coloring."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection

import numpy as np
import pytest
from httpx2 import ASGITransport, AsyncClient
from made import picture, run_prep
from project import ENVIRONMENT, ROOT
from serving import ADDRESS, HELD, arrays

from pipeline.models.network import SHIPPED_ONNX, open_network
from pipeline.models.tiles import colorize_picture
from pipeline.studio import server


def test_the_page_and_its_modules_have_their_types(client):
    for path, kind in {"/": "text/html", "/main.js": "text/javascript", "/app.css": "text/css"}.items():
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert client.get("/icon.svg").headers["Content-Type"] == "image/svg+xml"
    assert client.get("/").text == client.get("/index.html").text


def test_a_browser_asks_again_and_gets_no_byte_twice(client):
    tag = client.get("/main.js").headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get("/main.js", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/main.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_page_learns_the_model_which_is_opened_once(client, work):
    assert client.get("/page.json").json() == {"mode": "studio", "version": "0"}
    found = client.get("/api/model").json()
    assert found["why"] == ""
    assert found["model"] == {
        "title": "a model",
        "system": "wash",
        "guides": ["cue", "reference", "none", "gray"],
        "multiple": 8,
        "config": {"system": "wash", "side": 16},
        "sha256": "0" * 64,
        "engine": "paper and pencil",
    }
    client.get("/api/model")
    assert work.opened == 1


def test_a_missing_model_is_a_sentence_on_the_page(client):
    found = client.get("/api/model").json()
    assert found["model"] is None
    assert "model.onnx is missing: name a file that prep export wrote" in found["why"]
    answer = client.post("/api/infer", headers=HELD, content=arrays())
    assert (answer.status_code, answer.json()["error"]) == (422, found["why"])


def test_a_missing_package_is_a_sentence_on_the_page(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "install inkwash[color], then start prep studio again" in client.get("/api/model").json()["why"]


def test_a_model_that_came_later_is_found(client, project):
    assert client.get("/api/model").json()["model"] is None
    (project / "model.onnx").write_bytes(SHIPPED_ONNX.read_bytes())
    assert client.get("/api/model").json()["model"]["system"] == "wash"


def test_the_network_colors_as_in_the_library(ask):
    network = open_network(SHIPPED_ONNX)
    client, sketch = ask(model=SHIPPED_ONNX), picture(1, 40, 32)[..., 0]
    guides = {"cue": picture(2, 40, 32), "strokes": np.dstack([picture(3, 40, 32), sketch])}
    guides |= {"reference": picture(4, 20, 20)}
    for name, guide in guides.items():
        given = {"sketch": sketch, name: guide}
        answer = client.post("/api/infer", headers=HELD, content=arrays(**given))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/octet-stream")
        made = np.frombuffer(answer.content, np.uint8).reshape(32, 40, 3)
        np.testing.assert_array_equal(made, colorize_picture(network, given))


@pytest.mark.parametrize("names", [["sketch"], ["sketch", "cue"], ["sketch", "mask", "color"]])
def test_each_guide_of_the_network_passes(client, work, names):
    answer = client.post("/api/infer", headers=HELD, content=arrays(*names))
    assert (answer.status_code, len(answer.content)) == (200, 16 * 16 * 3)


def test_of_those_that_wait_the_newest_stays(studio, work, monkeypatch):
    """The second is answered as soon as the third comes, while the first is still computed."""
    begun, go_on = threading.Event(), threading.Event()

    def infer(given):
        begun.set()
        assert go_on.wait(60)
        return np.repeat(given["sketch"], 3, axis=1)

    async def three():
        transport = ASGITransport(server.build_app(studio))
        async with AsyncClient(transport=transport, base_url=ADDRESS) as client:
            tasks = []
            for _ in range(3):
                tasks.append(asyncio.create_task(client.post("/api/infer", headers=HELD, content=arrays())))
                await asyncio.to_thread(begun.wait, 60)
            second = await asyncio.wait_for(tasks[1], 60)
            assert not tasks[0].done()
            assert not tasks[2].done()
            go_on.set()
            return [(await tasks[0]).status_code, second.status_code, (await tasks[2]).status_code]

    monkeypatch.setattr(work, "infer", infer)
    assert asyncio.run(three()) == [200, 409, 200]


def test_the_project_is_counted(client, project):
    found = client.get("/api/project").json()
    color, pairs, sketch = found["columns"]
    assert [each["path"] for each in found["columns"]] == ["color", "pairs", "sketch-b7"]
    assert (color["samples"], color["members"], color["splits"]) == (7, {"png": 7, "json": 7}, {})
    assert pairs["splits"] == {"train": 7, "val": 2, "test": 3}
    assert pairs["members"]["sketch-b7.png"] == pairs["samples"] == 12
    assert sketch["rejects"] == {}
    assert found["params"]["train"] == {"lr": 0.002}
    assert (found["metrics"], found["why"]) == ({}, "")
    (project / "metrics").mkdir()
    (project / "metrics" / "cue.json").write_text('{"counts": [{"written": 3}]}', encoding="utf-8")
    assert client.get("/api/project").json()["metrics"] == {"cue": {"written": 3}}


def test_a_missing_dataset_is_a_sentence_on_the_page(ask, tmp_path, work):
    for data in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        found = ask(data=data, params=None).get("/api/project").json()
        assert found["columns"] == []
        assert found["why"] == f"{data} has no columns: run dvc repro, or name a folder of shards"


def test_what_is_broken_is_said_and_the_rest_is_shown(client, project):
    (project / "data" / "color" / "seal.json").write_text("{}", encoding="utf-8")
    (project / "data" / "sketch-b7" / "index.tsv").write_text("key\n", encoding="utf-8")
    (project / "params.yaml").write_text("search: [", encoding="utf-8")
    found = client.get("/api/project").json()
    color, pairs, sketch = found["columns"]
    assert "is no seal of this program" in color["fault"]
    assert "index.tsv differs from the seal" in sketch["fault"]
    assert pairs["samples"] == 12
    assert "cannot be read as YAML" in found["why"]


def test_yaml_that_json_does_not_have_becomes_text(client, project):
    (project / "params.yaml").write_text("search: {since: 2020-01-02, most: .inf, 3: ~}", encoding="utf-8")
    assert client.get("/api/project").json()["params"] == {
        "search": {"since": "2020-01-02", "most": "inf", "3": None}
    }


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Start prep studio in a folder without anything; yield its port, token and process."""
    command = [sys.executable, "-m", "stages.prep", "studio", "--port", "0"]
    env = ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    folder = tmp_path_factory.mktemp("bare")
    with subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline()
        port, token = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]{22})\n", line).groups()
        yield int(port), token, process
        process.kill()


def send(port, method, target, body=None, **headers):
    """Send a request as it is, and return status, headers and body of the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, target, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body, encode_chunked="Transfer_Encoding" in headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_command_serves_the_page_on_loopback_alone(started):
    port, token, _ = started
    status, headers, body = send(port, "GET", "/")
    assert (status, body[:9]) == (200, b"<!doctype")
    assert "server" not in {name.lower() for name in headers}
    found = [json.loads(send(port, "GET", f"/api/{name}")[2]) for name in ("model", "project")]
    assert found[0]["model"]["title"] == "the model that ships with inkwash"
    assert found[1]["why"] == "data has no columns: run dvc repro, or name a folder of shards"
    assert send(port, "HEAD", "/")[::2] == (200, b"")
    assert (
        send(port, "POST", "/api/infer", arrays(), X_Inkwash_Token=token, Content_Length=str(len(arrays())))[
            0
        ]
        == 200
    )


def test_the_socket_checks_what_a_browser_would_not_send(started):
    port, token, _ = started
    assert send(port, "GET", "/", Host="evil.example")[0] == 403
    for target in (
        "/../../pyproject.toml",
        "/data/../../params.yaml",
        "/%2e%2e/%2e%2e/setup.py",
        "http://evil.example/",
    ):
        assert send(port, "GET", target)[0] in (403, 404)
    body = iter([bytes(1 << 20)] * 15)
    status, _, said = send(
        port, "POST", "/api/infer", body, X_Inkwash_Token=token, Transfer_Encoding="chunked"
    )
    assert (status, b"longer than 10 MB" in said) == (413, True)


def test_a_port_that_is_taken_is_one_sentence(started, capsys, monkeypatch):
    code, out, err = run_prep(capsys, "studio", "--port", started[0])
    assert (code, out) == (1, "")
    assert f"prep: the port {started[0]} cannot be used" in err
    assert "name another, or 0 for a free one" in err


def test_an_interrupt_ends_it_cleanly(started):
    process = started[2]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert err == "studio: shows data, colors by the model that ships with inkwash, until Ctrl-C\n"


def test_the_port_is_the_same_each_time_unless_it_is_taken(monkeypatch):
    """A browser keeps saved drawings by address."""
    with server.listen(0) as free:
        monkeypatch.setattr(server, "PORT", free.getsockname()[1])
    with server.listen() as first, server.listen() as second:
        assert first.getsockname()[1] == server.PORT != second.getsockname()[1]


def test_it_listens_on_loopback(monkeypatch):
    with server.listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
