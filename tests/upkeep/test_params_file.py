"""Words are added to `search.forget`, and no other byte of params.yaml changes."""

from pathlib import Path

import pytest
from made import PARAMS

from pipeline import files
from pipeline.errors import Halt
from pipeline.upkeep.params_file import add_to_params, set_params


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PARAMS, PARAMS.replace("train:", '  forget: "7 artist:o\'hara"\ntrain:')),
        ("search:\n  forget: 5  # why\n  b: 1\n", 'search:\n  forget: "5 7 artist:o\'hara"  # why\n  b: 1\n'),
        ("search:\r\n  forget: ''\r\nb: 1\r\n", 'search:\r\n  forget: "7 artist:o\'hara"\r\nb: 1\r\n'),
        ("search:\n  forget:  # a: b\n", 'search:\n  forget: "7 artist:o\'hara"  # a: b\n'),
        (
            "search:\n  forget: >-\n    5\n    6\n  a: 1\n\nb: 1\n",
            'search:\n  forget: "5 6 7 artist:o\'hara"\n  a: 1\n\nb: 1\n',
        ),
        ("é: 1\nsearch: {a: 1}\n", 'é: 1\nsearch: {a: 1, forget: "7 artist:o\'hara"}\n'),
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


@pytest.mark.parametrize(
    "other", ["  a:   1\n", "  a: [1,2]\n", "  a: ~\n", "  a: 1\r\n", "  a:\n      b: 1\n"]
)
def test_a_layout_by_hand_stays(tmp_path, other):
    path = tmp_path / "params.yaml"
    text = f"# mine\n---\nsearch:\n  forget:   5\n{other}# the end\n"
    files.write(path, text.encode())
    add_to_params(path, ["7"])
    assert path.read_bytes().decode() == text.replace("  5", '  "5 7"')


@pytest.mark.parametrize(
    "text",
    [
        "a: &one\n  forget: 5\nsearch: *one\n",
        "search:\n  forget: &one 5\nb: *one\n",
        "search:\n  forget: >-  # why\n    5\n",
        "search: {a: 1,}\n",
    ],
)
def test_an_edit_that_would_change_something_else_is_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    files.write(path, text.encode())
    with pytest.raises(Halt, match=r"by a program: set forget: .* in its section search by hand$"):
        add_to_params(path, ["7"])
    assert path.read_bytes() == text.encode()


def test_words_that_are_there_need_no_edit(tmp_path):
    path = tmp_path / "params.yaml"
    files.write(path, b"search:\n  forget: &one 5\n")
    add_to_params(path, ["5"])
    assert path.read_bytes() == b"search:\n  forget: &one 5\n"


SKETCHES = """sketches:
  b7:
    method: threshold   # fast
    c: 2.0              # levels

# the next section
cue: {sigma: 20.0}
"""


@pytest.mark.parametrize(
    ("section", "values", "before", "after"),
    [
        ("cue", {"sigma": 1e-05}, "{sigma: 20.0}", "{sigma: 1e-05}"),
        ("cue", {"seed": 3, "sigma": 2.5}, "{sigma: 20.0}", "{sigma: 2.5, seed: 3}"),
        (
            "sketches",
            {"ink": {"method": "xdog-p", "blocksize": "3..9", "p": 19.0}},
            "# levels\n",
            '# levels\n  ink:\n    method: xdog-p\n    blocksize: "3..9"\n    p: 19.0\n',
        ),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_are_set_and_added_where_they_belong(section, values, before, after, newline):
    given, wanted = (text.replace("\n", newline) for text in (SKETCHES, SKETCHES.replace(before, after)))
    assert set_params(Path("params.yaml"), given, section, values) == wanted


def test_an_empty_section_and_a_file_without_a_last_line_end_take_values_too():
    path = Path("params.yaml")
    assert set_params(path, "sketches: {}", "sketches", {"a": {"c": 1.0}}) == "sketches: {a: {c: 1.0}}"
    assert set_params(path, "cue:\n  a: 1", "cue", {"b": 2}) == "cue:\n  a: 1\n  b: 2\n"
