"""Posts: which to take, and the file that keeps them, one JSON object a line, sorted by id.

A post is a dict with Danbooru's field names. Whatever it comes from (a site, a dump, a folder, a list), here
it is chosen by the same rules, reduced to what later stages use, and written to the same form.
"""

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np

from pipeline import Halt, chance, query
from pipeline.files import dumps, sweep, whole
from pipeline.params import Search
from pipeline.query import CATEGORIES

TAGS = tuple(f"tag_string_{category}" for category in CATEGORIES)
OWN = (  # fields of a Danbooru
    "id", "md5", "rating", "score", "file_ext", "file_size", "image_width", "image_height", "parent_id",
    "source", "file_url", "is_banned", *TAGS,
)  # fmt: skip
FIELDS = (*OWN, "sha256", "license", "sketch_url", "sketch_half")  # the latter of other sources
VARIANTS = ("sample", "720x720")
LARGEST = 2**53  # the ids that JSON keeps

# ---------------------------------------------------------------- which to take


def compose(search: Search, level: str = "platinum") -> str:
    """Write a search in the site's language, for an account of a level. Raise ValueError if it is refused."""
    limit = query.LIMITS[level]
    if len(query.counted(search.tags)) > limit:
        hint = "what to exclude belongs into blacklist"
        raise ValueError(f"tags must be at most {limit} for the level {level} ({hint}), got {search.tags!r}")
    if any(word.startswith(("order:", "random:")) for word in search.tags.lower().split()):
        raise ValueError(f"tags must not ask for an order, got {search.tags!r}")
    return f"{search.tags} {terms(search)} {shape(search)}".strip()


def terms(search: Search) -> str:
    """Write down what a search asks of a post beside its tags and its shape."""
    days = f" date:{search.since}..{search.until}" if search.since or search.until else ""
    return f"status:active rating:{search.rating} score:>={search.score} filetype:{search.types}{days}"


def shape(search: Search) -> str:
    """Write down what a search asks of a picture's size; the site keeps ratios to two decimals."""
    narrow, wide = round(1 / search.ratio, 2), round(search.ratio, 2)
    return f"width:>={search.size} height:>={search.size} ratio:{narrow:g}..{wide:g}"


def matching(posts: Iterable[dict], search: Search) -> Iterator[dict]:
    """Yield the posts that a site would find; a post of unknown size has none that could be wrong."""
    fits = query.parse(f"{search.tags} {terms(search)}")
    in_shape = query.parse(shape(search))
    return (post for post in posts if fits(post) and (not post["image_width"] or in_shape(post)))


def choose(posts: Iterable[dict], search: Search, tally: Counter) -> Iterator[dict]:
    """Yield the posts that nothing speaks against; count the others by what does."""
    unwanted, forgotten = set(search.blacklist.split()), set(search.forget.split())
    for post in posts:
        tags = {tag for name in TAGS for tag in post.get(name, "").split()}
        if is_forgotten(post, forgotten):
            tally["forgotten"] += 1
        elif tags & unwanted:
            tally["blacklist"] += 1
        elif search.recipe == "tag2pix" and not is_tag2pix(post, tags):
            tally["recipe"] += 1
        else:
            yield post


def is_forgotten(post: dict, names: set[str]) -> bool:
    """Tell whether a post is among IDs and artist:NAME."""
    artists = {f"artist:{name}" for name in post.get("tag_string_artist", "").split()}
    return not {str(post["id"]), *artists}.isdisjoint(names)


SHADES = "aqua|black|blonde|blue|brown|gr[ae]y|green|orange|pink|purple|red|silver|white|yellow"
COLORED = {part: re.compile(rf"(dark_|light_)?({SHADES})_{part}") for part in ("hair", "eyes")}
NOT_TAG2PIX = {"comic", "photo", "photo_(medium)", "subtitled", "english", "english_text", "black_border"}
NOT_TAG2PIX |= {"multiple_views"}


def is_tag2pix(post: dict, tags: set[str]) -> bool:
    """Tell whether a post is one person of one hair and one eye color, alone on a plain ground.

    The selection of Kim et al., Tag2Pix (ICCV 2019): not both sides under 512 px, from 3:4 to 4:3.
    """
    width, height = post.get("image_width", 0), post.get("image_height", 0)
    return (
        max(width, height) >= 512
        and 3 * height <= 4 * width
        and 3 * width <= 4 * height
        and len(tags & {"1girl", "1boy"}) == 1
        and all(sum(map(bool, map(color.fullmatch, tags))) == 1 for color in COLORED.values())
        and "simple_background" in tags
        and not tags & NOT_TAG2PIX
    )


# ---------------------------------------------------------------- the file


def reduce(post: dict, host: str = "") -> dict:
    """Keep of a post what later stages use and is not empty; addresses lose their `host`, a port of today."""
    asset = post.get("media_asset") or {}
    kept = {name: post[name] for name in FIELDS if post.get(name) not in (None, "")}
    kept = {name: value for name, value in kept.items() if value is not False}  # which 0 equals
    variants = {
        variant["type"]: {name: variant[name] for name in ("url", "width", "height", "file_ext")}
        for variant in asset.get("variants") or ()
        if variant["type"] in VARIANTS
    }
    for part in (kept, *variants.values()):
        for name in {"file_url", "url"} & set(part):
            part[name] = re.sub(rf"^{re.escape(host)}(?=/)", "", part[name])
    extra = {"pixel_hash": asset.get("pixel_hash"), "variants": variants}
    return kept | {name: value for name, value in extra.items() if value}


def key_of(post: dict) -> str:
    """Return the key of a post's sample."""
    return f"{post['id']:09d}"


def write_posts(path: Path, posts: Iterable[dict], search: Search | None = None) -> int:
    """Write the newest `search.limit` posts, or `search.sample` of them at random, and return their number.

    They come in any order and number, and wait on disk to be sorted by id. Of posts with one id the first
    counts. Without posts nothing is written.
    """
    ids, ends = array("q"), array("Q", [0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path.parent) as spool:
        for post in posts:
            spool.write(dumps(post) + b"\n")
            ids.append(post["id"])
            ends.append(spool.tell())
        places = pick(ids, search)
        with whole(path) if len(places) else nullcontext() as file:
            for place in places:
                spool.seek(ends[place])
                file.write(spool.read(ends[place + 1] - ends[place]))
    sweep(path.parent, path.name)
    return len(places)


def pick(ids: array, search: Search | None) -> np.ndarray:
    """List the places of the ids to keep, by id; the draw depends on seed and id alone."""
    numbers, places = np.unique(np.array(ids, np.int64), return_index=True)
    if not search:
        return places
    numbers, places = numbers[-search.limit :], places[-search.limit :]
    if 0 < search.sample < len(numbers):
        draws = (chance.fraction(search.seed, "search", str(number)) for number in numbers)
        drawn = np.argsort(np.fromiter(draws, float, len(numbers)))[: search.sample]
        return places[np.sort(drawn)]
    return places


def read_posts(path: Path) -> Iterator[dict]:
    """Yield the posts of a file. Raise Halt if there is none, and for a line that is no post in its place."""
    last = -1
    with open_posts(path) as file:
        for number, line in enumerate(file, 1):
            try:
                post = json.loads(line)
                in_place = last < post["id"] < LARGEST and type(post["id"]) is int
            except (ValueError, KeyError, TypeError):
                in_place = False
            if not in_place:
                raise Halt(f"{path} line {number} is not the next post: run search again")
            last = post["id"]
            yield post


def count_posts(path: Path) -> int:
    """Count the posts of a file. Raise Halt if there is none."""
    with open_posts(path) as file:
        return sum(1 for _ in file)


def open_posts(path: Path):
    """Open a file of posts. Raise Halt if there is none."""
    if not path.is_file():
        raise Halt(f"{path} does not exist: run search first")
    return path.open("rb")
