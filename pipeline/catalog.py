"""What a Danbooru-compatible site holds: posts, as dicts with Danbooru's field names, and their files.

`folder` makes a catalog of the pictures below a folder, `sample` draws one: the embedded sample.
"""

import hashlib
import io
import json
import operator
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from random import Random

import cv2
import numpy as np
import PIL
from PIL import Image

from pipeline import Halt, artist
from pipeline.artist.choices import BACKDROP, CLOTH, EYES, HAIR
from pipeline.files import dumps, write
from pipeline.images import ORIENTATION, BadImage, decode, measure, resize
from pipeline.imports import code
from pipeline.query import CATEGORIES
from pipeline.samples import Loose, parts
from pipeline.workers import spread

USUAL = {
    "rating": "g", "score": 0, "source": "", "image_width": 0, "image_height": 0, "parent_id": None,
    "has_children": False, "is_deleted": False, "is_banned": False, "media_asset": {"pixel_hash": None},
    **{f"tag_string_{category}": "" for category in CATEGORIES},
}  # fmt: skip


@dataclass(frozen=True)
class Catalog:
    """What a site holds: its posts, sorted by id, and how to read the file of one.

    Posts that are added later are found by searches and by id; by MD5 and in the counts of tags only as long
    as nobody asked for those.
    """

    posts: list[dict]
    read: Callable[[dict], bytes]

    @cached_property
    def by_md5(self) -> dict[str, list[dict]]:
        """Return the posts with each MD5."""
        found = defaultdict(list)
        for post in self.posts:
            found[post["md5"]].append(post)
        return dict(found)

    @cached_property
    def tags(self) -> Counter[tuple[str, str]]:
        """Count the posts with each tag, as (tag, category)."""
        names = {category: f"tag_string_{category}" for category in CATEGORIES}
        return Counter(
            (tag, category)
            for post in self.posts
            for category, name in names.items()
            for tag in post[name].split()
        )


def describe(number: int, data: bytes, ext: str, **fields) -> dict:
    """Make the post with id `number` from its file; `fields` replace the usual values."""
    uploaded = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    post = {"id": number, "created_at": uploaded.isoformat("T", "milliseconds")} | USUAL | fields
    post |= {"md5": hashlib.md5(data).hexdigest(), "file_size": len(data), "file_ext": ext}
    tags = " ".join(post[f"tag_string_{category}"] for category in CATEGORIES).split()
    return post | {"tag_string": " ".join(sorted(tags))}


def folder(path: Path) -> Catalog:
    """Make a post of every picture below a folder; see `pictures`. Raise Halt."""
    files, posts = {}, []
    for file, post in pictures(path):
        files[post["id"]] = file
        posts.append(post)
    return Catalog(sorted(posts, key=operator.itemgetter("id")), lambda post: files[post["id"]].read_bytes())


def pictures(path: Path) -> Iterator[tuple[Path, dict]]:
    """Yield every picture below a folder and its post, numbered from 1 in the order of their names.

    NAME.json beside a picture replaces its fields, except md5, file_size and file_ext, which are the file's.
    Raise Halt if there are no pictures, or if two posts have one id.
    """
    listed, files = batches(path), {}
    for number, file in enumerate((file for batch in listed for file in batch.paths), 1):
        post = read_post(number, file, listed[0].root)
        twin = files.setdefault(post["id"], file)
        if twin is not file:
            raise Halt(f"{twin} and {file} both have the id {post['id']}: change it in a JSON file")
        yield file, post


def batches(path: Path) -> list[Loose]:
    """List the pictures below a folder in the order of their names. Raise Halt if there are none."""
    units = parts(path)
    if not isinstance(units[0], Loose):
        raise Halt(f"{path} holds shards: name a folder of pictures")
    return units


def read_post(number: int, path: Path, root: Path) -> dict:
    """Describe a picture file: its name begins with the artist, and the source is its place in `root`."""
    data = path.read_bytes()
    try:
        width, height = measure(data)
    except BadImage:
        width, height = 0, 0
    name = re.sub(r"(_[^_]*|\d+)$", "", path.stem)
    fields = {
        "id": number,
        "image_width": width,
        "image_height": height,
        "source": path.relative_to(root).as_posix(),
        "tag_string_artist": re.sub(r"[\s_]+", "_", name.lower()).strip("_"),
    } | read_facts(path.with_suffix(".json"))
    return describe(fields.pop("id"), data, path.suffix[1:].lower().replace("jpeg", "jpg"), **fields)


def read_facts(path: Path) -> dict:
    """Read a JSON file of Danbooru's fields, if there is one. Raise Halt if it holds anything else."""
    try:
        facts = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not isinstance(facts.get("id", 0), int):
        raise Halt(f"{path} does not hold the fields of a post: repair it or remove it")
    return {name: value for name, value in facts.items() if value is not None}


# ---------------------------------------------------------------- the embedded sample

COUNT = 480
KINDS = {  # of posts, in percent
    "plain": 64, "variant": 12, "gray": 4, "complex": 4, "broken": 3, "duplicate": 3, "small": 2, "banner": 2,
    "transparent": 3, "turned": 3,
}  # fmt: skip
TYPES = {"png": 70, "jpg": 20, "webp": 10}
SAVING = {"png": {}, "jpg": {"quality": 92, "subsampling": 0}, "webp": {"quality": 90, "method": 2}}
COLORS = tuple(f"{name}_" for name in HAIR | EYES | CLOTH | BACKDROP)


def sample(
    home: Path,
    count: int = COUNT,
    workers: int = os.cpu_count() or 1,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Catalog:
    """Draw the posts 1 to `count` of the embedded sample, or find them in the folder `home`.

    A post depends on its id alone, so a larger sample begins with the smaller one. A picture's JSON file is
    written after it, so a start that was killed goes on where it stopped. After each picture that is drawn
    `tick` gets how many there are and `count`.
    """
    home = home / fingerprint()
    facts = [home / f"{number:06d}.json" for number in range(1, count + 1)]
    missing = [number for number, path in enumerate(facts, 1) if not path.is_file()]
    for done, _ in enumerate(spread(partial(draw_post, home), missing, workers), count - len(missing) + 1):
        tick(done, count)
    posts = [json.loads(path.read_bytes()) for path in facts]
    return Catalog(posts, lambda post: picture_path(home, post).read_bytes())


def fingerprint() -> str:
    """Return what changes with the code and the libraries that decide a pixel."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()  # but not all that it imports to serve
    made = [own, *code("pipeline.artist", "pipeline.images")]
    return hashlib.sha256(dumps([made, np.__version__, cv2.__version__, PIL.__version__])).hexdigest()[:16]


def picture_path(home: Path, post: dict) -> Path:
    """Return where the sample keeps the file of a post."""
    return home / f"{post['id']:06d}.{post['file_ext']}"


def draw_post(home: Path, number: int) -> None:
    """Draw one post of the sample into the folder `home`."""
    post, data = make(number)
    write(picture_path(home, post), data)
    write(home / f"{number:06d}.json", dumps(post))


def pick(number: int, purpose: str, weights: dict[str, int]) -> str:
    """Choose for a post, each choice independent of all others."""
    return Random(f"{purpose} {number}").choices(tuple(weights), tuple(weights.values()))[0]


def kind_of(number: int) -> str:
    """Return what sort of post has an id; the first is plain."""
    return "plain" if number == 1 else pick(number, "kind", KINDS)


def elder(number: int) -> int:
    """Return the nearest plain post before `number`."""
    return next(n for n in range(number - 1, 0, -1) if kind_of(n) == "plain")


def has_variant(number: int) -> bool:
    """Tell whether a variant stands between `number` and the next plain post, even after the sample's end."""
    kind = kind_of(number + 1)
    return kind == "variant" or (kind != "plain" and has_variant(number + 1))


def make(number: int) -> tuple[dict, bytes]:
    """Draw post `number`: its fields and its file."""
    kind = kind_of(number)
    if kind == "duplicate":
        return duplicate(number)
    owner = elder(number) if kind == "variant" else number
    sitter = artist.portrait(owner)
    if kind == "variant":
        sitter = artist.recolor(sitter, number)
    if kind == "complex":
        sitter = artist.complicate(sitter)
    image = develop(artist.draw(sitter), kind)
    ext = {"transparent": "png", "turned": "jpg"}.get(kind) or pick(number, "type", TYPES)
    data = save(image, kind, ext)
    if kind == "broken":
        data = mutilate(data, Random(f"damage {number}"))
    fields = {
        "image_width": image.shape[1],
        "image_height": image.shape[0],
        "parent_id": owner if owner != number else None,
        "has_children": kind == "plain" and has_variant(number),
        "source": f"inkwash, drawing {owner}",
        "media_asset": {"pixel_hash": pixel_hash(data)},
        "tag_string_artist": pick(owner, "artist", {"hatch": 4, "nib": 3, "gouache": 2, "sumi": 1}),
        "tag_string_copyright": "original",
        "tag_string_general": " ".join(see(sitter, kind)),
    }
    return describe(number, data, ext, **fields, **rate(number)), data


def duplicate(number: int) -> tuple[dict, bytes]:
    """Encode the pixels of an earlier post once more, of one that lies far enough away for another shard."""
    twin, data = make(elder(number // 2 + 1))
    data = save(decode(data), "duplicate", "png")
    own = {"id", "file_ext", "file_size", "md5", "created_at", "has_children", "tag_string"}
    fields = {name: value for name, value in twin.items() if name not in own}
    return describe(number, data, "png", **(fields | rate(number))), data


def develop(image: np.ndarray, kind: str) -> np.ndarray:
    """Take the color from a drawing, shrink it to 200 pixels or cut a banner out of it, as its kind asks."""
    height, width = image.shape[:2]
    if kind == "gray":
        return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if kind == "small":
        return resize(image, 200 * width // min(width, height), 200 * height // min(width, height))
    if kind == "banner":
        image = resize(image, 1024, 1024 * height // width)
        top = (len(image) - 400) // 3
        return image[top : top + 400]
    return image


def save(image: np.ndarray, kind: str, ext: str) -> bytes:
    """Encode a drawing as its kind asks: cut out in an oval, stored on its side, or packed harder."""
    picture, options = Image.fromarray(image), dict(SAVING[ext])
    if kind == "transparent":
        center = picture.width // 2, picture.height // 2
        oval = cv2.ellipse(
            np.zeros(image.shape[:2], np.uint8), center, center, 0, 0, 360, 255, -1, cv2.LINE_AA
        )
        picture.putalpha(Image.fromarray(oval))
    if kind == "turned":
        picture, options["exif"] = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
        options["exif"][ORIENTATION] = 6
    if kind == "duplicate":
        options["compress_level"] = 2
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg" if ext == "jpg" else ext, **options)
    return buffer.getvalue()


def mutilate(data: bytes, dice: Random) -> bytes:
    """Cut a file off, or replace it by noise."""
    return data[: len(data) * 6 // 10] if dice.random() < 0.6 else dice.randbytes(len(data))


def pixel_hash(data: bytes) -> str | None:
    """Return the MD5 of the decoded pixels, or nothing for a broken file."""
    try:
        return hashlib.md5(decode(data).tobytes()).hexdigest()
    except BadImage:
        return None


def see(sitter: artist.Portrait, kind: str) -> list[str]:
    """List the tags of a drawing; a gray one has no tags of color."""
    tags = artist.tags(sitter)
    if kind == "gray":
        return sorted([tag for tag in tags if not tag.startswith(COLORS)] + ["greyscale", "monochrome"])
    return tags


def rate(number: int) -> dict:
    """Say what the site's people think of a post."""
    dice = Random(f"opinion {number}")
    return {
        "rating": "g" if dice.random() < 0.85 else "s",
        "score": int(201 * dice.random() ** 2),
        "is_deleted": dice.random() < 0.02,
        "is_banned": dice.random() < 0.01,
    }
