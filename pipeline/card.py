"""What was packed -> the dataset card: the README.md of the packed folder, for people and for the Hub.

A `Census` counts the samples while they are packed. With the metrics of the stages before and the parameters
it becomes Markdown below a header that the Hugging Face Hub reads. Nothing in it tells when or on which
machine the dataset was made, and no text from outside can become anything but text.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.census import SPLITS, Census, host_of
from pipeline.markdown import code, dump, fenced, listing, seen, table
from pipeline.terms import CHECKING, limits, loading

SECTIONS = ("search", "fetch", "clean", "sketches", "cue", "reference", "pack")  # what decides the data
RATINGS = {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"}
LICENSES = {  # some of those that the Hub has a name for
    "unknown", "mit", "cc0-1.0", "pddl", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0",
    "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0",
}  # fmt: skip
SIZES = ("1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T")
HIDDEN = "(left out)"
PLACES = {
    "sample": "the sample that inkwash draws itself",
    "dump": "a dump of Danbooru",
    "list": "a list of addresses",
    "pairs": "pairs of color and sketch",
    "halves": "pictures that are color on the left and sketch on the right",
}
CUES = {
    "gaussian": "its colors, blurred",
    "none": "all white: it tells nothing",
    "strokes": "strokes of its colors on transparent ground; alpha is the mask of hints",
    "points": "points of its colors on transparent ground; alpha is the mask of hints",
    "palette": "its dominant colors as blocks, left to right",
}
FACTS = {
    "artist": "names of the artists, divided by spaces",
    "blank": "share of the commonest color, in percent",
    "blur": "width of edges and lines at 256 px, in pixels",
    "borders": "share of the picture that is frame, in percent",
    "colorfulness": "colorfulness after Hasler and Süsstrunk, in levels",
    "colors": "perceptual hash of the picture; look-alikes differ in few bits",
    "family": "number of the post that this one is a variant of, or its own",
    "file_md5": "MD5 of the file that was fetched, where none is published",
    "file_sha256": "SHA-256 of that file",
    "gray": "mean difference between a pixel's largest and smallest channel, in levels; 0 is gray",
    "group": "smallest family of all that looks alike; a group is in one split",
    "height": "height of the original, in pixels",
    "id": "number of the post; the key of the sample is the same number",
    "license": "what the source says of the license, or `unknown`",
    "lines": "perceptual hash of the lines, the same in other colors",
    "md5": "MD5 of the original",
    "monochrome": "color that lightness does not decide, in CIELAB units",
    "pixel_hash": "MD5 of the original's pixels, as the site tells it",
    "pixels": "hash of the pixels of `color.png`, equal for duplicates",
    "rating": ", ".join(f"`{letter}` {name}" for letter, name in RATINGS.items()),
    "saturation": "mean saturation, in percent",
    "score": "votes of the site's users",
    "source": "where the picture was published, as the site tells it",
    "split": "`train`, `val` or `test`",
    "text": "share of the picture that rows of letters cover, in percent",
    "tags": "all tags, those of artists too, sorted",
    "width": "width of the original, in pixels",
}


def card(census: Census, history: Mapping[str, dict], params: Mapping[str, dict]) -> str:
    """Write the card of a dataset that has samples.

    `history` maps stages to their metrics; those of pack may tell the number of `groups`, how many pairs of
    look-alikes would be `torn` apart without groups, by kind, and how many are apart all the same, `leaks`.
    `params` maps sections of params.yaml to their fields. What is not known is left out.
    """
    parts = [
        header(census),
        about(census, params),
        made(census, history, params),
        divided(census, history.get("pack", {})),
        contained(census, params),
        pictured(census, params),
        loading(census),
        CHECKING,
        limits(census, own=is_own(census, params)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


# ---------------------------------------------------------------- what it is


def header(census: Census) -> str:
    """Write what the Hub reads: where the splits are, the license, and by what the dataset is found."""
    files = [{"split": SPLITS[name], "path": f"{name}-*.tar"} for name in census.present]
    adult = ["not-for-all-audiences"] if census.ratings["q"] or census.ratings["e"] else []
    told = {
        "pretty_name": "Sketch colorization pairs",
        "license": license_of(census),
        "task_categories": ["image-to-image"],
        "size_categories": [size_of(len(census))],
        "tags": ["webdataset", "colorization", "sketch", "line-art", "illustration", *adult],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{dump(told)}---"


def license_of(census: Census) -> str:
    """Return the Hub's name of the license that all samples share, or else "other"."""
    names = {seen(name).lower().replace(" ", "-") for name in census.licenses}
    return names.pop() if len(names) == 1 and names <= LICENSES else "other"


def size_of(count: int) -> str:
    """Return the Hub's name of a number of samples."""
    digits = len(str(count))
    return "n<1K" if digits < 4 else f"{SIZES[digits - 4]}<n<{SIZES[digits - 3]}"


def about(census: Census, params: Mapping[str, dict]) -> str:
    """Say what the dataset is."""
    side = params.get("clean", {}).get("side")
    size = f" of {side} x {side} pixels" if side else ""
    columns = ", ".join(f"`{name}`" for name in census.columns)
    source = f" The originals come from {place(params)}." if place(params) else ""
    return f"""
# Sketch colorization pairs

{len(census):,} illustrations{size} to train and judge networks that color sketches.{source}
Each sample holds {len(census.columns)} pictures of one size: {columns}.
inkwash made them, and makes the same bytes again of the same originals by the parameters below."""


def place(params: Mapping[str, dict]) -> str:
    """Say where the originals come from, but name no path and no machine; "" if it is not known."""
    host = str(params.get("search", {}).get("host", ""))
    kind = host.partition(":")[0]
    if kind in ("http", "https"):
        return f"`{host_of(host)}`" if host_of(host) else "a site without a public name"
    return PLACES.get(kind, "a folder of pictures") if host else ""


def is_own(census: Census, params: Mapping[str, dict]) -> bool:
    """Tell whether inkwash drew the pictures itself."""
    return params.get("search", {}).get("host") == "sample" and set(census.hosts) <= {""}


# ---------------------------------------------------------------- how it was made

Step = tuple[int, int, dict[str, int]]  # in, out, left out by reason


def made(census: Census, history: Mapping[str, dict], params: Mapping[str, dict]) -> str:
    """Tell how many samples each stage took, why others went, and by which parameters."""
    steps = walk(census, history)
    rows = [
        (name.replace("-", " ", 1), *step[:2], listing(step[2]) or "none") for name, step in steps.items()
    ]
    text = [table(("stage", "in", "out", "left out, by reason"), rows), *gaps(steps), *bounds(steps, params)]
    if len(steps) == 1:
        text = ["The counts of the stages before were not at hand."]
    if settings := told(params):
        text += ["The parameters that decided it:", fenced("yaml", dump(settings))]
    return "\n\n".join(["## How it was made", *text])


def walk(census: Census, history: Mapping[str, dict]) -> dict[str, Step]:
    """Read what came into each stage from search to pack, what went out, and what was left out."""
    steps = {}
    for name, metrics in history.items():
        if name == "search":
            skipped = metrics["skipped"]
            steps[name] = metrics["posts"] + sum(skipped.values()), metrics["posts"], skipped
        elif name != "pack":
            steps[name] = metrics["taken"], metrics["written"], metrics["rejected"]
    return steps | {"pack": (len(census), len(census), {})}


def gaps(steps: Mapping[str, Step]) -> list[str]:
    """Say where a stage took another number than the one before it gave."""
    before = {"search": "", "fetch": "search", "clean": "fetch"}
    pairs = [(before.get(name, "clean"), name) for name in steps]
    return [
        f"**{one} gave {steps[one][1]:,}, but {two} took {steps[two][0]:,}: not all is of one run.**"
        for one, two in pairs
        if one in steps and steps[one][1] != steps[two][0]
    ]


def bounds(steps: Mapping[str, Step], params: Mapping[str, dict]) -> list[str]:
    """Say whether there may have been more to find."""
    search = params.get("search", {})
    if "search" in steps and (search.get("sample") or steps["search"][1] == search.get("limit")):
        return ["The search kept as many as it was asked for; what else would have matched is not counted."]
    return []


def told(params: Mapping[str, dict]) -> dict[str, dict]:
    """Return the parameters that decided the data, but no path, machine, or name of what had to go."""
    shown = {name: cleared(params[name]) for name in SECTIONS if name in params}
    host = shown.get("search", {}).get("host", "sample")
    if host != "sample":
        kind = host.partition(":")[0]
        kind = f"{kind}:" if kind in ("http", "https", *PLACES) else ""
        shown["search"]["host"] = f"{kind}//{host_of(host)}" if host_of(host) else kind + HIDDEN
    return shown


def cleared(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of parameters without what is private in it."""
    kept = dict(section)
    for name, value in section.items():
        if isinstance(value, dict):
            kept[name] = cleared(value)
        elif isinstance(value, str):
            kept[name] = HIDDEN if value and name in ("forget", "weights") else seen(value)
    return kept


# ---------------------------------------------------------------- what is in it


def divided(census: Census, metrics: Mapping[str, Any]) -> str:
    """Tell the splits, and what keeps look-alikes in one of them."""
    rows = [
        (f"`{name}`", census.splits[name], f"{census.splits[name] / len(census):.1%}", f"`{name}-*.tar`")
        for name in census.present
    ]
    text = ["## Splits", table(("split", "samples", "share", "shards"), rows)]
    if "groups" in metrics:
        groups, torn, leaks = (f"{metrics[name]:,}" for name in ("groups", "torn", "leaks"))
        text += [
            f"The pictures form {groups} groups: families, and all that looks alike or has the same lines. A "
            "hash of its name draws the split of a whole group. Linked pairs by kind: "
            f"{listing(metrics['linked'])}. Drawn one by one, {torn} of them would be in two splits; drawn "
            f"by groups, {leaks} are."
        ]
    return "\n\n".join(text)


def contained(census: Census, params: Mapping[str, dict]) -> str:
    """Say what each member of a sample is, and each field of its JSON."""
    columns = [name for name in census.columns if name in census.facts]
    pictures = [(f"`KEY.{name}.png`", meaning(name, params)) for name in census.columns]
    facts = [(code(name), explained(name, census)) for name in sorted(census.facts) if name not in columns]
    if columns:
        facts += [
            (", ".join(map(code, columns)), "how that picture was made, and what was drawn for it by chance")
        ]
    return f"""
## What is in a sample

A sample is a group of files with one key, side by side in a shard:

{table(("file", "what it is"), [*pictures, ("`KEY.json`", "what is known of it, see below")])}

{table(("field of the JSON", "what it tells"), facts)}"""


def meaning(column: str, params: Mapping[str, dict]) -> str:
    """Say what the picture of a column is."""
    kind, _, name = column.partition("-")
    if kind == "cue":
        cue = params.get("cue", {})
        drop = f"; left out of {cue['drop']:.0%} of the samples, by chance" if cue.get("drop") else ""
        return CUES.get(cue.get("method"), "what tells its colors") + drop
    if kind == "sketch":
        sketch = params.get("sketches", {}).get(name, {})
        how = sketch.get("method", "") if sketch.get("preset", "none") == "none" else sketch["preset"]
        drawn = f", drawn by {code(how)}" if how else ""
        return "the gray sketch that came with it" if how == "own" else f"a gray sketch of it{drawn}"
    if kind == "reference":
        kin = " or another of its family" * (params.get("reference", {}).get("subject") == "family")
        return f"the illustration{kin}, bent by a thin-plate spline and tinted: its colors in other places"
    return "the illustration, cropped and resized" if kind == "color" else "another picture of it"


def explained(name: str, census: Census) -> str:
    """Say what a field of the JSON tells, and of how many samples if not of all."""
    count = census.facts[name]
    few = f" ({count:,} of {len(census):,} samples have it)" if count < len(census) else ""
    if found := re.fullmatch(r"complexity(\d+)", name):
        return f"share of black in the threshold sketch at 256 px and blocksize {found[1]}, in percent{few}"
    return FACTS.get(name, "told by the source") + few


def pictured(census: Census, params: Mapping[str, dict]) -> str:
    """Tell ratings, tags, artists, licenses and where the originals were published."""
    ratings = Counter({RATINGS.get(letter, letter): count for letter, count in census.ratings.items()})
    lines = [f"**Ratings**: {listing(ratings)}", f"**Tags**: {leading(census.tags, 30)}"]
    lines += [f"**Artists**: {leading(census.artists, 15)}"]
    if not is_own(census, params):
        lines += [f"**Licenses** told by the sources: {listing(census.licenses, 15)}"]
        lines += [f"**Hosts** of the addresses in `source`: {leading(census.hosts, 15)}"]
    return "\n".join(["## What is pictured", "", *(f"- {line}" for line in lines)])


def leading(counts: Counter[str], most: int) -> str:
    """Say how many names there are, and which are told most often."""
    names = len(counts.keys() - {""})
    which = "most often" if len(counts) > most else "namely"
    return f"{names:,}, {which} {listing(counts, most)}" if names else "none told"
