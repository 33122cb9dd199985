"""The files that decide a result are found by reading the imports."""

from pipeline import imports
from pipeline.imports import code, sources


def names(module):
    return [path.name for path in sources(module)]


def test_imports_are_followed_to_the_end():
    assert names("pipeline.cue") == ["chance.py", "cue.py", "images.py"]
    assert "sketch.py" in names("pipeline.clean")


def test_a_module_that_is_not_imported_does_not_count():
    assert "warp.py" not in names("pipeline.sketch")


def test_parameter_classes_do_not_count():
    assert "params.py" not in names("pipeline.sketch")


def test_an_edit_changes_the_code_and_its_place_does_not(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text("one")
    monkeypatch.setattr(imports, "sources", lambda module: (files[module == "b"],))
    assert code("a") == code("b")
    files[1].write_text("two")
    assert code("a") != code("b")
    assert code("a", "b", "a") == [*code("a"), *code("b")]
