"""The page of a difference: text from outside stays text, and nothing is loaded from elsewhere."""

from html.parser import HTMLParser

import numpy as np
import pytest
from made import picture

from pipeline.evaluation.diff import Diff, to_markdown
from pipeline.evaluation.page import Figure, write_page
from pipeline.evaluation.paired import pair_measures

EVIL = '<script>alert(1)</script>" onerror=x $title `|'


class Reader(HTMLParser):
    """Note the tags, the attributes that load something, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads, self.words = set(), [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        assert not [name for name, _ in attributes if name.startswith("on") or name in ("href", "srcset")]
        self.loads += [value for name, value in attributes if name == "src"]

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def diff():
    """Compare two tables in which everything from outside is EVIL."""
    row = {"condition": "paired", "guide": "cue", "by": "model", "source": EVIL}
    before, after = (
        [
            row | {"key": f"{EVIL}{number}", "artist": f"{EVIL}{number % 2}", "psnr": psnr + number}
            for number in range(14)
        ]
        for psnr in (20.0, 21.0)
    )
    names = {f"sketches.{EVIL}.c": ("-", EVIL)}, {f"sketchify-{EVIL}": (1, 2)}
    return Diff(EVIL, "b9", *names, pair_measures(before, after))


def test_names_are_text_and_all_that_is_loaded_is_in_the_page(diff):
    figures = [Figure(each, [(picture(1), f"{EVIL}\n20 dB")]) for each in diff.main.extremes(2)]
    page = write_page(diff, figures, [f"no model: {EVIL}"])
    reader = Reader()
    reader.feed(page)
    assert "script" not in reader.tags
    assert reader.words.count("<script>alert(1)</script>") >= 10
    assert len(reader.loads) == 2
    assert all(value.startswith("data:image/png;base64,") for value in reader.loads)
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_verdict_comes_first_and_a_picture_without_tiles_has_its_numbers(diff):
    reader = Reader()
    reader.feed(write_page(diff, [Figure(diff.main.pictures[0], [])], []))
    words = " ".join(reader.words.partition("</style>")[0].split())
    assert words.index("Better PSNR +1.00 [+1.00, +1.00] dB on 14 shared test pictures") < words.index(
        "PSNR, dB"
    )
    assert "+1.00 dB20.00 → 21.00 dB" in words


def test_names_are_no_markup_in_markdown(diff):
    assert "<script" not in to_markdown(diff)


def test_a_large_picture_is_shrunk(diff):
    page = write_page(diff, [Figure(diff.main.pictures[0], [(np.zeros((2000, 1000, 3), np.uint8), "")])], [])
    assert len(page) < 40_000
