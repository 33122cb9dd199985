"""The parameters and counts that differ between two runs."""

from pipeline.upkeep.changes import changed_params, metrics_names, pair_counts


def test_parameters_that_differ_have_dotted_names_as_dvc_takes_them():
    before = {"clean": {"side": 128}, "sketches": {"b7": {"blocksize": 7}}, "train": {"vgg": "", "lr": 0.5}}
    after = {
        "clean": {"side": 128},
        "sketches": {"b7": {"blocksize": 9}, "b9": {"c": 2.0}},
        "train": {"vgg": None},
    }
    assert changed_params(before, after) == {
        "sketches.b7.blocksize": ("7", "9"),
        "train.vgg": ('""', "null"),
        "train.lr": ("0.5", "-"),
        "sketches.b9.c": ("-", "2.0"),
    }
    assert changed_params(after, after) == {}


def test_counts_go_from_search_to_pack_with_the_reasons_of_rejects():
    names = metrics_names({"sketches": {"b7": {}}})
    before = {
        "search": {"posts": 9, "skipped": {"blacklist": 1}},
        "clean": {"taken": 9, "written": 6, "rejected": {"duplicate": 3}},
        "sketchify-b7": {"taken": 6, "written": 6, "rejected": {}},
        "pack": {"train": 3, "val": 1, "test": 2, "groups": 5},
    }
    after = before | {"clean": {"written": 7, "rejected": {"blank": 2}}, "cue": {"written": 7}}
    after["clean"] = {"pictures": 7, "rejected": 2, "counts": [after["clean"]]}
    after["pack"] = {"train": 3, "counts": [before["pack"]]}  # as they are written since
    counts = pair_counts(*({name: each.get(name, {}) for name in names} for each in (before, after)))
    assert list(counts.items()) == [
        ("search", (9, 9)),
        ("search, rejected: blacklist", (1, 1)),
        ("clean", (6, 7)),
        ("clean, rejected: blank", (None, 2)),
        ("clean, rejected: duplicate", (3, None)),
        ("sketchify-b7", (6, 6)),
        ("cue", (None, 7)),
        ("pack, train", (3, 3)),
        ("pack, val", (1, 1)),
        ("pack, test", (2, 2)),
    ]
