"""A seal that is not as this program writes it is refused with one sentence, and no sample is dropped."""

import json
from random import Random

import pytest

from pipeline.errors import Halt
from pipeline.shards.column import SEAL, list_shards, read_seal

ODD_VALUES = (None, True, -1, 1.0, 2**60, 10**400, "", "7", "\ud800", [], [[]], {}, {"": 0}, float("nan"))
ODD_NAMES = ("made", "", "../000000.tar", "000000.tar\0", "0\n.tar", "\ud800.tar", "README.md")


def branches(node):
    """Yield every object in a seal."""
    yield node
    for child in node.values():
        if isinstance(child, dict):
            yield from branches(child)


def make_odd(seal: dict, random: Random) -> bytes:
    """Change one thing of a seal that its rules forbid: a value, a name, or an entry more or less."""
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
    return json.dumps(seal).encode()


@pytest.mark.parametrize("seed", range(100))
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
    (column / SEAL).write_text(json.dumps(seal), encoding="utf-8")
    with pytest.raises(Halt, match="its shards do not hold as many samples as were written"):
        list_shards(column)
    (column / SEAL).write_text(json.dumps(seal | {"written": 5}), encoding="utf-8")
    with pytest.raises(Halt, match="its counts do not add up"):
        list_shards(column)
