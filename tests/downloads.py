"""A post, its file, and the reason with which it is rejected, for the tests of downloads."""

import io

import pytest
from made import picture
from PIL import Image
from rig import make_post

from pipeline.sources.checks import FileRejected, WantedFile

POST = make_post(1)


TARGET = f"/original/{POST['md5'][:2]}/{POST['md5'][2:4]}/{POST['md5']}.png"


FILE = WantedFile(TARGET, "png", POST["md5"], size=POST["file_size"])


def rejection(store, file=FILE):
    """Return the reason and the detail with which a file is rejected."""
    with pytest.raises(FileRejected) as error:
        store.obtain(file)
    return error.value.reason, error.value.detail


def list_parts(store):
    """List the unfinished downloads."""
    return list(store.cache.rglob("*.part"))


def encoded(number=1, form="jpeg", **size):
    """Encode a picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture(number, **size)).save(buffer, form)
    return buffer.getvalue()


def target_of(post, **more):
    """Name the original of a post of the rig."""
    md5 = post["md5"]
    url = f"/original/{md5[:2]}/{md5[2:4]}/{md5}.{post['file_ext']}"
    return WantedFile(url, post["file_ext"], md5, size=post["file_size"], **more)


JPEG = encoded(1)
