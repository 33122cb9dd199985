"""A packed dataset arrives whole from every kind of DVC remote that the README names."""

import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from made import make_columns

from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from pipeline.shards.column import list_shards

ROOT = Path(__file__).parent.parent.parent
LOCAL = "127.0.0.1"
STAGES = """\
stages:
  draw:
    cmd: echo draw >> {made}/log && cp -r {made}/color data/color
    outs: [data/color]
  pack:
    cmd: echo pack >> {made}/log && cp -r {made}/pairs data/pairs
    deps: [data/color]
    outs: [data/pairs]
"""
ARTIFACTS = re.search(r"^artifacts:.*?\n\n", (ROOT / "dvc.yaml").read_text(), re.DOTALL | re.MULTILINE)[0]
SSHD = """\
ListenAddress {address}:{port}
HostKey {home}/host
PidFile {home}/sshd.pid
AuthorizedKeysFile {home}/user.pub
PasswordAuthentication no
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""
SSH = """\
Host store
  HostName {address}
  Port {port}
  IdentityFile {home}/user
"""


class Desk:
    """A home folder in which git and DVC run without the machine's settings, proxies and keys."""

    def __init__(self, home):
        """Make the home folder, with a name for git's commits."""
        self.home = home
        home.mkdir()
        (home / "gitconfig").write_text("[user]\nname = Ink\nemail = ink@example.org\n")
        self.environment = {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(home / "site"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def run(self, folder, *command):
        """Run a command in a folder and return its output; show the output if the command fails."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{done.args} printed:\n{done.stdout}"
        return done.stdout


@contextmanager
def folder(desk):
    """Yield the settings of a remote that is a folder."""
    yield {"url": desk.home / "store"}


@contextmanager
def bucket(desk):
    """Yield the settings of a remote on an S3-compatible server."""
    pytest.importorskip("dvc_s3", reason="needs dvc[s3]")
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    server = moto.ThreadedMotoServer(LOCAL, port=0, verbose=False)
    server.start()
    try:
        connection = HTTPConnection(*server.get_host_and_port())
        connection.request("PUT", "/bucket")
        status = connection.getresponse().status
        connection.close()
        assert status == 200
        yield {"url": "s3://bucket/path", "endpointurl": "http://{}:{}".format(*server.get_host_and_port())}
    finally:
        server.stop()


@contextmanager
def host(desk):
    """Yield the settings of a remote behind SSH; the login is in the user's ~/.ssh/config."""
    pytest.importorskip("dvc_ssh", reason="needs dvc[ssh]")
    sshd = shutil.which("sshd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))
    if sshd is None:
        pytest.skip("needs sshd: apt-get install openssh-server")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's sshd separates its privileges
    with socket.create_server((LOCAL, 0)) as free:
        port = free.getsockname()[1]
    home = desk.home
    for key in ("host", "user"):
        desk.run(home, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / key)
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(SSH.format(address=LOCAL, port=port, home=home))
    (home / "sshd").write_text(SSHD.format(address=LOCAL, port=port, home=home))
    command = [sshd, "-D", "-e", "-f", home / "sshd"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = ""
            while "listening" not in said:
                line = server.stderr.readline()
                assert line, f"sshd stopped and printed:\n{said}"
                said += line
            yield {"url": f"ssh://store{home}/store"}
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pack six small pictures; return the folder of the columns, which also gets the log of the stages."""
    root = tmp_path_factory.mktemp("made")
    columns = make_columns(root, [f"{number:09d}" for number in range(6)], "color", "sketch-b7")
    pack_columns(columns, root / "pairs", Pack(val=0.0, test=0.0, shards=2))
    return root


@pytest.fixture(scope="module")
def project(made, tmp_path_factory):
    """Run a project of two stages and commit it, without a remote."""
    desk = Desk(tmp_path_factory.mktemp("author") / "home")
    root = desk.home.parent / "project"
    (root / "data").mkdir(parents=True)
    desk.run(root, "git", "init", "-q")
    desk.run(root, "dvc", "init", "-q")
    (root / "dvc.yaml").write_text(STAGES.format(made=made) + ARTIFACTS)
    desk.run(root, "dvc", "repro")
    desk.run(root, "git", "add", "-A")
    desk.run(root, "git", "commit", "-qm", "Draw and pack")
    return root


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "home")


def push(desk, project, settings):
    """Push a copy of the project to a remote, commit the remote's settings, and return the copy's URL.

    The copy keeps no data, so that a clone can only get them from the remote.
    """
    root = desk.home.parent / "project"
    shutil.copytree(project, root)
    desk.run(root, "dvc", "remote", "add", "-d", "store", settings["url"])
    for name in settings.keys() - {"url"}:
        desk.run(root, "dvc", "remote", "modify", "store", name, settings[name])
    desk.run(root, "git", "commit", "-qam", "Name the remote")
    desk.run(root, "git", "tag", "-am", "To share", "dataset@v1.0.0")
    desk.run(root, "dvc", "push")
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(root / "data")
    return root.as_uri()


def content(column):
    """Return the bytes of every file of a column by name."""
    return {path.name: path.read_bytes() for path in column.iterdir()}


PATH, NAME = ("get", "data/pairs"), ("artifacts", "get", "dataset")


@pytest.mark.parametrize(("remote", "command"), [(folder, NAME), (bucket, PATH), (host, PATH)])
def test_a_packed_dataset_arrives_whole_from_the_remote(remote, command, desk, project, made, tmp_path):
    with remote(desk) as settings:
        url = push(desk, project, settings)
        desk.run(tmp_path, "git", "clone", "-q", url, "clone")
        desk.run(tmp_path / "clone", "dvc", "pull")
        (tmp_path / "elsewhere").mkdir()
        desk.run(tmp_path / "elsewhere", "dvc", *command[:-1], url, command[-1], "-o", "out")
    for arrived in (tmp_path / "clone" / "data" / "pairs", tmp_path / "elsewhere" / "out"):
        assert content(arrived) == content(made / "pairs")
        shards = [len(list(shard)) for shard in list_shards(arrived)]
        assert (len(shards), sum(shards)) == (2, 6)


def test_a_fresh_clone_of_a_pushed_project_is_up_to_date_without_its_data(desk, project, made, tmp_path):
    with folder(desk) as settings:
        url = push(desk, project, settings)
        desk.run(tmp_path, "git", "clone", "-q", url, "clone")
        said = desk.run(tmp_path / "clone", "dvc", "repro", "--pull", "--allow-missing")
    clone = tmp_path / "clone"
    assert "up to date" in said
    assert (made / "log").read_text() == "draw\npack\n"  # as the author ran them, once
    assert not list(clone.glob("data/*/*"))
    assert not (clone / ".dvc" / "cache" / "files").exists()
    assert desk.run(clone, "git", "status", "--porcelain") == ""
