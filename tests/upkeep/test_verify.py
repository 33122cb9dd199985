"""Any difference of a column from its seal is found."""

import hashlib
import io
import json
import tarfile

import pytest
from made import make_column

from pipeline import files
from pipeline.errors import Halt
from pipeline.shards.column import INDEX, SEAL
from pipeline.shards.ledger import LEDGER
from pipeline.shards.seal import add_check
from pipeline.upkeep import verify

KEYS = [f"{number:09d}" for number in range(1, 9)]


@pytest.fixture
def data(tmp_path):
    """Write two columns below a folder."""
    for name in ("color", "sketch/b7"):
        make_column(tmp_path / "data" / name, KEYS)
    return tmp_path / "data"


def test_whole_columns_have_no_faults_and_are_counted(data):
    audit = verify.verify_columns(data, workers=2)
    size = sum(path.stat().st_size for path in data.rglob("*.tar"))
    assert audit == verify.Audit(columns=2, shards=6, samples=16, bytes=size, faults=[])
    assert verify.verify_columns(data / "color").columns == 1


@pytest.mark.parametrize("at", [3, 600, -1])
def test_a_changed_byte_is_found_anywhere(data, at):
    path = data / "sketch/b7/000001.tar"
    changed = bytearray(path.read_bytes())
    changed[at] ^= 1
    path.write_bytes(changed)
    assert verify.verify_columns(data).faults == [f"{path} differs from its seal"]


def test_missing_and_unsealed_shards_are_found(data):
    (data / "color/000001.tar").unlink()
    (data / "color/000007.tar").write_bytes(b"")
    (data / "sketch/b7" / SEAL).unlink()
    b7, missing = data / "sketch/b7", data / "color/000001.tar"
    faults = verify.verify_columns(data).faults
    assert faults[0] == f"{data}/color/000007.tar is not in the seal"
    assert faults[1].startswith(f"{b7} has no seal.json")
    assert faults[2:] == [f"{missing} is missing"]


def test_an_index_that_differs_is_found(data):
    index = data / "color" / INDEX
    index.write_text(index.read_text().replace("png=", "jpg="))
    faults = verify.verify_columns(data).faults
    assert faults[0] == f"{index} is missing or differs from the seal"
    assert all("holds other samples than its index lists" in fault for fault in faults[1:])
    assert len(faults) == 4


def test_a_ledger_that_differs_is_found(tmp_path):
    files.write(tmp_path / "color" / LEDGER, b"key\treason\n7\tgray\n")
    make_column(tmp_path / "color", KEYS)
    assert verify.verify_columns(tmp_path).faults == []
    files.write(tmp_path / "color" / LEDGER, b"key\treason\n6\tgray\n")
    fault = f"{tmp_path}/color/{LEDGER} is missing or differs from the seal"
    assert verify.verify_columns(tmp_path).faults == [fault]


def test_a_hostile_shard_is_found_though_its_seal_fits(data):
    link = tarfile.TarInfo("000000001.png")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(link)
    path = data / "color/000000.tar"
    path.write_bytes(buffer.getvalue())
    seal = json.loads((data / "color" / SEAL).read_text())
    forged = hashlib.sha256(buffer.getvalue()).hexdigest()
    seal["shards"]["000000.tar"] |= {"sha256": forged, "bytes": len(buffer.getvalue())}
    del seal["check"]
    files.write_json(data / "color" / SEAL, add_check(seal))
    [fault] = verify.verify_columns(data).faults
    assert "000000.tar" in fault


def test_a_folder_without_columns_is_refused(tmp_path):
    with pytest.raises(Halt, match="holds no shards: name a folder of shards"):
        verify.verify_columns(tmp_path)
