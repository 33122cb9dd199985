"""A Hub on loopback: what `huggingface_hub` asks for to make a repository and fill it by one commit."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN, OWNER = "hf_right", "ink"
LARGE = (".tar", ".parquet", ".safetensors")  # what is not sent within the commit
REPOSITORY = r"/(?:api/)?(?:(?:datasets|models)/)?([^/]+/[^/]+?)(?:\.git)?"


@dataclass
class Repository:
    """The files of the last commit."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0

    @property
    def sha(self) -> str:
        return f"{self.commits:040x}"


@dataclass
class Hub:
    """Repositories by name, stored objects by SHA-256, and all requests; `refuse` may give a status."""

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    refuse: Callable[[str], int] = lambda request: 0
    stored: Callable[[], None] = lambda: None  # is called after each object

    @property
    def sent(self) -> list[str]:
        """The SHA-256 of every object that was sent, in order."""
        return [request.rpartition("/")[2] for request in self.requests if request.startswith("PUT ")]

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, dict]:
        path = path.partition("?")[0]
        self.requests.append(f"{method} {path}")
        if status := self.refuse(self.requests[-1]):
            return status, {"error": "the fake refuses"}
        if method == "PUT":
            oid = path.rpartition("/")[2]
            if hashlib.sha256(body).hexdigest() != oid:
                return 422, {"error": "other content"}
            self.objects[oid] = body
            self.stored()
            return 200, {}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        given = [json.loads(line) for line in body.splitlines()]
        if path == "/api/whoami-v2":
            return 200, {"name": OWNER, "type": "user"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            return self.create(**given[0])
        name, rest = re.fullmatch(
            REPOSITORY + "(/preupload/main|/commit/main|/info/lfs/.*|/revision/main|)", path
        ).groups()
        if (found := self.repositories.get(name)) is None:
            return 404, {"error": "Repository not found"}
        if rest.startswith("/preupload"):
            return 200, {"files": [self.mode(found, **each) for each in given[0]["files"]]}
        if rest.startswith("/info"):
            return 200, {"transfer": "basic", "objects": [self.place(**each) for each in given[0]["objects"]]}
        if rest.startswith("/commit"):
            return self.commit(found, name, given)
        files = [{"rfilename": file} for file in found.files]
        return 200, {"id": name, "sha": found.sha, "private": found.private, "siblings": files, "tags": []}

    def create(self, name, organization, visibility, **_) -> tuple[int, dict]:
        if organization != OWNER:
            return 403, {"error": "You have no right to make this"}
        whole = f"{organization}/{name}"
        status = 409 if whole in self.repositories else 200
        self.repositories.setdefault(whole, Repository(visibility == "private"))
        return status, {"url": f"{self.address}/datasets/{whole}"}

    def mode(self, repository, path, **_) -> dict:
        content = repository.files.get(path)
        answer = {
            "path": path,
            "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
            "shouldIgnore": False,
        }
        if content is None:
            return answer
        large, small = hashlib.sha256(content), hashlib.sha1(b"blob %d\0%b" % (len(content), content))
        return answer | {"oid": (large if path.endswith(LARGE) else small).hexdigest()}

    def place(self, oid, size) -> dict:
        upload = {} if oid in self.objects else {"actions": {"upload": {"href": f"{self.address}/lfs/{oid}"}}}
        return {"oid": oid, "size": size} | upload

    def commit(self, repository, name, given) -> tuple[int, dict]:
        header, *changes = given
        if header["value"].get("parentCommit") != repository.sha:
            return 412, {"error": "A commit has happened since"}
        for change in changes:
            value = change["value"]
            if change["key"] == "deletedFile":
                del repository.files[value["path"]]
            elif change["key"] == "lfsFile":
                repository.files[value["path"]] = self.objects[value["oid"]]
            else:
                repository.files[value["path"]] = base64.b64decode(value["content"])
        repository.commits += 1
        return 200, {"commitUrl": f"{self.address}/{name}/commit/1", "commitOid": repository.sha}


@contextmanager
def serve_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize, disable_nagle_algorithm = -1, True  # or each answer waits 40 ms for an acknowledgment

        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                return
            token = self.headers.get("Authorization", "")
            status, value = hub.answer(self.command, self.path, token, body)
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if "error" in value:
                self.send_header("X-Error-Message", value["error"])
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = reply

        def log_message(self, *_) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield hub
        server.shutdown()
