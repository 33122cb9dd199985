"""The tour of the library runs, and shows what its cells make."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from docs import tour

pytestmark = pytest.mark.usefixtures("one_thread")
CELLS = json.loads(tour.NOTEBOOK.read_bytes())["cells"]
CODES = [cell for cell in CELLS if cell["cell_type"] == "code"]
STALE = "the notebook is stale: run `make tour`"
DECIMAL = re.compile(r"\d+\.\d+")


def printed(outputs):
    """Split what a cell prints into its words and its numbers with decimals."""
    text = "".join(line for output in outputs for line in output.get("text", ()))
    return DECIMAL.split(text), [float(number) for number in DECIMAL.findall(text)]


def pictures(outputs):
    data = [base64.b64decode(output["data"]["image/png"]) for output in outputs if "data" in output]
    return [np.array(Image.open(io.BytesIO(each)).convert("RGB"), int) for each in data]


def test_every_cell_prints_and_shows_what_is_stored_but_for_rounding():
    made = tour.run_cells(["".join(cell["source"]) for cell in CODES])
    for outputs, cell in zip(made, CODES, strict=True):
        (words, numbers), (stored_words, stored_numbers) = printed(outputs), printed(cell["outputs"])
        assert words == stored_words, STALE
        assert numbers == pytest.approx(stored_numbers, rel=0.02, abs=0.02), STALE
        for picture, stored in zip(pictures(outputs), pictures(cell["outputs"]), strict=True):
            assert picture.shape == stored.shape, STALE
            assert abs(picture - stored).mean() < 0.1, STALE  # another number of threads makes 0.002


def test_every_cell_of_code_follows_a_heading_and_words_and_the_pictures_are_small():
    assert [cell["cell_type"] for cell in CELLS] == ["markdown"] + ["markdown", "code"] * len(CODES)
    assert all("".join(cell["source"]).startswith("## ") for cell in CELLS[1::2])
    assert sum(len(pictures(cell["outputs"])) for cell in CODES) == 5
    assert tour.NOTEBOOK.stat().st_size < 200_000
