"""Own pictures through all stages: they keep their identity, and the counts add up from seen to packed."""

import hashlib
import json
import re
from pathlib import Path
from random import Random

import pytest
from made import picture, run_prep
from project import LENIENT

from pipeline import files
from pipeline.images import png
from pipeline.shards.column import list_shards
from pipeline.sources.posts import MAX_OWN_ID, hash_id, read_posts

PARAMS = "search:\n  host: pictures\n  forget: ''\n"


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    """Enter a project with twelve pictures; return the function that makes its dataset, by key."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREP_WORKERS", "PREP_CACHE"):
        monkeypatch.delenv(name, raising=False)
    Path("params.yaml").write_text(PARAMS)
    ledger = ["--ledger", "data/fetch.tsv"]
    for number in range(12):
        draw(f"img_{number}", number)

    def run():
        forget = re.search(r"forget: ['\"](.*)['\"]", Path("params.yaml").read_text())[1]
        for command in (
            ["search", "data/posts.jsonl", "--host", "pictures", "--size", "1", "--forget", forget],
            ["fetch", "data/posts.jsonl", "data/original", "--host", "pictures", *ledger],
            ["clean", "data/original", "data/color", *LENIENT],
            ["sketchify", "data/color", "data/sketch/b7"],
            ["cue", "data/color", "data/cue", "--method", "points"],
            ["reference", "data/color", "data/reference"],
            ["pack", "data/color", "data/sketch", "data/cue", "data/reference", "data/pairs",
             "--val", "20", "--test", "20", "--near", "0", "--history", "metrics"],
        ):  # fmt: skip
            metrics = [] if command[0] == "pack" else ["--metrics", f"metrics/{command[0]}.json"]
            code, _, err = run_prep(capsys, *command, *metrics)
            assert code == 0, err
        return {sample.key: sample for shard in list_shards(Path("data/pairs")) for sample in shard}

    return run


def draw(name, number, folder="pictures"):
    files.write(Path(folder, f"{name}.png"), png.encode_png(picture(number, 72, 64)))


def key_of(name):
    return f"{hash_id(f'{name}.png')}"


def same(before, after):
    """Check that every sample of both datasets has the same bytes: pictures, draws, split and all."""
    shared = before.keys() & after.keys()
    assert [key for key in shared if before[key].members != after[key].members] == []
    return shared


def test_other_files_move_no_sample_whatever_they_are_called(make):
    before, dice = make(), Random(1)
    assert before.keys() == {key_of(f"img_{number}") for number in range(12)}
    for number in range(12, 20):  # some names sort before, some between, some after
        draw(f"{dice.choice('0hiz')}mg_{number}", number)
    assert len(same(before, make())) == 12
    for number in range(0, 12, 3):
        Path("pictures", f"img_{number}.png").unlink()
    Path("pictures/img_1.png").rename("pictures/aaa.png")
    after = make()
    assert len(same(before, after)) == 7
    assert key_of("aaa") in after


def test_a_forgotten_picture_stays_away_under_its_name_and_under_another(make, capsys):
    before = make()
    data = Path("pictures/img_3.png").read_bytes()
    assert run_prep(capsys, "forget", hash_id("img_3.png"))[0] == 0
    digest = hashlib.md5(data).hexdigest()
    text = Path("params.yaml").read_text().replace("'", '"')
    assert f'forget: "{hash_id("img_3.png")} md5:{digest}"' in text
    draw("a_new_one", 30)
    files.write(Path("pictures/renamed.png"), data)
    after = make()
    assert after.keys() - before.keys() == {key_of("a_new_one")}
    assert before.keys() - after.keys() == {key_of("img_3")}
    assert len(same(before, after)) == 11
    draw("img_3", 31)  # the name alone is enough too
    Path("pictures/renamed.png").unlink()
    assert make().keys() == after.keys()
    assert json.loads(Path("metrics/search.json").read_bytes())["counts"][0]["skipped"] == {"forgotten": 1}


def test_a_hash_alone_is_forgotten_too(make, capsys):
    before = make()
    digest = hashlib.md5(Path("pictures/img_5.png").read_bytes()).hexdigest()
    assert run_prep(capsys, "forget", f"md5:{digest}")[0] == 0
    assert before.keys() - make().keys() == {key_of("img_5")}


def test_a_sample_is_found_by_its_long_id_and_by_its_short_one(make, capsys):
    files.write_json(Path("pictures/img_2.json"), {"id": 7})
    make()
    for name in ("7", "000000007", str(hash_id("img_4.png"))):
        assert run_prep(capsys, "show", name, "data/pairs")[0] == 0
        code, out, _ = run_prep(capsys, "explain", name)
        assert (code, out.splitlines()[0].split()[:2]) == (0, ["search", "taken"])
    assert "rating unknown, score unknown" in out


def test_the_counts_of_the_card_add_up_from_what_was_seen_to_what_was_packed(make, capsys):
    draw("copy", 3)
    files.write(Path("pictures/broken.png"), png.encode_png(picture(40, 72, 64))[:900])
    files.write(Path("pictures/film.mp4"), b"\0\0\0\x18ftypisom\0\0\0\0isommp42")
    files.write(Path("pictures/comic.bmp"), b"BM nothing")
    files.write(Path("pictures/notes.txt"), b"about nothing")
    files.write_json(Path("pictures/img_0.json"), {"rating": "e"})
    files.write_json(Path("pictures/img_1.json"), {"tags": "Comic, hat", "id": "none"})
    Path("pictures/img_2.txt").write_text("comic, blue eyes")
    packed = make()
    card = Path("data/pairs/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)[ \w]* \| (\d+) \| (\d+) \| (.+) \|$", card, re.MULTILINE)
    assert [row[0] for row in rows] == ["search", "fetch", "clean", "cue", "reference", "sketchify", "pack"]
    seen = sum(path.is_file() for path in Path("pictures").iterdir()) - 3  # those that tell of a picture
    assert int(rows[0][1]) == seen == 17
    assert rows[0][3] == "`wrong type` 2, `bad id` 1, `blacklist` 1, `rating` 1, `types` 1"
    for _, taken, written, reasons in rows:
        assert int(taken) == int(written) + sum(map(int, re.findall(r"` (\d+)", reasons)))
    assert (rows[0][2], rows[1][2]) == (rows[1][1], rows[2][1])
    assert {row[1] for row in rows[3:]} == {rows[2][2]} == {str(len(packed))}
    for line in ("**Ratings**: `unknown` 9", "**Artists**: unknown for 9", "by the sources: `unknown` 9"):
        assert line in card
    listed = Path("data/search.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in listed] == [
        ["name", "reason"], ["film.mp4", "wrong type"], ["notes.txt", "wrong type"], ["img_1.png", "bad id"],
    ]  # fmt: skip


def test_posts_of_an_earlier_version_with_ids_by_place_are_still_read(make, capsys):
    make()
    posts = sorted(read_posts(Path("data/posts.jsonl")), key=lambda post: post["source"])
    assert all(post["id"] >= MAX_OWN_ID for post in posts)
    earlier = [post | {"id": n, "rating": "g", "score": 0} for n, post in enumerate(posts, 1)]
    files.write(Path("old.jsonl"), b"".join(files.dumps(post) + b"\n" for post in earlier))
    code, out, _ = run_prep(capsys, "fetch", "old.jsonl", "old", "--host", "pictures")
    assert (code, out) == (0, "fetch: 12 of 12 written to old\n")
