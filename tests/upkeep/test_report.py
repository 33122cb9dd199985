"""A report has a line for the results of every stage."""

from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import Halt
from pipeline.upkeep.report import all_counts, describe_result, read_results, to_metrics


def report_metrics(*given):
    """Describe the results of all stages, each in a line."""
    return "\n".join(describe_result(name, metrics) for name, metrics in read_results(*given).items())


def test_each_stage_has_its_line_in_the_order_of_the_pipeline(tmp_path):
    measured = {
        by: {"psnr": {"mean": psnr}, "ssim": {"mean": 0.75}, "fid": 3.0}
        for by, psnr in (("model", 21.234), ("cue", 17), ("cue_times_sketch", 13))
    }
    strokes = {"model": {"psnr": {"mean": 15.5}}, "fill": {"psnr": {"mean": 14}}}
    conditions = {
        "paired": {"scores": measured, "gain": {"mean": 4.234}},
        "strokes": {"scores": strokes, "gain": {"mean": 1.5}},
    }
    for name, metrics in {
        "evaluate": {"psnr_db": 21.234},
        "evaluate_report": {"system": "pix2pix", "images": 36, "conditions": conditions},
        "clean": {
            "taken": 9,
            "written": 6,
            "rejected": {"gray": 2, "too small": 1},
            "gray": {"mean": 41.26, "median": 4},
        },
        "cue": {"taken": 6, "written": 6, "rejected": {}},
        "search": {"posts": 9, "skipped": {}},
        "train/metrics": {"step": 1200, "val_psnr": 21.2861},
    }.items():
        written = to_metrics(metrics) if name in ("clean", "search") else metrics
        files.write_json(tmp_path / f"{name}.json", written)
    assert report_metrics(tmp_path).splitlines() == [
        "search           9 posts",
        "clean            6 of 9; rejected: gray 2, too small 1; mean gray 41.3",
        "cue              6 of 6",
        "train            1200 step, 21.29 val_psnr",
        "evaluate         pix2pix: 21.23 dB PSNR, 0.750 SSIM on 36 pictures; "
        "baselines: cue 17.00 dB, cue times sketch 13.00 dB; gain +4.23 dB; also strokes 15.50 dB",
    ]


def test_sketches_are_those_of_the_parameters_with_their_settings(tmp_path):
    """After a run with another block size, b7 is a name, and xdog is no sketch of the project any more."""
    for name in ("b7", "plain", "xdog"):
        files.write_json(tmp_path / f"sketchify-{name}.json", {"taken": 6, "written": 6, "rejected": {}})
    assert report_metrics(
        tmp_path, {"b7": {"method": "threshold", "blocksize": 9}, "plain": {}}
    ).splitlines() == [
        "sketchify-b7     6 of 6; drawn with method threshold, blocksize 9; "
        "despite its name, the blocksize is 9",
        "sketchify-plain  6 of 6; drawn with the defaults",
    ]
    assert "sketchify-xdog" in report_metrics(tmp_path)


def test_a_folder_without_metrics_is_refused(tmp_path):
    with pytest.raises(Halt, match="holds no metrics: run the pipeline first"):
        report_metrics(tmp_path)


PACKED = {"train": 7, "val": 1, "test": 2, "groups": 8, "torn": 1, "leaks": 0}


@pytest.mark.parametrize(
    ("counts", "numbers"),
    [
        ({"posts": 9, "ceiling": 77, "skipped": {"score": 2, "rating": 1}}, {"posts": 9, "skipped": 3}),
        (
            {
                "taken": 9,
                "written": 6,
                "rejected": {"gray": 2, "blank": 1},
                "blur": {"mean": 1.5, "median": 1},
            },
            {"pictures": 6, "rejected": 3, "blur_mean": 1.5},
        ),
        (PACKED | {"shards": 3, "largest": 2, "linked": {"colors": 2}}, PACKED),
    ],
)
def test_metrics_are_few_flat_numbers_and_a_list_with_all_counts(counts, numbers):
    assert to_metrics(counts) == numbers | {"counts": [counts]}
    assert all_counts(to_metrics(counts)) == all_counts(counts) == counts


def test_the_committed_metrics_can_be_reported():
    text = report_metrics(Path(__file__).parent.parent.parent / "metrics")
    for name in ("search", "fetch", "clean", "sketchify-b7", "cue", "reference", "pack", "train", "evaluate"):
        assert name in text
    assert "0 leaks" in text
