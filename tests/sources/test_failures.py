"""Each file that cannot be fetched has its reason, and costs no other."""

from collections import Counter
from dataclasses import replace

import pytest
from fetching import content, fetch_found, read_samples
from rig import ALL, find, make_post, make_posts, read

from pipeline.booru import site as booru_site
from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import FaultRule, Faults
from pipeline.booru.server import Answer
from pipeline.errors import Halt
from pipeline.sources import posts


def test_a_site_on_loopback_cannot_send_the_client_elsewhere(tmp_path):
    posts.write_posts(tmp_path / "posts.jsonl", [make_post(1, file_url="https://example.org/original/1.png")])
    with pytest.raises(Halt, match="no file could be fetched"):
        fetch_found("http://127.0.0.1:9", tmp_path)
    row = (tmp_path / "out/rejects.tsv").read_text().splitlines()[1].split("\t")
    assert row[1] == "gone"
    assert "points to https://example.org/original/1.png: name that site" in row[2]


def test_one_bad_address_costs_one_post_and_no_message_holds_its_secrets(serve, tmp_path):
    bad = [
        "http://a..b/x",
        f"http://{'a' * 70}.org/x",
        "http://[::1",
        "http://127.0.0.1:1/x?token=s3cret",
        "/lost?sig=s3cret",
    ]
    uploads = [make_post(number, file_url=url) for number, url in enumerate(bad, 2)]
    with serve([make_post(1)]) as host:
        md5 = make_post(1)["md5"]
        good = make_post(1, file_url=f"/original/{md5[:2]}/{md5[2:4]}/{md5}.png")
        posts.write_posts(tmp_path / "posts.jsonl", map(posts.reduce_post, [good, *uploads]))
        report = fetch_found(host, tmp_path, tolerance=100.0)
    assert (report.taken, report.written) == (6, 1)
    assert report.rejected == {"gone": 4, "transient": 1}
    assert not any(b"s3cret" in data for data in content(tmp_path / "out").values())
    assert "s3cret" not in str(report.rejects)


RULES = {  # by the id of the post that it makes fail: the reason, and how the site fails
    4: ("gone", FaultRule("status", status=404)), 6: ("banned", FaultRule("status", status=451)),
    10: ("wrong type", FaultRule("page")), 11: ("truncated", FaultRule("short")),
    12: ("truncated", FaultRule("empty")),
    13: ("transient", FaultRule("status", status=503)), 14: ("mismatch", FaultRule("corrupt")),
    15: ("moved", FaultRule("redirect")),
}  # fmt: skip


FIELDS = {
    2: {"is_banned": True}, 3: {"is_restricted": True}, 8: {"ext": "mp4"},
    9: {"image_width": 40000, "image_height": 40000},
}  # fmt: skip


REASONS = {2: "banned", 3: "hidden", 8: "wrong type", 9: "too big"} | {
    number: reason for number, (reason, _) in RULES.items()
}


def serve_with_faults(traffic):
    """Serve sixteen posts, twelve of which cannot be fetched, each for its own reason."""
    uploads = [make_post(number, **FIELDS.get(number, {})) for number in range(1, 17)]
    rules = [
        FaultRule(**(vars(rule) | {"match": uploads[number - 1]["md5"]}))
        for number, (_, rule) in RULES.items()
    ]
    return uploads, booru_site.serve(Catalog(uploads, read), traffic, faults=Faults(rules))


def test_each_failure_has_its_reason_in_the_ledger_and_other_posts_survive(traffic, tmp_path):
    uploads, serving = serve_with_faults(traffic)
    with serving as host:
        find(host, tmp_path / "posts.jsonl", replace(ALL, types="png,mp4"))
        report = fetch_found(host, tmp_path, tolerance=10.0)
        assert report.rejected == dict(sorted(Counter(REASONS.values()).items()))
        rows = [line.split("\t") for line in (tmp_path / "out" / "rejects.tsv").read_text().splitlines()]
        assert rows[0] == ["key", "reason", "detail"]
        assert [(key, reason) for key, reason, _ in rows[1:]] == [
            (f"{number:09d}", REASONS[number]) for number in sorted(REASONS)
        ]
        assert [int(sample.key) for sample in read_samples(tmp_path / "out")] == [1, 5, 7, 16]
        traffic.targets.clear()
        again = fetch_found(host, tmp_path, tolerance=10.0)
        assert again.rejects == report.rejects
        assert {target.rpartition("/")[2] for target in traffic.files} == {f"{uploads[12]['md5']}.png"}


def test_files_that_failed_for_now_stop_the_run_and_the_next_requests_them_alone(serve, traffic, tmp_path):
    uploads = make_posts(30)
    traffic.troubles[uploads[7]["md5"]] = Answer(503, "text/html", b"")
    with serve(uploads) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match=r"1 of 30 files failed for now \(.*503.*run again"):
            fetch_found(host, tmp_path)
        assert not (tmp_path / "out" / "seal.json").exists()
        assert (tmp_path / "out" / "rejects.tsv").read_text().count("transient") == 1
        traffic.troubles = {}
        traffic.targets.clear()
        assert fetch_found(host, tmp_path).written == 30
        assert [target.rpartition("/")[2] for target in traffic.files] == [f"{uploads[7]['md5']}.png"]


@pytest.mark.parametrize(
    ("rule", "sentence", "asked"),
    [
        (FaultRule("edge", "/original/"), "check PREP_CONTACT", 3),
        (FaultRule("status", "/original/", status=403), "403", 3),
        (FaultRule("status", "/original/", status=503), "503", 36),
        (FaultRule("limit", "/original/", every=1, seconds=500.0), "answered 429", 9),
    ],
)
def test_a_site_that_keeps_refusing_is_left_alone_and_the_next_run_continues(
    traffic, tmp_path, rule, sentence, asked
):
    uploads, faults = make_posts(30), []

    def failing(*given):
        return (faults or [Faults([])])[0](*given)

    with booru_site.serve(Catalog(uploads, read), traffic, faults=failing) as host:
        find(host, tmp_path / "posts.jsonl")
        fetch_found(host, tmp_path, "other", shard=4, tolerance=100.0)
        for path in list((tmp_path / "cache" / "files").rglob("*.png"))[10:]:
            path.unlink()
        faults.append(Faults([rule]))
        traffic.targets.clear()
        with pytest.raises(Halt, match=sentence):
            fetch_found(host, tmp_path, threads=1)
        assert len(traffic.files) == asked
        kept = {path.name for path in (tmp_path / "cache" / "files").rglob("*.png")}
        assert len(kept) == 10
        faults[:] = []
        traffic.targets.clear()
        assert fetch_found(host, tmp_path).written == 30
        assert len(traffic.files) == 20


def test_a_run_without_any_file_fails(serve, tmp_path):
    with serve([make_post(1, is_banned=True)]) as host:
        find(host, tmp_path / "posts.jsonl")
        with pytest.raises(Halt, match="no file could be fetched: see"):
            fetch_found(host, tmp_path)
    assert not (tmp_path / "out" / "seal.json").exists()
