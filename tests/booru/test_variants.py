"""A picture comes in the sizes of a Danbooru."""

import io

import numpy as np
import pytest
from loopback import ask, get
from PIL import Image

from pipeline.booru import catalog
from pipeline.booru.site import serve
from pipeline.sources.posts import describe_post


def paint(width, height, ext="png"):
    """Encode a picture whose left half is red and whose right half is blue."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = image[:, width // 2 :, 2] = 255
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, ext, **{"png": {"compress_level": 1}}.get(ext, {}))
    return buffer.getvalue()


def gallery(*pictures):
    """Make a catalog of (bytes, type, width, height), numbered from 1."""
    files = dict(enumerate((data for data, *_ in pictures), 1))
    posts = [
        describe_post(number, data, ext, image_width=width, image_height=height)
        for number, (data, ext, width, height) in enumerate(pictures, 1)
    ]
    return catalog.Catalog(posts, lambda post: files[post["id"]])


@pytest.mark.parametrize(
    ("width", "height", "sizes"),
    [
        (1700, 800, [(180, 85), (360, 169), (720, 339), (850, 400)]),
        (800, 1600, [(90, 180), (180, 360), (360, 720), None]),
        (850, 720, [(180, 152), (360, 305), (720, 610), None]),
        (720, 720, [(180, 180), (360, 360), None, None]),
        (100, 40, [(100, 40), (100, 40), None, None]),
        (1000, 1, [(180, 1), (360, 1), (720, 1), (850, 1)]),
    ],
)
def test_a_picture_comes_in_the_sizes_that_fit_their_boxes_and_never_larger(width, height, sizes):
    names = ("180x180", "360x360", "720x720", "sample")
    kinds = {"180x180": "JPEG", "360x360": "JPEG", "720x720": "WEBP", "sample": "JPEG", "original": "PNG"}
    expected = {name: size for name, size in zip(names, sizes, strict=True) if size}
    expected["original"] = (width, height)
    data = paint(width, height)
    with serve(gallery((data, "png", width, height))) as address:
        _, post = ask(address, "/posts/1.json")
        listed = {each["type"]: each for each in post["media_asset"]["variants"]}
        assert {name: (each["width"], each["height"]) for name, each in listed.items()} == expected
        for name, each in listed.items():
            status, headers, body = get(address, each["url"].removeprefix(address))
            picture = Image.open(io.BytesIO(body))
            assert (status, picture.size, picture.format) == (200, expected[name], kinds[name])
            assert headers["Content-Type"] == f"image/{kinds[name].lower()}"
            pixels = np.asarray(picture.convert("RGB")).astype(int)
            assert pixels[0, 0, 0] > 200 > 55 > pixels[0, 0, 2]
            assert pixels[-1, -1, 2] > 200 > 55 > pixels[-1, -1, 0]
            assert get(address, each["url"].removeprefix(address))[2] == body
    assert post["file_url"] == listed["original"]["url"]
    assert post["large_file_url"] == listed["sample" if "sample" in listed else "original"]["url"]


def test_sizes_have_the_paths_of_danbooru():
    data = paint(900, 900, "webp")
    with serve(gallery((data, "webp", 900, 900))) as address:
        _, post = ask(address, "/posts/1.json")
    md5 = post["md5"]
    folder = f"{md5[:2]}/{md5[2:4]}"
    assert [
        (each["url"].removeprefix(address), each["file_ext"]) for each in post["media_asset"]["variants"]
    ] == [
        (f"/180x180/{folder}/{md5}.jpg", "jpg"),
        (f"/360x360/{folder}/{md5}.jpg", "jpg"),
        (f"/720x720/{folder}/{md5}.webp", "webp"),
        (f"/sample/{folder}/sample-{md5}.jpg", "jpg"),
        (f"/original/{folder}/{md5}.webp", "webp"),
    ]


def test_a_film_has_no_other_sizes_and_those_of_a_broken_picture_are_404():
    films = [(b"film", "mp4", 1920, 1080), (b"zip", "zip", 900, 900), (b"broken", "png", 0, 0)]
    with serve(gallery(*films, (b"noise", "jpg", 900, 900))) as address:
        for number, kind in ((1, "video/mp4"), (2, "application/zip"), (3, "image/png")):
            _, post = ask(address, f"/posts/{number}.json")
            assert [each["type"] for each in post["media_asset"]["variants"]] == ["original"]
            assert post["large_file_url"] == post["file_url"]
            assert get(address, post["file_url"].removeprefix(address))[1]["Content-Type"] == kind
        _, post = ask(address, "/posts/4.json")
        assert [
            get(address, each["url"].removeprefix(address))[0] for each in post["media_asset"]["variants"]
        ] == [404, 404, 404, 404, 200]
