"""A Ray cluster makes the same bytes as processes do, even if workers are lost."""

import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from made import make_column, process, run_prep
from store import content, upload

from pipeline import codehash, files
from pipeline.errors import BadImage, Halt
from pipeline.images import codec
from pipeline.images.result import Result
from pipeline.params import Cue
from pipeline.run import cluster
from pipeline.run.step import Step
from pipeline.shards import loose
from pipeline.shards.column import SEAL, list_shards

pytest.importorskip("ray", reason="needs inkwash[ray]")

HERE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cores(store):
    """Start a cluster of two cores that can import this file, and stay in it."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent), str(HERE)]))
        patch.setenv("OPENBLAS_NUM_THREADS", "3")
        patch.setenv("RAY_AUTH_TOKEN", "0" * 64)  # or Ray leaves one in the home folder
        patch.delenv("RAY_ADDRESS", raising=False)
        with cluster.joined_cluster(cluster.import_ray(), 2):
            assert signal.getsignal(signal.SIGTERM) == before  # or `prep` would not exit with 143
            yield 2


def picky(data, key, params):
    """Reject every third sample; report one of four colors for the others."""
    if int(key) % 3 == 0:
        raise BadImage("gray")
    return Result(codec.decode(data)[::2, ::2], {"color": int(key) % 4})


PICKY = Step(picky, Cue(), report=("color",))


@pytest.mark.parametrize("source", ["column", "loose"])
def test_in_line_processes_and_ray_make_equal_bytes(cores, column, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for shard in list_shards(column):
        loose.write_loose(Path("loose"), shard)
    ways = {"in line": {}, "processes": {"workers": 2}, "ray": {"on": "ray"}}
    for way, how in ways.items():
        report = process(PICKY, Path(source), Path(way), cache=Path("caches", way), distinct="color", **how)
        assert report.rejected == {"duplicate": 2, "gray": 2}
    assert content(Path("in line")) == content(Path("processes")) == content(Path("ray"))


def test_object_stores_get_equal_bytes(cores, column, bucket, tmp_path):
    process(PICKY, column, tmp_path / "here", cache=tmp_path / "cache", distinct="color")
    afar, dest = upload(column, f"{bucket}/in"), files.to_path(f"{bucket}/out")
    process(PICKY, afar, dest, cache=tmp_path / "other", distinct="color", on="ray")
    assert content(dest) == content(tmp_path / "here")


def test_commands_choose_ray_by_an_option_or_the_environment(cores, column, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_WORKERS", "1")
    run_prep(capsys, "cue", column, "here", "--cache", "one")
    assert run_prep(capsys, "cue", column, "there", "--cache", "two", "--on", "ray")[0] == 0
    monkeypatch.setenv("PREP_ON", "ray")
    assert run_prep(capsys, "cue", column, "again", "--cache", "three")[0] == 0
    assert content(tmp_path / "here") == content(tmp_path / "there") == content(tmp_path / "again")
    assert run_prep(capsys, "cue", column, "moon", "--on", "moon")[0] == 2


@dataclass(frozen=True)
class Notes:
    """A folder in which workers leave notes that outlast them."""

    folder: str

    def leave(self, name):
        """Leave a note; return whether it is the first of this name."""
        path = Path(self.folder, name)
        first = not path.exists()
        with path.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return first

    def count(self, name):
        """Count the notes of a name."""
        return len(Path(self.folder, name).read_text().split())


@pytest.fixture
def notes(tmp_path):
    """Return an empty folder for notes."""
    (tmp_path / "notes").mkdir()
    return Notes(str(tmp_path / "notes"))


def surroundings(data, key, notes):
    """Report the numbers of threads for pixels and for linear algebra, and the process."""
    threads = [cv2.getNumThreads(), *(os.environ[name] for name in cluster.THREAD_VARIABLES)]
    return Result(codec.decode(data), {"threads": " ".join(map(str, threads)), "process": os.getpid()})


def test_workers_are_other_processes_of_one_thread_each(cores, column, notes, tmp_path):
    process(
        Step(surroundings, notes), column, tmp_path / "out", cache=tmp_path / "cache", workers=2, on="ray"
    )
    metadata = [sample.metadata for shard in list_shards(tmp_path / "out") for sample in shard]
    assert {each["threads"] for each in metadata} == {"1 1 1 1"}
    assert os.getpid() not in {each["process"] for each in metadata}


def dies_once(data, key, notes):
    """Die at the fourth sample like a worker that the system kills, but only once."""
    if notes.leave(key) and int(key) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return Result(codec.decode(data), {})


def test_the_shards_of_a_lost_worker_are_made_again(cores, column, notes, tmp_path):
    process(Step(dies_once, notes), column, tmp_path / "out", cache=tmp_path / "cache", on="ray")
    assert notes.count("000000004") == 2
    process(Step(dies_once, notes), column, tmp_path / "inline", cache=tmp_path / "other")
    assert content(tmp_path / "out") == content(tmp_path / "inline")


def dies(data, key, notes):
    """Die."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_shard_that_kills_every_worker_is_given_up_with_advice(cores, notes, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "RETRIES", 1)
    column = make_column(tmp_path / "one", ["000000001"])
    with pytest.raises(Halt, match="a worker was lost 2 times over the same pictures"):
        process(Step(dies, notes), column, tmp_path / "out", cache=tmp_path / "cache", on="ray")
    assert not (tmp_path / "out" / SEAL).exists()


def buggy(data, key, notes):
    """Divide by zero."""
    notes.leave("bug")
    return Result(codec.decode(data), {"ratio": 1 / 0})


def test_a_bug_is_not_retried_and_has_its_traceback(cores, notes, tmp_path):
    column = make_column(tmp_path / "one", ["000000001"])
    with pytest.raises(ZeroDivisionError) as caught:
        process(Step(buggy, notes), column, tmp_path / "out", cache=tmp_path / "cache", on="ray")
    assert notes.count("bug") == 1
    shown = "".join(traceback.format_exception(caught.value))
    assert "in buggy" in shown
    assert '{"ratio": 1 / 0}' in shown
    assert not (tmp_path / "out" / SEAL).exists()


def halts(data, key, notes):
    """Halt for a full disk."""
    raise Halt("the disk is full: free some space")


def test_the_halt_of_a_worker_is_raised_here(cores, column, notes, tmp_path):
    with pytest.raises(Halt) as caught:
        process(Step(halts, notes), column, tmp_path / "out", cache=tmp_path / "cache", on="ray")
    assert str(caught.value) == "the disk is full: free some space"


def test_a_worker_with_other_code_refuses_to_work(cores, column, tmp_path, monkeypatch):
    files.write(tmp_path / "edited.py", b"changed = True")
    monkeypatch.setattr(codehash, "source_files", lambda module: (tmp_path / "edited.py",))
    with pytest.raises(
        Halt, match=f"{socket.gethostname()} has another inkwash, or other libraries: install"
    ):
        process(PICKY, column, tmp_path / "out", cache=tmp_path / "cache", on="ray")
    assert not (tmp_path / "out" / SEAL).exists()


def test_a_worker_that_lacks_the_code_reports_it(cores, column, tmp_path, monkeypatch):
    files.write(tmp_path / "code" / "only_here.py", b"def draw(data, key, params): ...")
    monkeypatch.syspath_prepend(tmp_path / "code")
    import only_here

    with pytest.raises(Halt, match=r"has another inkwash, .* \(No module named 'only_here'\)"):
        process(Step(only_here.draw, Cue()), column, tmp_path / "out", cache=tmp_path / "cache", on="ray")


def interrupt(done, total):
    """Press Ctrl-C when the first part is done."""
    raise KeyboardInterrupt


def slow(data, key, notes):
    """Take 20 seconds for each sample but the first."""
    if int(key) > 1:
        time.sleep(20)
        notes.leave("survived")
    return Result(codec.decode(data), {})


def test_an_interrupt_ends_the_work_and_leaves_no_seal(cores, notes, tmp_path):
    column = make_column(tmp_path / "many", [f"{n:09d}" for n in range(1, 30)], per_shard=1)
    with pytest.raises(KeyboardInterrupt):
        process(
            Step(slow, notes), column, tmp_path / "out", cache=tmp_path / "cache", on="ray", tick=interrupt
        )
    assert not (tmp_path / "out" / SEAL).exists()
    # both cores are free again
    process(Step(dies_once, notes), column, tmp_path / "other", cache=tmp_path / "cache", on="ray")
    assert not Path(notes.folder, "survived").exists()


def double(number):
    """Double a number."""
    return 2 * number


def test_results_come_in_order_and_few_units_are_sent_ahead(cores):
    drawn = []
    results = cluster.spread_on_cluster(double, (drawn.append(n) or n for n in range(100)), 2, PICKY)
    assert next(results) == 0
    assert len(drawn) == cluster.UNITS_PER_WORKER * cores + 1
    assert list(results) == list(range(2, 200, 2))


def test_a_cluster_that_does_not_answer_is_reported_with_advice(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    for given in (address, f"ray://{address}", "nonsense"):
        monkeypatch.setenv("RAY_ADDRESS", given)
        with pytest.raises(Halt, match=rf"the Ray cluster {given} cannot be joined \(.*\): start it"):
            cluster.join_cluster(cluster.import_ray(), 1)


def test_a_missing_package_is_reported_with_advice(column, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, said = run_prep(capsys, "cue", column, "out", "--on", "ray")
    assert code == 1
    assert said.startswith("prep: a package is missing (")
    assert said.endswith("install inkwash[ray], then run the same command again\n")
    assert not (tmp_path / "out" / SEAL).exists()


def test_optional_packages_are_imported_only_when_needed():
    code = "import sys, stages.prep; sys.exit(bool({'ray', 'upath', 'fsspec'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE.parent)
