"""Imports lead to the code and the libraries that decide a result, and words change no hash."""

import ast
import sys

import pytest

from pipeline import codehash
from pipeline.codehash import code_hashes, hash_code, library_versions, source_files

TEXT = '''"""A module."""

SIZE = 3  # pixels


def double(size: int) -> int:
    """Return twice the size."""
    return 2 * size
'''


def names(module):
    return [path.name for path in source_files(module)]


def test_imports_are_followed_to_the_end():
    assert names("pipeline.operators.cue") == [
        "chance.py", "__init__.py", "codec.py", "color.py", "containers.py", "opening.py", "pixels.py",
        "png.py", "result.py", "cue.py",
    ]  # fmt: skip
    assert "files.py" in names("pipeline.run.step")


def test_a_module_that_is_not_imported_does_not_count():
    assert "warp.py" not in names("pipeline.operators.sketch")


def test_imports_for_types_do_not_count(tmp_path):
    (tmp_path / "a.py").write_text("if TYPE_CHECKING:\n    import torch\nelse:\n    import csv\nimport json")
    assert sorted(codehash.imported_names(tmp_path / "a.py")) == ["csv", "json"]


def test_parameter_classes_do_not_count():
    assert "params.py" not in names("pipeline.operators.sketch")


def test_a_markdown_file_belongs_to_the_module_of_its_name(monkeypatch, tmp_path):
    (tmp_path / "card.py").write_text("import json")
    (tmp_path / "card.md").write_text("# Card")
    monkeypatch.setattr(
        codehash, "find_source", lambda name: tmp_path / "card.py" if name == "own.card" else None
    )
    assert [path.name for path in source_files.__wrapped__("own.card")] == ["card.md", "card.py"]
    before = hash_code(tmp_path / "card.md")
    (tmp_path / "card.md").write_text("# Cards")
    assert hash_code(tmp_path / "card.md") != before


def test_an_edit_changes_the_hashes_and_a_move_does_not(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text("one")
    monkeypatch.setattr(codehash, "source_files", lambda module: (files[module == "b"],))
    assert code_hashes("a") == code_hashes("b")
    files[1].write_text("two")
    assert code_hashes("a") != code_hashes("b")
    assert sorted(code_hashes("a", "b", "a")) == sorted([*code_hashes("a"), *code_hashes("b")])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# pixels", "# in pixels"),
        ('"""A module."""', '"""One\nmodule."""'),
        ('    """Return twice the size."""\n', ""),
        ("2 * size", "(2\n        * size)"),
        ("\n\n\ndef", "\n\ndef"),
    ],
)
def test_words_and_layout_change_no_hash(tmp_path, old, new):
    assert edited(tmp_path, old, new) == edited(tmp_path, "", "")


@pytest.mark.parametrize(
    ("old", "new"), [("= 3", "= 4"), ("2 *", "2.0 *"), ("size: int", "size: float"), ("double", "twice")]
)
def test_a_change_of_code_changes_the_hash(tmp_path, old, new):
    assert edited(tmp_path, old, new) != edited(tmp_path, "", "")


def edited(folder, old, new):
    """Hash the text after a replacement."""
    assert old in TEXT
    (folder / "module.py").write_text(TEXT.replace(old, new) if old else TEXT)
    return hash_code(folder / "module.py")


def test_a_string_that_is_no_docstring_counts(tmp_path):
    for text, other in (('print("a")', 'print("b")'), ("X = '''a'''", "X = '''b'''"), ("1\n'a'", "1\n'b'")):
        (tmp_path / "one.py").write_text(text)
        (tmp_path / "other.py").write_text(other)
        assert hash_code(tmp_path / "one.py") != hash_code(tmp_path / "other.py")


def test_the_hash_covers_every_field_of_the_syntax_tree():
    """Only empty fields are left out."""
    tree = ast.parse("def f(a, /, b=1, *c, d: int = 2, **e) -> str:\n    return f'{a!r:>{b}}' + u'x'")
    shown = repr(codehash.syntax_outline(tree))
    for word in (
        "posonlyargs",
        "defaults",
        "vararg",
        "kwonlyargs",
        "kw_defaults",
        "kwarg",
        "returns",
        "conversion",
    ):
        assert f"'{word}'" in shown


def test_a_step_depends_only_on_the_libraries_that_it_imports():
    drawing = [line.split()[0] for line in library_versions("pipeline.operators.sketch", "pipeline.run.step")]
    assert drawing == ["PIL", "cv2", "numpy", "simplejpeg", "skimage"]
    assert "torch" in [line.split()[0] for line in library_versions("pipeline.operators.anime2sketch")]


@pytest.mark.parametrize(
    "module",
    [
        "operators.clean",
        "operators.sketch",
        "operators.cue",
        "operators.warp",
        "operators.anime2sketch",
        "run.step",
    ],
)
def test_every_library_of_an_operator_is_listed_or_decides_no_pixel(module):
    roots = {
        name.partition(".")[0]
        for path in source_files(f"pipeline.{module}")
        for name in codehash.imported_names(path)
    }
    harmless = {"filelock", "isal", "safetensors", "upath", "zlib_ng"}  # zlib's bytes and pixels, but sooner
    outside = {name for name in roots - {"pipeline"} if name not in sys.stdlib_module_names}
    assert outside <= codehash.LIBRARIES.keys() | harmless
