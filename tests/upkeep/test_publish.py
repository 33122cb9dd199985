"""Publishing sends what is whole, once, in one commit, and says what it would send before."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import huggingface_hub
import pytest
from hub import OWNER, TOKEN, serve_hub
from huggingface_hub import ModelCard
from made import make_columns, run_prep

from pipeline.errors import Halt
from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from pipeline.upkeep.hub import check_repository, upload_publication
from pipeline.upkeep.publish import read_publication

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub
ROOT = Path(__file__).parent.parent.parent
SHIPPED = ROOT / "pipeline" / "models" / "shipped"
NAME = f"{OWNER}/pairs"
INTERVAL = {"mean": 24.5, "low": 24.0, "high": 25.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pack six small pictures."""
    home = tmp_path_factory.mktemp("published")
    columns = make_columns(home, [f"{number:09d}" for number in range(1, 7)], "color", "sketch-b7")
    pack_columns(columns, home / "pairs", Pack(val=0.0, test=0.0, shards=3))
    return home / "pairs"


@pytest.fixture
def pairs(made, tmp_path, monkeypatch):
    """Copy the dataset to a folder to work in, with a file that is not of it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, "pairs")
    Path("pairs/notes.txt").write_text("mine")
    return Path("pairs")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Serve a Hub, with a login to it and without the waits between tries."""
    with serve_hub() as found:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", found.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("NO_PROXY", "*")
        yield found


@pytest.fixture(scope="module", autouse=True)
def _session():
    """Close the connections at the end; a session for each test would read the certificates again."""
    yield
    huggingface_hub.close_session()


def content(folder):
    """Return the files to publish by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "notes.txt"}


def test_without_yes_it_says_what_would_go_where_and_asks_nobody(pairs, hub, capsys):
    code, said, _ = run_prep(capsys, "publish", pairs, NAME)
    files = content(pairs)
    total = f"{len(files)} files, {sum(map(len, files.values())) / 1e6:.1f} MB"
    assert code == 0
    assert f"the dataset pairs: {total}, to the private repository ink/pairs on {hub.address}\n" in said
    assert "license in the header of the card: unknown\n" in said
    for name, data in files.items():
        assert f"{len(data):>15,}  {name}\n" in said
    assert "notes.txt" not in said
    assert hub.requests == []
    assert "the public repository" in run_prep(capsys, "publish", pairs, NAME, "--public")[1]


def test_the_repository_gets_every_file_in_one_commit_and_again_none(pairs, hub, capsys):
    code, said, err = run_prep(capsys, "publish", pairs, NAME, "--yes")
    assert (err, code) == ("", 0)
    assert said.endswith(f"publish: {hub.address}/ink/pairs/commit/1\n")
    repository, sent = hub.repositories[NAME], hub.sent
    assert (repository.files, repository.private, repository.commits) == (content(pairs), True, 1)
    assert len(sent) == len({*sent}) == 4  # three shards and the table
    assert run_prep(capsys, "publish", pairs, NAME, "--yes")[0] == 0
    assert (hub.sent, repository.commits) == (sent, 1)


def test_a_killed_upload_goes_on_with_what_is_not_there_yet(pairs, hub, capsys):
    environment = os.environ | {
        "HF_ENDPOINT": hub.address, "HF_HUB_DISABLE_XET": "1", "HF_HOME": "home", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    command = [sys.executable, "-m", "stages.prep", "publish", "pairs", NAME, "--yes"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as upload:
        hub.stored = lambda: upload.kill() if len(hub.objects) == 2 else None
    assert upload.returncode == -signal.SIGKILL
    assert (len(hub.objects), hub.repositories[NAME].files) == (2, {})
    hub.stored = lambda: None
    assert run_prep(capsys, "publish", pairs, NAME, "--yes")[0] == 0
    assert set(Counter(hub.sent).values()) == {1}
    assert hub.repositories[NAME].files == content(pairs)


def upload(name=NAME, public=False):
    """Upload the dataset."""
    upload_publication(read_publication(Path("pairs"), Path("none")), name, public)


def test_a_shard_that_is_no_longer_of_the_dataset_goes_and_other_files_stay(pairs, hub):
    upload()
    files = hub.repositories[NAME].files
    files |= {"train-000009.tar": b"forgotten", "paper.pdf": b"theirs"}
    upload()
    assert files == content(pairs) | {"paper.pdf": b"theirs"}


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        ("GET /api/whoami-v2", 401, "log in with hf auth login, or set HF_TOKEN"),
        ("GET /api/whoami-v2", 503, "run the same command later to go on"),
        ("POST /api/repos/create", 402, "do as it says, then run this again"),
        ("POST /api/repos/create", 500, "run the same command later to go on"),
        ("GET /api/datasets", 404, "name a repository of yours"),
        ("POST /api/datasets/ink/pairs/preupload", 403, "use a token that may write there"),
        ("POST /datasets/ink/pairs.git", 429, "wait a while"),
        ("PUT /lfs", 504, "run the same command later to go on"),
        ("POST /api/validate-yaml", 400, "do as it says"),
        ("POST /api/datasets/ink/pairs/commit", 412, "another upload came in between"),
        ("POST /api/datasets/ink/pairs/commit", 502, "run the same command later to go on"),
    ],
)
@pytest.mark.usefixtures("pairs")
def test_a_hub_that_refuses_or_fails_is_one_sentence_and_no_file(hub, asked, status, sentence):
    hub.refuse = lambda request: status if request.startswith(asked) else 0
    with pytest.raises(Halt, match=rf"^the Hub refuses ink/pairs \({status}: .*\): .*{sentence}"):
        upload()
    assert not any(repository.files for repository in hub.repositories.values())


def test_without_a_login_nothing_is_asked(pairs, hub, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    code, _, err = run_prep(capsys, "publish", pairs, NAME, "--yes")
    advice = "log in with hf auth login, or set HF_TOKEN"
    assert (code, err) == (1, f"prep: there is no login to upload to ink/pairs: {advice}\n")
    assert hub.requests == []


@pytest.mark.parametrize(("token", "name", "status"), [("hf_wrong", NAME, 401), (TOKEN, "other/pairs", 403)])
@pytest.mark.usefixtures("pairs")
def test_a_wrong_token_and_another_owner_are_refused(hub, monkeypatch, token, name, status):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(Halt, match=rf"^the Hub refuses {name} \({status}: "):
        upload(name)
    assert hub.repositories == {}


@pytest.mark.usefixtures("pairs", "hub")
def test_a_hub_that_does_not_answer_is_one_sentence(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Halt, match=r"^the upload to ink/pairs stopped \(ConnectError: "):
        upload()


@pytest.mark.parametrize("public", [True, False])
@pytest.mark.usefixtures("pairs")
def test_a_repository_never_shows_more_or_less_than_asked(hub, public):
    upload(public=public)
    requests = len(hub.requests)
    with pytest.raises(Halt, match=f"^ink/pairs is {'public' if public else 'private'}: "):
        upload(public=not public)
    assert len(hub.requests) == requests + 3  # who asks, make it, look at it


@pytest.mark.parametrize("name", ["pairs", "a/b/c", "ink/..", "ink/a b", "ink/", ""])
def test_a_name_that_no_repository_can_have_is_refused(name):
    with pytest.raises(ValueError, match=r"OWNER/NAME|Repo id"):
        check_repository(name)


def test_a_bad_name_is_bad_usage(pairs, capsys):
    assert run_prep(capsys, "publish", pairs, "pairs")[0] == 2


def spoil(name):
    """Flip a bit in the middle of a file."""
    data = bytearray(Path("pairs", name).read_bytes())
    data[len(data) // 2] ^= 1
    Path("pairs", name).write_bytes(data)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda: spoil("train-000001.tar"), "train-000001.tar is missing or differs from SHA256SUMS: run"),
        (lambda: spoil("croissant.json"), "croissant.json is missing or differs from SHA256SUMS: run"),
        (lambda: spoil("seal.json"), "seal.json is no seal of this program"),
        (lambda: Path("pairs/seal.json").unlink(), "pairs has no seal.json"),
        (
            lambda: Path("pairs/SHA256SUMS").unlink(),
            "pairs has no SHA256SUMS: name a packed dataset or a model",
        ),
        (lambda: Path("pairs/SHA256SUMS").write_text("../x"), "SHA256SUMS is damaged: run"),
        (lambda: Path("pairs/SHA256SUMS").write_text(""), "SHA256SUMS does not name train-000000.tar: run"),
        (lambda: Path("pairs/README.md").unlink(), "README.md is missing: run"),
        (lambda: Path("pairs/README.md").write_text("---\na: [\n---\n"), "no header of YAML"),
        (lambda: Path("pairs/README.md").write_text("---\na: 1\n"), "no header of YAML"),
    ],
)
@pytest.mark.usefixtures("pairs")
def test_a_folder_that_is_not_whole_is_refused(change, sentence):
    change()
    with pytest.raises(Halt, match=sentence):
        read_publication(Path("pairs"), Path("none"))


# ---------------------------------------------------------------- a model


def write_report(path, sha256):
    """Write what evaluate reports of the weights with this SHA-256."""
    scores = {"model": {"psnr": INTERVAL, "ssim": {**INTERVAL, "mean": 0.9}, "fid": 12.5, "edges": INTERVAL}}
    report = {"model_sha256": sha256, "system": "wash", "dataset": "f" * 64, "images": 36}
    report["conditions"] = {"paired": {"guide": "cue", "scores": scores}}
    path.write_text(json.dumps(report))
    return path


def test_the_card_of_a_model_has_its_measures_in_the_header(tmp_path):
    weights = (SHIPPED / "SHA256SUMS").read_text().split()[2]
    published = read_publication(SHIPPED, write_report(tmp_path / "report.json", weights))
    card = ModelCard(published.card)
    found = {(each.metric_type, each.metric_value, each.dataset_split) for each in card.data.eval_results}
    assert found == {("psnr", 24.5, "test"), ("ssim", 0.9, "test"), ("fid", 12.5, "test")}
    assert {each.task_name for each in card.data.eval_results} == {"sketch colorization by cue"}
    before = ModelCard.load(SHIPPED / "README.md")
    assert (card.text, card.data.tags) == (before.text, before.data.tags)
    assert published.sums.keys() == {"model.safetensors", "config.json"}


def test_measures_of_other_weights_are_left_out_and_that_is_said(tmp_path, hub, capsys):
    shutil.copytree(SHIPPED, tmp_path / "model")
    card = tmp_path / "model" / "README.md"
    card.write_text(card.read_text().replace("---\n", "---\nlicense: mit\n", 1))
    report = write_report(tmp_path / "report.json", "0" * 64)
    words = ["publish", tmp_path / "model", "ink/wash", "--report", report, "--yes"]
    code, said, _ = run_prep(capsys, *words)
    assert code == 0
    assert f"no measures, since {report} is missing or of another model\n" in said
    assert "license in the header of the card: mit\n" in said
    files = hub.repositories["ink/wash"].files
    assert files == {
        path.name: path.read_bytes() for path in (tmp_path / "model").iterdir() if path.name in files
    }
    assert files.keys() == {"model.safetensors", "config.json", "SHA256SUMS", "README.md"}


def test_a_report_that_is_none_is_refused(tmp_path):
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(Halt, match=r"report\.json is no report of evaluate"):
        read_publication(SHIPPED, tmp_path / "report.json")
