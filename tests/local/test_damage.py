"""Damage to metadata costs what it damages: every picture is still a post, or named and counted."""

import json
from random import Random

import pytest
from made import picture

from pipeline import files
from pipeline.errors import Halt
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.params import Search
from pipeline.sources.search import search_posts

RECORD = {
    "id": 5, "rating": "g", "score": 4.5, "tags": ["a b", "c"], "tag_string": "x y", "artist": "Ann",
    "created_at": "2024-01-01", "license": "CC0", "parent_id": 3, "is_deleted": False, "file_ext": "png",
    "md5": "0" * 32, "media_asset": {"pixel_hash": "1" * 32, "variants": []},
}  # fmt: skip
ROWS = [{"url": "https://a.example/é.png"}, {"path": "color/a.png"}, {"url": "http://b.example:80/"}]
SOUND = {
    "color/a.json": json.dumps(RECORD).encode(),
    "color/b.png.json": json.dumps(RECORD | {"id": 6}).encode(),
    "color/b.txt": b"1girl, blue eyes",
    "color/MANIFEST.csv": b'path,license,tags,id\nc.png,CC0,"a, b",9\n',
    "l.csv": b"path;id;tags;url\ncolor/a.png;3;a,b;\n;4;x;https://a.example/1.png?b=c\nfile:color/b.png;;;\n",
    "l.jsonl": b"\n".join(json.dumps(RECORD | {"id": n} | row).encode() for n, row in enumerate(ROWS, 1)),
}
JUNK = (
    b"\0", b"\xff", b'"', b",", b"\n", b"{", b"]", b"[", b"-", b"9" * 30, b"e9", b"null", b"NaN", b":", b"/",
    b"\xef\xbb\xbf", b"\\ud800", b"\xe2\x80\xae", b"..", b"%00", b"@", b'{"a":1}',
)  # fmt: skip


def damage(data, dice):
    data = bytearray(data)
    for _ in range(dice.randrange(1, 5)):
        place = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                data[place:place] = dice.choice(JUNK)
            case 2:
                del data[place : place + dice.randrange(1, 9)]
        data = data or bytearray(b" ")
    return bytes(data)


@pytest.mark.parametrize("name", SOUND)
def test_damaged_metadata_lose_no_picture_and_bring_no_traceback(tmp_path, name):
    drawn, dice = png.encode_png(picture(1, 40, 40)), Random(name)
    for each in ("a", "b", "c"):
        for side in ("color", "sketch"):
            files.write(tmp_path / "in" / side / f"{each}.png", drawn)
    for other, data in SOUND.items():
        files.write(tmp_path / "in" / other, data)
    listed = name.startswith("l.")
    hosts = [f"list:{tmp_path / 'in' / name}"] if listed else [f"{tmp_path}/in/color", f"pairs:{tmp_path}/in"]
    for _ in range(30):
        (tmp_path / "in" / name).write_bytes(damage(SOUND[name], dice))
        for host in hosts:
            try:
                counts = search_posts(open_source(host), tmp_path / "posts.jsonl", Search(size=1))
            except Halt:
                assert listed  # no column url or path, or no row is left
            else:
                assert listed or counts["posts"] + sum(counts["skipped"].values()) >= 3
