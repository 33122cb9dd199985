"""A command says how it goes, and nothing but errors and what was asked for if it is asked to be quiet."""

from pathlib import Path

import pytest
from made import make_column, run_prep

from stages import arguments
from stages.arguments import report_each_minute

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def run(capsys):
    """Return what runs a command and gives its exit code and both texts."""
    return lambda words, *more: run_prep(capsys, *words.split(), *more)


def test_a_quiet_command_prints_no_news(run, drawing, monkeypatch):
    Path("params.yaml").write_text("cue: {seed: 1}")
    news = (0, "cue: 1 of 1 written to out\n", "cue: parameters from params.yaml\n")
    assert run("cue girl.png out") == news
    assert run("cue girl.png out --quiet") == (0, "", "")
    monkeypatch.setenv("PREP_QUIET", "1")
    assert run("cue girl.png out") == (0, "", "")
    monkeypatch.delenv("PREP_QUIET")
    assert run("cue girl.png out") == news


def test_a_quiet_command_prints_what_was_asked_for_and_errors(run):
    make_column(Path("data/color"), ["000000001"])
    for words in ("ls data", "show 1 data/color", "verify data --json"):
        assert run(words) == run(words, "--quiet")
        assert run(words)[1]
    Path("data/color/000000.tar").unlink()
    assert run("verify data", "--quiet") == run("verify data")
    assert run("cue nowhere out --quiet") == run("cue nowhere out")
    assert run("cue nowhere out --quiet --seed x") == run("cue nowhere out --seed x")


def test_where_there_is_no_terminal_a_line_a_minute_has_done_total_and_rate(capsys):
    times = iter([100.0, 130.0, 159.9, 160.0, 219.0, 300.0, 301.0])
    tick = report_each_minute("train", "step", clock=lambda: next(times))
    for done in (8001, 8031, 8060, 8061, 8100, 8101, 9000):  # it resumed at step 8000
        tick(done, 16000)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "train: step 8,061 of 16,000, 1.0 a second",  # 60 steps in 60 s
        "train: step 8,101 of 16,000, 0.3 a second",  # 40 steps in 140 s
    ]


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_the_progress_of_a_command_is_reported_unless_it_is_quiet(run, monkeypatch, quiet):
    make_column(Path("color"), ["000000001", "000000002"], per_shard=1)
    monkeypatch.setattr(arguments, "MINUTE", 1e-9)
    _, out, err = run("cue color out --workers 1", *quiet)
    assert ("cue: img 2 of 2" in err) == (not quiet)
    assert (out == "") == bool(quiet)
