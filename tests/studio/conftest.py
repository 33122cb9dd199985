"""A small project with columns, and the studio that shows it."""

from dataclasses import replace

import pytest
from made import PARAMS, make_columns, packed, run_prep
from serving import ADDRESS, PORT, TOKEN, Work

from pipeline.images import codec
from pipeline.studio import coloring, server
from pipeline.studio.state import Studio
from stages.arguments import read_params


@pytest.fixture
def work(monkeypatch):
    """Let the studio color without weights."""
    work = Work()
    monkeypatch.setattr(coloring, "open_network", work.open)
    return work


@pytest.fixture
def project(tmp_path):
    """Write a project of two columns and a packed dataset; return its folder."""
    data = tmp_path / "project" / "data"
    make_columns(data, [f"{number:09d}" for number in range(1, 8)], "color", "sketch-b7")
    packed(data / "pairs")
    (data.parent / "params.yaml").write_text(PARAMS, encoding="utf-8")
    return data.parent


@pytest.fixture
def studio(project):
    return Studio(
        data=project / "data",
        params=project / "params.yaml",
        model=project / "model.onnx",
        title="a model",
        version="0",
        token=TOKEN,
        port=PORT,
        functions={"read_params": read_params},
    )


@pytest.fixture
def ask(studio):
    """Return a function that opens a client of the studio, started with other values where given."""
    testclient = pytest.importorskip("starlette.testclient")

    def open_client(**changed):
        app = server.build_app(replace(studio, **changed))
        return testclient.TestClient(app, ADDRESS, raise_server_exceptions=False)

    return open_client


@pytest.fixture
def client(ask):
    return ask()


@pytest.fixture
def by_prep(capsys, tmp_path):
    """Return a function that colors a drawing by `prep colorize`, as RGBA levels that can be subtracted."""

    def color(drawing, model, *words):
        made = tmp_path / "by_prep.png"
        assert run_prep(capsys, "colorize", drawing, made, "--model", model, *words, "--force")[0] == 0
        return codec.decode_rgba(made.read_bytes()).astype(int)

    return color
