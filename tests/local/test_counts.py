"""What a search and its fetch take and leave out adds up to what there is, for every kind of source."""

import json
from random import Random

import pytest
from made import picture
from rig import write_lines

from pipeline import files
from pipeline.images import png
from pipeline.local.source import open_source
from pipeline.packing.card import count_stages, describe_gaps
from pipeline.packing.census import Census
from pipeline.params import Fetch, Search
from pipeline.sources.fetch import fetch_files
from pipeline.sources.posts import read_posts
from pipeline.sources.search import search_posts
from pipeline.sources.store import Folder

DRAWN, SMALL = png.encode_png(picture(1, 80, 80)), png.encode_png(picture(1, 20, 80))
TOLD = [  # what a source tells of a picture, and why the search leaves it out
    ({}, ""), ({}, ""), ({"rating": "g", "score": 5}, ""), ({"license": "CC0", "tags": "hat, scarf"}, ""),
    ({"rating": "e"}, "rating"), ({"score": -1}, "score"), ({"tags": "hat, Comic"}, "blacklist"),
    ({"tags": ["photo (medium)"]}, "blacklist"), ({"is_deleted": True}, "deleted"),
    ({"rating": "spicy"}, "bad rating"), ({"id": -3}, "bad id"), ({"tags": 5}, "bad tags"),
    ({"date": "once"}, "bad created_at"), ({"score": [1]}, "bad score"),
    ({"is_banned": "maybe"}, "bad is_banned"),
]  # fmt: skip


def write_folder(root, dice, count):
    """Write pictures, with their metadata beside them and other files; return why each is left out."""
    reasons = []
    for number in range(count):
        told, reason = dice.choice(TOLD)
        name = f"{dice.choice(('', 'deep/', 'é ü/'))}{number}"
        if dice.random() < 0.2:
            files.write(root / f"{name}.png", b"no picture")
            reason = "wrong type"
        elif dice.random() < 0.2:
            files.write(root / f"{name}.png", SMALL)
            reason = reason if reason in ("rating", "score", "deleted") or reason[:4] == "bad " else "size"
        else:
            files.write(root / f"{name}{dice.choice(('.png', '.jfif', ''))}", DRAWN)
        if told and reason != "wrong type":
            files.write_json(root / f"{name}.json", told)
        reasons.append(reason)
    (root / "lost.png").symlink_to(root / "nowhere")
    return [*reasons, "link"]


def write_pairs(root, dice, count):
    reasons = write_folder(root / "color", dice, count)
    for file in sorted((root / "color").rglob("*")):
        if file.is_file() and file.suffix != ".json" and file.read_bytes() != b"no picture":
            files.write(root / "sketch" / file.relative_to(root / "color").with_suffix(".png"), DRAWN)
    for number in range(dice.randrange(4)):
        files.write(root / dice.choice(("color", "sketch")) / f"alone {number}.png", DRAWN)
        reasons.append("no counterpart")
    return reasons


def write_list(root, dice, count):
    """Write a list of local files, some of which are not there, and of lines that are no rows."""
    rows, reasons = [], []
    for number in range(count):
        told, reason = dice.choice(TOLD)
        url = f"{number}.png"
        if dice.random() < 0.2 and not reason.startswith("bad "):
            url, reason = dice.choice(
                [("nowhere.png", "gone"), ("../out.png", "outside"), ("ftp://a/", "bad url")]
            )
        else:
            files.write(root / url, DRAWN)
        rows.append({"url": url} | told)
        reasons.append(reason)
    write_lines(root / "list.jsonl", *rows)
    files.write(root / "list.jsonl", (root / "list.jsonl").read_bytes() + b"[]\n{\n")
    return [*reasons, "bad JSON", "bad JSON"]


def write_dump(root, dice, count):
    rows, reasons = [], []
    for number in range(1, count + 1):
        told, reason = dice.choice(TOLD)
        rows.append({"id": number, "rating": "g", "file_ext": "png", "score": 1} | told)
        files.write(root / f"original/{number % 1000:04d}/{number}.png", DRAWN)
        reasons.append(reason)
    write_lines(root / "metadata/posts.json", *rows, rows[0] | {"id": 1, "rating": None}, {"id": "x"})
    return [*reasons, "no rating", "no rating"]


KINDS = {
    "": write_folder, "halves:": write_folder, "pairs:": write_pairs, "list:": write_list, "dump:": write_dump
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_and_what_is_left_out_add_up_to_what_is_there(tmp_path, kind, seed):
    root = tmp_path / "in"
    reasons = KINDS[kind](root, Random(seed), 30)
    source = open_source(f"{kind}{root / 'list.jsonl' if kind == 'list:' else root}")
    counts = search_posts(source, tmp_path / "posts.jsonl", Search(size=30), ledger=tmp_path / "search.tsv")
    expected = {reason: reasons.count(reason) for reason in sorted({*reasons} - {""})}
    assert counts == {"posts": reasons.count(""), "skipped": expected}
    ledger = (tmp_path / "search.tsv").read_text(encoding="utf-8").splitlines()[1:]
    by_filter = {"rating", "score", "size", "blacklist", "deleted"}
    assert sorted(row.split("\t")[1] for row in ledger) == sorted(
        reason for reason in reasons if reason and reason not in by_filter
    )
    first = next(read_posts(tmp_path / "posts.jsonl"))
    (source.root / first["file_url"]).unlink()  # between the search and the fetch
    report = fetch_files(Folder(source.root, Fetch()), tmp_path / "posts.jsonl", tmp_path / "out")
    assert (report.taken, report.rejected) == (counts["posts"], {"gone": 1})
    stages = count_stages(Census(), {"search": counts, "fetch": report.summary()})
    assert stages["search"].taken == len(reasons)
    assert describe_gaps({name: stages[name] for name in ("search", "fetch")}) == []


def test_a_table_of_what_is_left_out_can_be_read_again(tmp_path):
    files.write(tmp_path / "in/a.png", DRAWN)
    files.write(tmp_path / 'in/tab\t"quote"\n.png', b"no picture")
    search_posts(
        open_source(str(tmp_path / "in")), tmp_path / "p", Search(size=1), ledger=tmp_path / "search.tsv"
    )
    assert len((tmp_path / "search.tsv").read_text(encoding="utf-8").splitlines()) == 2
    assert json.loads((tmp_path / "p").read_text(encoding="utf-8"))["file_url"] == "a.png"
