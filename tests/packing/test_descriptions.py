"""The files beside the shards, for programs: the table of scores, croissant.json and the hashes of all."""

import hashlib
import importlib.util
import io
import json
import subprocess
import sys

import pytest
from made import STAGE_FACTS, make_column
from pyarrow import parquet

from pipeline.packing.census import Census
from pipeline.packing.croissant import croissant
from pipeline.packing.pack import pack_columns
from pipeline.packing.table import ScoreTable
from pipeline.params import Pack
from pipeline.shards.column import list_shards
from pipeline.upkeep.verify import verify_columns

KEYS = [f"{number:09d}" for number in range(1, 21)]
HOSTILE = "</script> \u202eann\n\u2028"
FACTS = {
    "color": STAGE_FACTS["color"] | {
        "artist": f"nib {HOSTILE}", "license": "CC BY 4.0", "source": HOSTILE, "blur": 1.5, "width": 640,
        "complexity7": 12.25, "tags": [HOSTILE],
    },
    "sketch-b7": STAGE_FACTS["sketch"] | {"complexity": 9.5},
}  # fmt: skip
NUMBERS = ["blur", "complexity7", "sketch-b7.complexity", "width"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Pack two columns of twenty samples."""
    home = tmp_path_factory.mktemp("described")
    columns = {name: make_column(home / name, KEYS, **facts) for name, facts in FACTS.items()}
    pack_columns(columns, home / "pairs", Pack(val=20.0, test=20.0))
    return home / "pairs"


def test_the_table_has_the_scores_and_names_of_every_sample(pairs):
    found = {row["key"]: row for row in parquet.read_table(pairs / "scores.parquet").to_pylist()}
    samples = {sample.key: sample.metadata for shard in list_shards(pairs) for sample in shard}
    assert found.keys() == samples.keys() == {*KEYS}
    for key, metadata in samples.items():
        texts = ("split", "group", "artist", "source", "license", "rating")
        names = {name: metadata.get(name) for name in texts}
        numbers = {"sketch-b7.complexity": metadata["sketch-b7"]["complexity"]}
        numbers |= {name: metadata[name] for name in ("blur", "complexity7", "width")}
        assert found[key] == {"key": key} | names | numbers


def test_samples_without_a_score_have_null_in_any_chunk(monkeypatch):
    monkeypatch.setattr("pipeline.packing.table.CHUNK_ROWS", 2)
    table = ScoreTable()
    for number in range(5):
        table.add(str(number), {"votes": number, "rating": "g"} if number == 3 else {"flag": True})
    data, scores = table.to_parquet()
    read = parquet.read_table(io.BytesIO(data))
    assert (read["votes"].to_pylist(), scores) == ([None, None, None, 3.0, None], ["votes"])
    assert read["rating"].to_pylist() == [None, None, None, "g", None]


@pytest.mark.skipif(not importlib.util.find_spec("pandas"), reason="no package brings pandas")
def test_the_table_is_written_without_pandas():
    code = (
        "import sys; from pipeline.packing.table import ScoreTable; table = ScoreTable();"
        "table.add('1', {'votes': 1, 'rating': 'g'}); table.to_parquet(); print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_every_file_but_the_card_has_its_hash(pairs):
    lines = (pairs / "SHA256SUMS").read_text().splitlines()
    files = [path for path in sorted(pairs.iterdir()) if path.name not in ("README.md", "SHA256SUMS")]
    assert lines == [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]


@pytest.mark.parametrize("name", ["croissant.json", "scores.parquet", "SHA256SUMS"])
def test_a_flipped_bit_of_a_description_is_a_fault(pairs, name):
    path = pairs / name
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    faults = verify_columns(pairs).faults
    path.write_bytes(data)
    assert [fault.startswith(str(pairs)) for fault in faults] == [True]
    assert verify_columns(pairs).faults == []


# ---------------------------------------------------------------- Croissant, by the rules of the format


@pytest.fixture(scope="module")
def described(pairs):
    return json.loads((pairs / "croissant.json").read_bytes())


def test_croissant_names_every_shard_and_the_table_with_their_hashes(described, pairs):
    assert (described["@type"], described["conformsTo"]) == (
        "sc:Dataset",
        "http://mlcommons.org/croissant/1.1",
    )
    found = {
        file["contentUrl"]: (file["@id"], file["sha256"])
        for file in described["distribution"]
        if file["@type"] == "cr:FileObject"
    }
    files = [*sorted(pairs.glob("*.tar")), pairs / "scores.parquet"]
    assert found == {path.name: (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files}


def test_croissant_says_what_the_card_says(described, pairs):
    card = (pairs / "README.md").read_text()
    assert f"pretty_name: {described['name']}\nlicense: {described['license']}\n" in card
    assert described["license"] == "cc-by-4.0"
    assert described["description"] in " ".join(card.split())
    assert [(each["@type"], each["name"]) for each in described["creator"]] == [
        ("sc:Person", "</script>"), ("sc:Person", "nib"), ("sc:Person", "ann"),
    ]  # fmt: skip


@pytest.mark.parametrize(("host", "artist"), [("sample", "nib"), ("pictures", "")])
def test_what_inkwash_drew_or_nobody_signed_is_of_inkwash(host, artist):
    census = Census()
    census.add({"artist": artist}, "train", ["color.png"])
    described = croissant(census, {"search": {"host": host}}, {}, [])
    assert described["creator"] == [{"@type": "sc:Organization", "name": "inkwash"}]


def references(value):
    """Yield all ids that an object names and does not define."""
    if isinstance(value, dict):
        if value.keys() == {"@id"}:
            yield value["@id"]
        value = [each for name, each in value.items() if name != "@context"]
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_id_of_croissant_is_defined_once(described):
    fields = [field for records in described["recordSet"] for field in records["field"]]
    ids = [each["@id"] for each in (*described["distribution"], *described["recordSet"], *fields)]
    assert len({*ids}) == len(ids)
    assert {*references(described)} <= {*ids}
    assert "samples/key" in {*references(described)}


def test_croissant_has_key_split_and_scores_of_the_table_and_every_picture(described, pairs):
    samples, *pictures = described["recordSet"]
    columns = [field["source"]["extract"]["column"] for field in samples["field"]]
    assert columns == parquet.read_schema(pairs / "scores.parquet").names
    assert columns[-len(NUMBERS) :] == NUMBERS
    assert {field["source"]["fileObject"]["@id"] for field in samples["field"]} == {"scores.parquet"}
    sets = {each["@id"]: each for each in described["distribution"] if each["@type"] == "cr:FileSet"}
    shards = [{"@id": path.name} for path in pairs.glob("*.tar")]
    for records, column in zip(pictures, FACTS, strict=True):
        key, picture = records["field"]
        assert (records["@id"], picture["dataType"]) == (column, "sc:ImageObject")
        assert key["source"]["transform"] == {"regex": rf"^(.+)\.{column}\.png$"}
        assert key["source"]["fileSet"] == picture["source"]["fileSet"] == {"@id": f"{column}.png"}
        assert sets[f"{column}.png"]["includes"] == f"*.{column}.png"
        assert sorted(sets[f"{column}.png"]["containedIn"], key=str) == sorted(shards, key=str)
