"""The model that ships learns from pictures whose licenses allow it, and its card credits them."""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from made import picture

from pipeline.errors import Halt
from pipeline.images import png
from pipeline.models.folder import load_model, save_model
from pipeline.params import Model
from pipeline.systems import system

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "benchmarks"))

import portraits  # noqa: E402
import weights  # noqa: E402

ROWS = [
    ("b.png", "ann/one", "CC-BY-4.0", "Ann"),
    ("a.png", "ann/one", "CC-BY-4.0", "Bea | Co"),
    ("c.png", "ann/one", "CC-BY-4.0", "Ann"),
    ("d.png", "cid/two", "CC0-1.0", "Cid"),
    ("e.png", "cid/two", "CC-BY-SA-4.0", "Cid"),
    ("f.png", "dan/three", "CC-BY-NC-4.0", "Dan"),
    ("g.png", "dan/three", "CC-BY-NC-4.0", "Dan"),
    ("h.png", "dan/three", "my own terms", "Dan"),
    ("i.png", "dan/three", "", "Dan"),
]


def write_corpus(folder: Path, heads=("file", "repo", "licence", "author"), rows=ROWS) -> Path:
    """Write pictures and their manifest."""
    folder.mkdir()
    with (folder / "MANIFEST.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *rows])
    for number, row in enumerate(rows):
        (folder / row[0]).write_bytes(png.encode_png(picture(number)))
    return folder


def test_pictures_of_other_licenses_and_of_unknown_ones_are_left_out_and_counted(tmp_path):
    material = weights.read_material(write_corpus(tmp_path / "corpus"))
    assert [row["file"] for row in material.rows] == ["a.png", "b.png", "c.png", "d.png"]
    assert weights.describe_left_out(material.left_out) == (
        "2 under CC-BY-NC-4.0, 1 under CC-BY-SA-4.0, 1 under my own terms, 1 under none given"
    )


def test_no_license_of_the_list_asks_for_the_same_license_or_forbids_a_use():
    assert not [name for name in weights.LICENSES if {"SA", "NC", "ND"} & set(name.split("-"))]
    assert not [name for name in weights.LICENSES if "GPL" in name]


@pytest.mark.parametrize("corpus", ["none", "headless", "empty"])
def test_a_folder_without_a_complete_manifest_is_refused(tmp_path, corpus):
    write_corpus(tmp_path / "headless", ("file", "repo", "license", "who"))
    write_corpus(tmp_path / "empty", rows=[])
    with pytest.raises(Halt, match=r"MANIFEST.csv.*file, repo, license, author"):
        weights.read_material(tmp_path / corpus)


def test_only_chosen_pictures_are_linked_whatever_was_linked_before(tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    rows = weights.read_material(corpus).rows
    for chosen in (rows, rows[:2]):
        folder = weights.link_pictures(corpus, chosen, tmp_path / "links")
    assert {path.name for path in folder.iterdir()} == {"a.png", "b.png", "MANIFEST.csv"}
    assert (folder / "a.png").read_bytes() == (corpus / "a.png").read_bytes()
    again = weights.read_material(folder)
    assert ([row["author"] for row in again.rows], again.left_out) == (["Bea | Co", "Ann"], Counter())


def test_each_author_is_credited_once_for_each_source(tmp_path):
    lines = weights.credit_table(weights.read_material(write_corpus(tmp_path / "corpus")).rows).splitlines()
    assert lines[2:] == [
        "| github.com/ann/one | CC-BY-4.0 | 3 | Ann; Bea / Co |",
        "| github.com/cid/two | CC0-1.0 | 1 | Cid |",
    ]


def test_weights_are_those_of_training_in_16_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "export_onnx", lambda folder: b"exported")
    torch.manual_seed(0)
    tensors = system("wash").networks(Model("wash", 4)).generator.state_dict()
    save_model(tmp_path / "trained", tensors, asdict(Model("wash", 4)), "")
    weights.write_model(tmp_path / "trained", tmp_path / "made")
    found = load_model(tmp_path / "made")[0].state_dict()
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], tensor, rtol=2**-11, atol=2**-24)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("trained", "made")]
    assert sizes[1] < 0.7 * sizes[0]


def test_the_table_of_scores_has_the_model_first_and_intervals():
    interval = {"mean": 20.126, "low": 19.0, "high": 21.5}
    conditions = {"paired": {"scores": {"cue": {"psnr": interval}, "model": {"psnr": interval}}}}
    lines = weights.score_table({"conditions": conditions}).splitlines()
    assert lines[2:] == [
        "| paired | model | 20.13 (19.00 to 21.50) |  |  |  |",
        "| paired | cue | 20.13 (19.00 to 21.50) |  |  |  |",
    ]


@pytest.mark.slow
def test_one_command_goes_from_pictures_to_a_model_and_its_card_and_again_to_equal_bytes(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(60):
        (corpus / f"{number}.jpg").write_bytes(portraits.draw_jpeg(number, 300, 95))
    rows = [["file", "repo", "license", "author"]]
    rows += [[f"{number}.jpg", "ann/one", "CC0-1.0", "Ann"] for number in range(60)]
    with (corpus / "MANIFEST.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    options = ["--steps", "3", "--side", "64", "--width", "4", "--threads", "1"]
    made = []
    for name in ("one", "two"):
        shutil.rmtree(tmp_path / ".prep", ignore_errors=True)
        words = [
            sys.executable,
            ROOT / "benchmarks" / "weights.py",
            corpus,
            *options,
            "--dest",
            tmp_path / name,
        ]
        subprocess.run(words, cwd=tmp_path, check=True)
        made.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert made[0] == made[1]
    card = made[0]["README.md"].decode()
    for part in ("| github.com/ann/one | CC0-1.0 | 60 | Ann |", "saw 12 samples", "| paired | model |"):
        assert part in card
