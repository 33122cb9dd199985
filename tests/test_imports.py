"""The files that decide a result are found by reading the imports."""

from pipeline.imports import sources


def names(module):
    return [path.name for path in sources(module)]


def test_imports_are_followed_to_the_end():
    assert names("pipeline.cue") == ["cue.py", "images.py"]
    assert "sketch.py" in names("pipeline.clean")


def test_a_module_that_is_not_imported_does_not_count():
    assert "warp.py" not in names("pipeline.sketch")


def test_parameter_classes_do_not_count():
    assert "params.py" not in names("pipeline.sketch")
