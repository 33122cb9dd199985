"""A seal that is not as this program writes it is refused with one sentence, and no sample is dropped."""

import hashlib
import json
from random import Random

import pytest

from pipeline import files
from pipeline.errors import Halt
from pipeline.shards.column import SEAL, list_shards, read_seal
from pipeline.shards.seal import parse_seal

ODD_VALUES = (None, True, -1, 1.0, 2**60, 10**400, "", "7", "\ud800", [], [[]], {}, {"": 0}, float("nan"))
ODD_NAMES = ("made", "", "../000000.tar", "000000.tar\0", "0\n.tar", "\ud800.tar", "README.md")


def sign(seal: dict) -> dict:
    """Give a seal the check of its content; leave what cannot be encoded without one."""
    content = {name: value for name, value in seal.items() if name != "check"}
    try:
        data = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        return seal
    return content | {"check": hashlib.sha256(data).hexdigest()}


def branches(node):
    """Yield every object in a seal."""
    yield node
    for child in node.values():
        if isinstance(child, dict):
            yield from branches(child)


def make_odd(seal: dict, random: Random) -> bytes:
    """Change one thing of a seal that its rules forbid: a value, a name, or an entry more or less."""
    check = seal.pop("check")
    node = random.choice(list(branches(seal)))
    name = random.choice([*node]) if node else "made"
    match random.randrange(4):
        case 0:
            node[name] = random.choice([value for value in ODD_VALUES if value != node.get(name)])
        case 1:
            node[random.choice(ODD_NAMES)] = node.pop(name, [])
        case 2:
            node[random.choice(ODD_NAMES)] = random.choice(ODD_VALUES)
        case 3 if node:
            del node[name]
        case _:
            node[name] = []
    return json.dumps(sign(seal) if random.randrange(2) else seal | {"check": check}).encode()


@pytest.mark.parametrize("seed", range(200))
def test_an_odd_seal_is_refused_in_one_sentence(column, seed):
    data = make_odd(json.loads((column / SEAL).read_bytes()), Random(seed))
    (column / SEAL).write_bytes(data)
    with pytest.raises(Halt, match=r"seal.json is no seal of this program \(.*\): run the stage") as halt:
        list_shards(column)
    assert str(halt.value).isprintable()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff", "codec can't decode"),
        (b"[" * 100_000, "nested too deep"),
        (b"null", "it must be an object"),
        (b'{"taken": 1, "taken": 1}', "a name comes twice"),
        (b'{"taken": %s}' % (b"9" * 5000), "integer string"),
    ],
)
def test_what_is_no_json_object_is_refused(column, data, reason):
    (column / SEAL).write_bytes(data)
    with pytest.raises(Halt, match=reason):
        read_seal(column)


def test_a_seal_whose_counts_do_not_add_up_is_refused(column):
    seal = json.loads((column / SEAL).read_bytes())
    del seal["shards"]["000001.tar"]
    (column / SEAL).write_text(json.dumps(sign(seal)), encoding="utf-8")
    with pytest.raises(Halt, match="its shards do not hold as many samples as were written"):
        list_shards(column)
    (column / SEAL).write_text(json.dumps(sign(seal | {"written": 5})), encoding="utf-8")
    with pytest.raises(Halt, match="its counts do not add up"):
        list_shards(column)


def test_a_seal_has_a_check_that_another_program_can_compute(column):
    seal = json.loads((column / SEAL).read_bytes())
    assert seal == sign(seal)


def test_every_flipped_bit_of_a_seal_is_noticed(column):
    data = bytearray((column / SEAL).read_bytes())
    for place in range(8 * len(data)):
        data[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match=r"\w"):
            parse_seal(bytes(data))
        data[place // 8] ^= 1 << place % 8
    parse_seal(bytes(data))


def test_a_seal_of_an_older_version_without_a_check_is_read(column):
    seal = json.loads((column / SEAL).read_bytes())
    old = {name: seal[name] for name in ("taken", "written", "rejected", "shards", "index")}
    files.write_json(column / SEAL, old)
    assert [len(shard) for shard in list_shards(column)] == [3, 3, 2]
    for lost in ("check", "ledger"):  # a newer one is not taken for an older one
        files.write_json(column / SEAL, {name: value for name, value in seal.items() if name != lost})
        with pytest.raises(Halt, match="is no seal of this program"):
            read_seal(column)
