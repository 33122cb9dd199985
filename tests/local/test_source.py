"""A host that names no folder of pictures is refused in a sentence."""

from made import make_column
from rig import source_error

from pipeline import files


def test_a_path_that_is_not_a_folder_of_pictures_is_refused_in_a_sentence(tmp_path):
    files.write(tmp_path / "a.txt", b"")
    for kind in ("", "dump:", "pairs:", "halves:"):
        assert "is not a folder: name one, or" in source_error(f"{kind}{tmp_path / 'nowhere'}")
    for host in ("list:", ""):
        assert "is not a folder" in source_error(host)
    for kind in ("", "halves:"):
        assert "holds no pictures" in source_error(f"{kind}{tmp_path}")
    assert "color does not exist" in source_error(f"pairs:{tmp_path}")
    assert "holds shards" in source_error(make_column(tmp_path / "column", ["000000001"]))
