"""Fixtures that the tests of the commands share."""

from pathlib import Path

import pytest
from made import picture

from pipeline import files
from pipeline.images import png


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("PREP_WORKERS", "PREP_CACHE", "PREP_DEVICE", "PREP_CONTACT", "PREP_RATE", "PREP_LEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def drawing(elsewhere):
    """Write a picture to girl.png."""
    files.write(Path("girl.png"), png.encode_png(picture(1)))
    return Path("girl.png")
