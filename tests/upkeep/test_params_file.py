"""Words are added to `search.forget`, and no other byte of params.yaml changes."""

from pathlib import Path

import pytest
from made import PARAMS
from ruamel.yaml import YAML

from pipeline import files
from pipeline.errors import Halt
from pipeline.upkeep.params_file import add_to_params


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PARAMS, PARAMS.replace("  host", '  forget: "7 artist:o\'hara"\n  host')),
        ("search:\n  forget: 5  # why\n  b: 1\n", 'search:\n  forget: "5 7 artist:o\'hara" # why\n  b: 1\n'),
        ("search:\r\n  forget: ''\r\nb: 1\r\n", 'search:\r\n  forget: "7 artist:o\'hara"\r\nb: 1\r\n'),
        ("search:\n  forget:  # a: b\n", 'search:\n  forget: "7 artist:o\'hara" # a: b\n'),
        (
            "search:\n  forget: >-\n    5\n    6\n  a: 1\n\nb: 1\n",
            'search:\n  forget: "5 6 7 artist:o\'hara"\n  a: 1\n\nb: 1\n',
        ),
        ("é: 1\nsearch: {a: 1}\n", 'é: 1\nsearch: {forget: "7 artist:o\'hara", a: 1}\n'),
    ],
)
def test_nothing_else_in_the_parameters_changes(tmp_path, before, after):
    path = tmp_path / "params.yaml"
    for _ in range(2):
        files.write(path, before.encode())
        add_to_params(path, ["7", "artist:o'hara"])
        assert path.read_bytes().decode() == after
        before = after  # the second time there is nothing to add


OTHERS = """# numbers
others:
  lr: 2.0e-3
  steps: 1.0e+9      # as many
  eps: 0.00040
  beta: .5
  seed: 0x1F
  "on": yes

  tags: 'it''s'   # quoted
  words: "7,11,15"
  long: WORDS
  nothing:
  more: [1, 2]
  names:
  - a
# the end
""".replace("WORDS", "word " * 100 + "word")


def test_comments_numbers_quotes_and_long_lines_stay_byte_for_byte(tmp_path):
    own = (Path(__file__).parent.parent.parent / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    for text in (own, PARAMS + OTHERS, OTHERS + PARAMS):
        path.write_text(text)
        add_to_params(path, ["7"])
        kept = [line for line in path.read_text().splitlines(True) if "  forget:" not in line]
        assert kept == [line for line in text.splitlines(True) if "  forget:" not in line]


OTHERS_BY_HAND = ["  a:   1\n", "  a: [1,2]\n", "  a: ~\n", "  a: 1\r\n", "  a:\n      b: 1\n"]


@pytest.mark.parametrize("other", OTHERS_BY_HAND)
def test_a_layout_by_hand_keeps_its_values_and_comments(tmp_path, other):
    path = tmp_path / "params.yaml"
    files.write(path, f"# mine\nsearch:\n  forget: 5\n{other}# the end\n".encode())
    values = YAML(typ="safe").load(path)
    add_to_params(path, ["7"])
    assert YAML(typ="safe").load(path) == {"search": values["search"] | {"forget": "5 7"}}
    assert {"# mine", "# the end"} <= {line.strip() for line in path.read_text().splitlines()}


def test_an_edit_that_would_lose_a_comment_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    text = "# mine\n---\nsearch:\n  forget: 5\n"
    files.write(path, text.encode())
    with pytest.raises(Halt, match=r'set forget: "5 7" in its section search by hand, then run this again'):
        add_to_params(path, ["7"])
    assert path.read_bytes() == text.encode()
    add_to_params(path, ["5"])  # there is nothing to add
