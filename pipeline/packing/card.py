"""The dataset card: the README.md of a packed dataset, for people and for the Hugging Face Hub.

It is Markdown below a YAML header that the Hub reads. The prose is in card.md; this module adds the counts of
a `Census`, the counts of the earlier stages and the parameters. A card never says when or on which machine
the dataset was made, and text from outside can never become markup.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.markdown import code_block, definitions, dump_yaml, inline_code, printable, rank_counts, table
from pipeline.packing.card_text import (
    CARD_TEXT,
    DATASET_FOLDER,
    SOURCE_NAMES,
    adult_pictures,
    describe_dataset,
    is_own,
    loading_text,
    rights,
)
from pipeline.packing.census import HUB_SPLITS, Census, host_of
from pipeline.params import SITE_LIMIT, misnamed_blocksize

DATASET_NAME = "Sketch colorization pairs"
DATA_SECTIONS = ("search", "fetch", "clean", "sketches", "cue", "reference", "pack")  # parameters of the data
RATING_NAMES = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
HUB_LICENSES = {  # some of the licenses that the Hub has a name for
    "unknown", "mit", "cc0-1.0", "pddl", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
}  # fmt: skip
HUB_SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
LEFT_OUT = "(left out)"
CUE_MEANINGS, FIELD_MEANINGS = (definitions(CARD_TEXT[part]) for part in ("cues", "fields"))


def dataset_card(census: Census, history: Mapping[str, dict], params: Mapping[str, dict]) -> str:
    """Return the card of a dataset that has samples.

    `history` maps stages to their counts; those of pack are what `pack_columns` returns. `params` maps
    sections of params.yaml to their fields. The card leaves out what is missing from either.
    """
    parts = [
        front_matter(census),
        describe_dataset(census, params),
        describe_making(census, history, params),
        describe_splits(census, history.get("pack", {})),
        describe_members(census, params),
        describe_pictures(census, params),
        *loading_text(census),
        CARD_TEXT["checking"].substitute(folder=DATASET_FOLDER),
        rights(census, own=is_own(census, params)),
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(census: Census) -> str:
    """Return the YAML that the Hub reads: the files of the splits, the license, and terms for its search."""
    files = [{"split": HUB_SPLITS[name], "path": f"{name}-*.tar"} for name in census.present]
    adult = ["not-for-all-audiences"] if adult_pictures(census) else []
    fields = {
        "pretty_name": DATASET_NAME,
        "license": license_of(census),
        "task_categories": ["image-to-image"],
        "size_categories": [size_category(len(census))],
        "tags": ["webdataset", "colorization", "sketch", "line-art", "illustration", *adult],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{dump_yaml(fields)}---"


def license_of(census: Census) -> str:
    """Return the Hub's name of the license that all samples share, or else "other"."""
    names = {printable(name).lower().replace(" ", "-") for name in census.licenses}
    return names.pop() if len(names) == 1 and names <= HUB_LICENSES else "other"


def size_category(count: int) -> str:
    """Return the Hub's name of a number of samples."""
    digits = len(str(count))
    return "n<1K" if digits < 4 else f"{HUB_SIZES[digits - 4]}<n<{HUB_SIZES[digits - 3]}"


@dataclass(frozen=True)
class StageCounts:
    """How many samples a stage took and wrote, and how many it left out, by reason."""

    taken: int
    written: int
    left_out: dict[str, int]


def describe_making(census: Census, history: Mapping[str, dict], params: Mapping[str, dict]) -> str:
    """Say how many samples each stage took and left out, and by which parameters."""
    stages = count_stages(census, history)
    text = ["## How it was made"]
    if len(stages) == 1:
        text += [CARD_TEXT["counts unknown"].substitute()]
    else:
        rows = [
            (name.replace("-", " ", 1), stage.taken, stage.written, rank_counts(stage.left_out) or "none")
            for name, stage in stages.items()
        ]
        text += [table(("stage", "in", "out", "left out, by reason"), rows), *describe_gaps(stages)]
        if may_have_more(stages, params):
            text += [CARD_TEXT["more posts"].substitute()]
    if settings := shown_params(params):
        text += [CARD_TEXT["parameters"].substitute(yaml=code_block("yaml", dump_yaml(settings)))]
    return "\n\n".join(text)


def count_stages(census: Census, history: Mapping[str, dict]) -> dict[str, StageCounts]:
    """Return the counts of each stage from search to pack."""
    stages = {}
    for name, metrics in history.items():
        if name == "search":
            taken = metrics["posts"] + sum(metrics["skipped"].values())
            stages[name] = StageCounts(taken, metrics["posts"], metrics["skipped"])
        elif name != "pack":
            stages[name] = StageCounts(metrics["taken"], metrics["written"], metrics["rejected"])
    return stages | {"pack": StageCounts(len(census), len(census), {})}


def describe_gaps(stages: Mapping[str, StageCounts]) -> list[str]:
    """Say where a stage took another number than the stage before it wrote."""
    text = []
    for after, stage in stages.items():
        before = {"search": "", "fetch": "search", "clean": "fetch"}.get(after, "clean")
        if before in stages and stages[before].written != stage.taken:
            numbers = {"out": f"{stages[before].written:,}", "taken": f"{stage.taken:,}"}
            text += [CARD_TEXT["counts differ"].substitute(numbers, before=before, after=after)]
    return text


def may_have_more(stages: Mapping[str, StageCounts], params: Mapping[str, dict]) -> bool:
    """Return whether the search of a site stopped before it saw every post that matches."""
    search = params.get("search", {})
    host = search.get("host", "sample")
    if "search" not in stages or not (host == "sample" or host.startswith(("http://", "https://"))):
        return False
    found = stages["search"].written + stages["search"].left_out.get("sample", 0)
    return found == (search.get("limit") or SITE_LIMIT)


def shown_params(params: Mapping[str, dict]) -> dict[str, dict]:
    """Return the parameters that decide the data, without paths, machines and forgotten posts."""
    shown = {name: redact_section(params[name]) for name in DATA_SECTIONS if name in params}
    for name in ("keep", "drop"):  # the files of a person's choices
        shown.get("clean", {}).pop(name, None)
    host = shown.get("search", {}).get("host", "sample")
    if host != "sample":
        kind = host.partition(":")[0]
        kind = f"{kind}:" if kind in ("http", "https", *SOURCE_NAMES) else ""
        shown["search"]["host"] = f"{kind}//{host_of(host)}" if host_of(host) else kind + LEFT_OUT
    return shown


def redact_section(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of parameters without its private values."""
    shown = dict(section)
    for name, value in section.items():
        if isinstance(value, dict):
            shown[name] = redact_section(value)
        elif isinstance(value, str):
            shown[name] = LEFT_OUT if value and name in ("forget", "weights") else printable(value)
    return shown


def describe_splits(census: Census, metrics: Mapping[str, Any]) -> str:
    rows = [
        (f"`{name}`", census.splits[name], f"{census.splits[name] / len(census):.1%}", f"`{name}-*.tar`")
        for name in census.present
    ]
    text = ["## Splits", table(("split", "samples", "share", "shards"), rows)]
    if "groups" in metrics:
        numbers = {name: f"{metrics[name]:,}" for name in ("groups", "torn", "leaks")}
        text += [CARD_TEXT["groups"].substitute(numbers, linked=rank_counts(metrics["linked"]))]
    return "\n\n".join(text)


def describe_members(census: Census, params: Mapping[str, dict]) -> str:
    """Describe each member of a sample, and each field of its JSON."""
    columns = [name for name in census.columns if name in census.fields]
    files = [(f"`KEY.{name}.png`", column_meaning(name, params)) for name in census.columns]
    names = sorted(census.fields.keys() - set(columns))
    fields = [(inline_code(name), field_meaning(name, census)) for name in names]
    if columns:
        fields += [(", ".join(map(inline_code, columns)), "how that picture was made, with its random draws")]
    return CARD_TEXT["sample"].substitute(
        files=table(("file", "content"), [*files, ("`KEY.json`", "metadata, see below")]),
        fields=table(("JSON field", "meaning"), fields),
    )


def column_meaning(column: str, params: Mapping[str, dict]) -> str:
    kind, _, name = column.partition("-")
    if kind == "color":
        return "the illustration, cropped and resized"
    if kind == "cue":
        cue = params.get("cue", {})
        drop = f"; randomly left out of {cue['drop']:.0%} of the samples" if cue.get("drop") else ""
        return CUE_MEANINGS.get(cue.get("method", ""), "a hint at its colors") + drop
    if kind == "sketch":
        sketch = params.get("sketches", {}).get(name, {})
        how = sketch.get("method", "") if sketch.get("preset", "none") == "none" else sketch["preset"]
        drawn = f", drawn by {inline_code(how)}" if how else ""
        if how and (blocksize := misnamed_blocksize(name, sketch)):
            drawn += f"; despite its name, the blocksize is {inline_code(blocksize)}"
        return "the gray sketch that came with it" if how == "own" else f"a gray sketch of it{drawn}"
    if kind == "reference":
        family = params.get("reference", {}).get("subject") == "family"
        subject = "the illustration or another of its family" if family else "the illustration"
        return f"{subject}, warped by a thin-plate spline and tinted: its colors in other places"
    return "another picture of it"


def field_meaning(name: str, census: Census) -> str:
    """Describe a field of the JSON; say how many samples have it if not all do."""
    count = census.fields[name]
    few = f" ({count:,} of {len(census):,} samples have it)" if count < len(census) else ""
    if found := re.fullmatch(r"complexity(\d+)", name):
        return f"share of black in the threshold sketch at 256 px and blocksize {found[1]}, in percent{few}"
    return FIELD_MEANINGS.get(name, "given by the source") + few


def describe_pictures(census: Census, params: Mapping[str, dict]) -> str:
    """List ratings, tags, artists, licenses, and the hosts where the originals were published."""
    ratings = Counter({RATING_NAMES.get(letter, letter): count for letter, count in census.ratings.items()})
    lines = [f"**Ratings**: {rank_counts(ratings)}", f"**Tags**: {top_counts(census.tags, 30)}"]
    lines += [f"**Artists**: {top_counts(census.artists, 15)}"]
    if not is_own(census, params):
        lines += [f"**Licenses** given by the sources: {rank_counts(census.licenses, 15)}"]
        lines += [f"**Hosts** of the addresses in `source`: {top_counts(census.hosts, 15)}"]
    return "\n".join(["## What is pictured", "", *(f"- {line}" for line in lines)])


def top_counts(counts: Counter[str], most: int) -> str:
    """Say how many names there are, list the most frequent, and count the samples without a name."""
    known = {name: count for name, count in counts.items() if name}
    which = "most often" if len(known) > most else "namely"
    text = [f"{len(known):,}, {which} {rank_counts(known, most)}"] if known else []
    text += [f"unknown for {counts['']:,}"] if counts[""] else []
    return "; ".join(text) or "none given"
