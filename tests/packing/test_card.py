"""The card describes the dataset and shows how to read it, and nothing that it quotes becomes markup."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made import STAGE_FACTS, picture
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from pipeline import files
from pipeline.images import png
from pipeline.packing import card, card_text
from pipeline.packing.census import Census
from pipeline.packing.pack import pack_columns
from pipeline.params import Pack
from pipeline.shards import column
from pipeline.shards.metadata import Metadata
from pipeline.shards.tar import Sample
from pipeline.shards.writer import seal_column, write_shard

ROOT = Path(__file__).parent.parent.parent
KEYS = [f"{number:09d}" for number in range(1, 31)]
COLUMNS = {"color": 0, "cue": 100, "sketch-b7": 200}
HISTORY = {
    "search": {"posts": 40, "skipped": {"blacklist": 3}, "ceiling": 480},
    "fetch": {"taken": 40, "written": 38, "rejected": {"banned": 2}},
    "clean": {"taken": 38, "written": 30, "rejected": {"gray": 7, "duplicate": 1}, "gray": {"mean": 5.0}},
    "sketchify-b7": {"taken": 30, "written": 30, "rejected": {}},
    "pack": {"train": 30, "families": 28, "shards": 3},
}
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
YAML_BLOCK = re.compile(r"^(`+)yaml\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
HOSTILE = [
    "a|b", "``` end", "- item", "# head", "x\ny", "\\|", "`", "<script>", "[x](http://evil.example)", "**",
    "---", "$folder", "${audience}", "$$", "{folder}", "{}", "\u202eback", "é" * 500, "_a_", ": {", "| --- |",
    "&amp;", "a  b", "\\",
]  # fmt: skip


def metadata_of(number, column="color"):
    """Make the metadata of a sample; only some have a score."""
    metadata = STAGE_FACTS[column.partition("-")[0]] | {
        "id": number,
        "family": number,
        "rating": "gs"[number % 2],
        "artist": f"ann bob_{number % 3}",
        "license": "CC BY 4.0",
        "source": f"https://www.Art.example/{number}",
        "tags": ["ann", "solo", "hat"],
    }
    if number > 20:
        metadata["score"] = number
    return metadata


def draw(name, key):
    """Draw the picture of a column: RGB, with alpha in the cue, gray in the sketch."""
    image = picture(int(key) + COLUMNS[name])
    if name == "cue":
        return np.dstack([image, image[..., 0]])
    return image[..., 1] if name == "sketch-b7" else image


def census_of(folder):
    """Count what is in a packed dataset."""
    census = Census()
    for shard in column.list_shards(folder):
        for sample in shard:
            census.add(sample.metadata, sample.metadata["split"], sample.members)
    return census


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Pack three columns to data/pairs below a folder, with the card."""
    home = tmp_path_factory.mktemp("home")
    for name in COLUMNS:
        samples = [
            Sample(
                key,
                {"png": png.encode_png(draw(name, key)), "json": files.dumps(metadata_of(int(key), name))},
            )
            for key in KEYS
        ]
        shard = write_shard(home / name / "000000.tar", samples)
        seal_column(home / name, [shard], len(KEYS), {})
    dest = home / card_text.DATASET_FOLDER
    pack_columns({name: home / name for name in COLUMNS}, dest, Pack(val=20.0, test=20.0, shards=3))
    (dest / "README.md").write_text(card.dataset_card(census_of(dest), HISTORY, PARAMS), encoding="utf-8")
    return home


def read(home):
    return (home / card_text.DATASET_FOLDER / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    """List the blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)\n```$", text, re.DOTALL | re.MULTILINE)


def header(text):
    return YAML(typ="safe").load(text.split("---\n")[1])


def count_one(**more):
    """Count one sample with the given metadata."""
    census = Census()
    census.add({"id": 1, "family": 1, **more}, "train", ["color.png", "json"])
    return census


# ---------------------------------------------------------------- the snippets run

CHECK = """
import hashlib, json
def content(row):
    pictures = {name: row[f"{name}.png"] for name in %r}
    seen = {n: [image.mode, hashlib.sha256(image.tobytes()).hexdigest()] for n, image in pictures.items()}
    return [row["json"], seen]
by_header = {name: len(rows) for name, rows in load_dataset("data/pairs").items()}
rows = {name: {row["__key__"]: content(row) for row in rows} for name, rows in dataset.items()}
json.dump([by_header, rows], open("found.json", "w"))
""" % [*COLUMNS]


@pytest.fixture(scope="module")
def hub(home):
    """Run the snippet of `datasets` in another process, without a network, and save what it loaded."""
    env = os.environ | {"HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "1", "USE_TORCH": "0"}
    command = [sys.executable, "-c", blocks(read(home), "python")[1] + CHECK]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=home, env=env, text=True, **pipes) as process:
        yield process
        process.kill()


@pytest.fixture(autouse=True)
def _started(hub):
    """Let that process run during the other tests."""


@pytest.fixture
def execute(home, monkeypatch, capsys):
    """Return a function that runs a snippet for a split and returns the samples and the output."""
    monkeypatch.chdir(home)

    def run(number, split):
        names = {}
        snippet = blocks(read(home), "python")[number].replace("train", split)
        exec(compile(snippet, "snippet", "exec"), names)
        return list(names["dataset"]), capsys.readouterr().out

    return run


def packed(home, split):
    """Return the samples of a split by key."""
    shards = column.list_shards(home / card_text.DATASET_FOLDER)
    return {s.key: s for shard in shards for s in shard if s.metadata["split"] == split}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves that to the collector
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_webdataset_reads_a_split_as_the_card_shows(home, execute, split):
    found, printed = execute(0, split)
    assert {sample["__key__"]: sample["json"] for sample in found} == {
        key: sample.metadata for key, sample in packed(home, split).items()
    }
    for sample in found:
        for name in COLUMNS:
            assert np.array_equal(np.asarray(sample[f"{name}.png"]), draw(name, sample["__key__"]))
    assert printed == f"{found[0]['__key__']} ['ann', 'solo', 'hat'] (64, 64)\n"


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_inkwash_reads_a_split_as_the_card_shows(home, execute, split):
    found, printed = execute(2, split)
    assert {sample["key"] for sample in found} == packed(home, split).keys()
    for sample in found:
        for part, name in (("color", "color"), ("sketch", "sketch-b7")):
            assert np.array_equal(sample[part], draw(name, sample["key"]))
    assert printed.startswith(f"{found[0]['key']} torch.Size([64, 64])")


# ---------------------------------------------------------------- what it says


def test_the_header_is_what_the_hub_reads(home):
    fields = header(read(home))
    assert fields["license"] == "cc-by-4.0"
    assert fields["task_categories"] == ["image-to-image"]
    assert fields["size_categories"] == ["n<1K"]
    [config] = fields["configs"]
    assert config["data_files"] == [
        {"split": "train", "path": "train-*.tar"},
        {"split": "validation", "path": "val-*.tar"},
        {"split": "test", "path": "test-*.tar"},
    ]


def test_a_split_without_samples_is_named_nowhere():
    text = card.dataset_card(count_one(), {}, {})
    assert header(text)["configs"][0]["data_files"] == [{"split": "train", "path": "train-*.tar"}]
    assert not re.search(r"val-|validation|test-", text)


def test_the_numbers_in_the_table_of_stages_add_up(home):
    rows = re.findall(r"^\| ([a-z7 ]+) \| (\d+) \| (\d+) \| (.+) \|$", read(home), re.MULTILINE)
    assert [row[0] for row in rows] == ["search", "fetch", "clean", "sketchify b7", "pack"]
    for _, taken, written, reasons in rows:
        assert int(taken) == int(written) + sum(map(int, re.findall(r"` (\d+)", reasons)))
    assert [int(row[1]) for row in rows[1:]] == [40, 38, 30, 30]
    assert "`gray` 7, `duplicate` 1" in rows[2][3]
    assert "not from one run" not in read(home)


def test_counts_that_do_not_match_are_pointed_out(home):
    history = HISTORY | {"fetch": {"taken": 41, "written": 37, "rejected": {"banned": 4}}}
    text = card.dataset_card(census_of(home / card_text.DATASET_FOLDER), history, {})
    assert "**search passed on 40, but fetch received 41: these counts are not from one run.**" in text
    assert "**fetch passed on 37, but clean received 38: these counts are not from one run.**" in text


@pytest.mark.parametrize(
    ("search", "said"),
    [({"limit": 40}, True), ({"limit": 41}, False), ({"limit": 0}, False),
     ({"limit": 40, "host": "https://danbooru.donmai.us"}, True), ({"limit": 40, "host": "/pictures"}, False),
     ({"limit": 40, "host": "dump:/pictures"}, False)],
)  # fmt: skip
def test_a_search_that_reached_its_limit_says_that_more_may_match(search, said):
    assert ("was asked for" in card.dataset_card(count_one(), HISTORY, {"search": search})) == said


def test_a_sample_that_was_drawn_from_all_up_to_the_limit_says_so_too():
    history = {"search": {"posts": 40, "skipped": {"sample": 60}}}
    for limit, said in ((100, True), (101, False)):
        text = card.dataset_card(count_one(), history, {"search": {"limit": limit, "sample": 40}})
        assert ("was asked for" in text) == said


def test_what_is_unknown_is_called_so_and_counted():
    census = Census()
    for number in range(5):
        told = {"rating": "e", "artist": "ann", "license": "mit", "source": "https://a.example/1"}
        census.add(told if number == 3 else {}, "train", ["color.png"])
    text = card.dataset_card(census, {}, {})
    for line in (
        "**Ratings**: `unknown` 4, `explicit` 1", "**Artists**: 1, namely `ann` 1; unknown for 4",
        "**Licenses** given by the sources: `unknown` 4, `mit` 1",
        "**Hosts** of the addresses in `source`: 1, namely `a.example` 1; unknown for 4",
        "No license is known for 4 of the 5 pictures.", "The rating of 4 pictures is unknown",
    ):  # fmt: skip
        assert line in text
    assert "**Artists**: unknown for 1" in card.dataset_card(count_one(), {}, {})


def test_splits_groups_and_leaks_are_shown(home):
    metrics = {"groups": 1234, "linked": {"family": 5, "pixels": 2}, "torn": 3, "leaks": 0}
    text = card.dataset_card(census_of(home / card_text.DATASET_FOLDER), {"pack": metrics}, {})
    assert "1,234 groups" in text
    assert "by kind: `family` 5, `pixels` 2." in text
    assert "one by one,\n3 of these pairs would be in two splits; drawn by groups, 0 are." in text
    for name, count in census_of(home / card_text.DATASET_FOLDER).splits.items():
        assert f"| `{name}` | {count} | {count / 30:.1%} | `{name}-*.tar` |" in text


def test_every_member_and_every_field_has_its_line(home):
    text = read(home)
    for name in ("color.png", "cue.png", "sketch-b7.png", "json"):
        assert f"| `KEY.{name}` |" in text
    assert "a gray sketch of it, drawn by `threshold` |" in text
    for name in metadata_of(1):
        assert f"| `{name}` |" in text
    assert "| `score` | votes of the site's users (10 of 30 samples have it) |" in text


def test_a_name_that_tells_another_blocksize_is_corrected():
    census = count_one()
    census.members["sketch-b7.png"] += 1
    text = card.dataset_card(census, {}, {"sketches": {"b7": {"method": "threshold", "blocksize": 9}}})
    assert "drawn by `threshold`; despite its name, the blocksize is `9` |" in text


def test_every_field_of_the_metadata_has_a_meaning_in_the_card():
    assert card.FIELD_MEANINGS.keys() == Metadata.__annotations__.keys()


def test_ratings_tags_artists_licenses_and_hosts_are_counted(home):
    text = read(home)
    assert "- **Ratings**: `general` 15, `sensitive` 15" in text
    assert "- **Tags**: 2, namely `hat` 30, `solo` 30" in text
    assert "- **Artists**: 4, namely `ann` 30, `bob_0` 10, `bob_1` 10, `bob_2` 10" in text
    assert "- **Licenses** given by the sources: `CC BY 4.0` 30" in text
    assert "- **Hosts** of the addresses in `source`: 1, namely `www.art.example` 30" in text


def test_the_most_frequent_names_come_first_and_equal_ones_by_name():
    census = Census()
    for number in range(50):
        tags = [f"t{other:02d}" for other in range(number + 1)]
        census.add({"tags": tags, "artist": "x"}, "train", ["color.png"])
    text = card.dataset_card(census, {}, {})
    assert "- **Tags**: 50, most often `t00` 50, `t01` 49" in text
    assert "`t29`" in text
    assert "`t30`" not in text


def test_the_order_of_samples_changes_nothing(home):
    packed = [sample for shard in column.list_shards(home / card_text.DATASET_FOLDER) for sample in shard]
    texts = set()
    for order in (packed, packed[::-1]):
        census = Census()
        for sample in order:
            census.add(sample.metadata, sample.metadata["split"], sample.members)
        texts.add(card.dataset_card(census, HISTORY, PARAMS))
    assert texts == {read(home)}


@pytest.mark.parametrize(
    ("count", "size"),
    [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (9999, "1K<n<10K"), (1_000_000, "1M<n<10M")],
)
def test_sizes_are_named_as_the_hub_names_them(count, size):
    assert card.size_category(count) == size


@pytest.mark.parametrize(
    ("licenses", "name"),
    [(["CC BY-SA 4.0"], "cc-by-sa-4.0"), ([None, ""], "unknown"), (["MIT", "mit"], "mit"),
     (["mit", "unknown"], "other"), (["ask me: {no}"], "other")],
)  # fmt: skip
def test_the_license_is_named_only_if_all_samples_share_one_that_the_hub_knows(licenses, name):
    census = Census()
    for each in licenses:
        census.add({"license": each}, "train", ["color.png"])
    assert header(card.dataset_card(census, {}, {}))["license"] == name


def test_without_metrics_and_parameters_the_card_says_so_and_stays_whole():
    text = card.dataset_card(count_one(), {}, {})
    assert "The counts of the earlier stages are not available." in text
    assert not blocks(text, "yaml")
    assert len(blocks(text, "python")) == 2  # inkwash trains with a sketch and a cue


# ---------------------------------------------------------------- what it keeps private


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("/home/ann/secret", "(left out)"),
        ("dump:/mnt/secret", "dump:(left out)"),
        ("/home/secret:x", "(left out)"),
        ("http://127.0.0.1:8000/secret", "http:(left out)"),
        ("http://secret.local:8000", "http:(left out)"),
        ("https://ann:secret@danbooru.donmai.us/secret?key=secret", "https://danbooru.donmai.us"),
        ("sample", "sample"),
    ],
)
def test_the_card_names_no_path_no_machine_and_no_credentials(host, shown):
    text = card.dataset_card(count_one(source="http://secret.local/x"), {}, {"search": {"host": host}})
    assert "secret" not in text
    assert YAML(typ="safe").load(blocks(text, "yaml")[0]) == {"search": {"host": shown}}


def test_neither_forgotten_posts_nor_files_of_weights_and_choices_are_named():
    params = {"search": PARAMS["search"] | {"forget": "12 artist:ann"}}
    params["sketches"] = {"net": {"method": "learned", "weights": "/home/ann/netG.pth"}}
    params["clean"] = {"side": 32, "keep": "/home/ann/keep.tsv", "drop": ""}
    text = card.dataset_card(count_one(), {}, params)
    assert "ann" not in text
    assert text.count(card.LEFT_OUT) == 2
    assert YAML(typ="safe").load(blocks(text, "yaml")[0])["clean"] == {"side": 32}


def test_parameters_that_do_not_decide_the_data_are_left_out(home):
    shown = YAML(typ="safe").load(blocks(read(home), "yaml")[0])
    clean = {name: value for name, value in PARAMS["clean"].items() if name not in ("keep", "drop")}
    assert shown == {name: PARAMS[name] for name in card.DATA_SECTIONS} | {"clean": clean}


# ---------------------------------------------------------------- text from outside


def shape(text):
    """List the Markdown tokens of a text, without its words."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text.split("\n---\n", 1)[1])
    inner = [[child.type for child in token.children or () if child.type != "text"] for token in tokens]
    joined = [" ".join(types).replace("html_inline html_inline", "code_inline") for types in inner]
    return [(token.type, token.tag, types) for token, types in zip(tokens, joined, strict=True)]


def card_with(value):
    """Write a card with a value in every place that quotes text from outside; the fields keep their order."""
    census = count_one(
        tags=[value, "b"], artist=[value], rating=value, license=value, source=value, **{f"m{value}": 1}
    )
    history = {"clean": {"taken": 2, "written": 1, "rejected": {value: 1}}, "pack": {"torn": {value: 1}}}
    params = {"search": {"tags": value, "host": value}, "sketches": {"b7": {"method": value}}}
    census.members["sketch-b7.png"] += 1
    return card.dataset_card(census, history, params)


@pytest.mark.parametrize("value", HOSTILE)
def test_no_text_from_outside_changes_the_shape_of_the_card(value):
    text = card_with(value)
    assert shape(text) == shape(card_with("letters"))
    assert header(text) == header(card_with("letters"))
    assert YAML(typ="safe").load(YAML_BLOCK.search(text)[2])["search"]["tags"] == card.printable(value)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_text_from_outside_is_shown_letter_by_letter(value):
    [_, token, *_] = MarkdownIt("commonmark").parse(card.inline_code(value))
    shown = "".join(child.content for child in token.children if child.type != "html_inline")
    assert shown == card.printable(value)[:79] + card.printable(value)[79:80].replace("é", "…")
    assert shown.isprintable()


# ---------------------------------------------------------------- what may not be done


def test_pictures_of_artists_are_not_licensed_by_the_card():
    text = card.dataset_card(
        count_one(license="CC BY 4.0"), {}, {"search": {"host": "https://danbooru.donmai.us"}}
    )
    assert "The originals come from `danbooru.donmai.us`." in text
    for said in (
        "belong to their artists",
        "grants no license",
        "imitate a named artist",
        "prep forget",
        "minors",
    ):
        assert said in text
    assert "`CC BY 4.0` 1. Each holds for the samples whose JSON names it." in text
    assert "No license is known" not in text
    assert "No license is known for 1 of the 1 pictures." in card.dataset_card(count_one(), {}, {})


def test_pictures_that_the_project_drew_are_its_own():
    sample = {"search": {"host": "sample"}}
    text = card.dataset_card(count_one(source="inkwash, drawing 1"), {}, sample)
    assert "inkwash drew these pictures itself" in text
    assert "belong to their artists" not in text
    assert "belong to their artists" in card.dataset_card(
        count_one(source="https://art.example/1"), {}, sample
    )


@pytest.mark.parametrize(
    ("rating", "adult"), [("g", False), ("s", False), ("q", True), ("e", True), ("", False)]
)
def test_a_set_with_adult_ratings_says_so_to_people_and_to_the_hub(rating, adult):
    text = card.dataset_card(count_one(rating=rating), {}, {})
    assert ("not-for-all-audiences" in header(text)["tags"]) == adult
    assert ("keep them from minors" in text) == adult
    assert ("`s` means sensitive" in text) == (rating == "s")


# ---------------------------------------------------------------- the snippet that ran during the others


def test_hugging_face_datasets_reads_every_split_as_the_card_shows(home, hub):
    printed, errors = hub.communicate(timeout=150)
    assert hub.returncode == 0, errors
    by_header, found = json.loads((home / "found.json").read_text())
    wanted = {theirs: packed(home, ours) for ours, theirs in card.HUB_SPLITS.items()}
    assert by_header == {split: len(rows) for split, rows in wanted.items()}
    assert found == {
        split: {
            key: [sample.metadata, {name: hashed(name, key) for name in COLUMNS}]
            for key, sample in rows.items()
        }
        for split, rows in wanted.items()
    }
    assert printed.splitlines()[-1].endswith("['ann', 'solo', 'hat'] (64, 64)")


def hashed(name, key):
    """Return mode and hash of the pixels of a picture."""
    mode = {"color": "RGB", "cue": "RGBA", "sketch-b7": "L"}[name]
    return [mode, hashlib.sha256(draw(name, key).tobytes()).hexdigest()]
