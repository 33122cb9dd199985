"""The benchmark of coloring compares every network on one picture."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import color

pytestmark = pytest.mark.usefixtures("one_thread")


def test_every_network_has_a_row_and_colors_the_same_picture(capsys, monkeypatch):
    made = {name: run() for name, run in color.contestants(32).items()}
    assert {picture.shape for picture in made.values()} == {(32, 32, 3)}
    assert abs(made["wash, torch"].astype(int) - made["wash, ONNX Runtime"]).max() <= 1
    monkeypatch.setattr(sys, "argv", ["color.py", "--sides", "32", "--turns", "1"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    color.main()
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == list(made)
    assert rows[0][3] == "1.00"
