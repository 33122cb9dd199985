"""An S3-compatible server on loopback, for the tests of URLs."""

import os
from socket import SHUT_RDWR
from threading import Thread

import pytest

from pipeline import files


class Store:
    """An S3-compatible server that notes the requests it gets, and refuses those that hold a certain text.

    Of a request that holds another it dies; started again, it has what it had.
    """

    def __init__(self):
        """Refuse nothing yet, and start."""
        moto = pytest.importorskip("moto.server", reason="needs moto[server]")
        self.app = moto.DomainDispatcherApplication(moto.create_backend_app)
        self.requests, self.refused, self.deadly, self.port = [], None, None, 0
        self.start()

    def start(self):
        """Listen, at the same port each time."""
        from werkzeug.serving import make_server

        self.server = make_server("127.0.0.1", self.port, self, threaded=True)
        self.port = self.server.port
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def die(self):
        """Listen no more."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def __call__(self, environ, start):
        """Answer a request."""
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        self.requests.append(request)
        if self.deadly and self.deadly in request:
            self.deadly = None
            self.die()
            environ["werkzeug.socket"].shutdown(SHUT_RDWR)
            return [b""]
        if self.refused and self.refused in request:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return self.app(environ, start)


@pytest.fixture(scope="module")
def store():
    """Serve S3 on loopback, and say so where fsspec looks."""
    s3fs = pytest.importorskip("s3fs", reason="needs inkwash[urls]")
    store = Store()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{store.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()  # it would go on asking the server of another module
        yield store
    store.die()


def inherit(given, begin, worker):
    """Begin a process with these variables: a server that forks has those of its own start."""
    os.environ.update(given)
    begin(worker)


@pytest.fixture
def bucket(store, request):
    """Return the URL of a new bucket."""
    name = f"b{abs(hash(request.node.name))}"
    files.to_path("s3://other").fs.mkdir(name)
    store.requests.clear()
    yield f"s3://{name}/data"
    store.refused = None


def content(folder):
    """Return the bytes of every file of a folder by name."""
    return {name: (folder / name).read_bytes() for name in files.list_sizes(folder)}


def upload(folder, url):
    """Copy a folder to a URL."""
    place = files.to_path(url)
    for path in files.list_files(folder):
        files.upload(path, place.joinpath(*path.relative_to(folder).parts))
    return place
