"""A post and its files -> a sample."""

from pathlib import Path

from pipeline.errors import BadImage
from pipeline.files import PICTURE_SUFFIXES, dumps
from pipeline.images import codec, png
from pipeline.shards.metadata import Metadata
from pipeline.shards.tar import StagedSample
from pipeline.sources.checks import FileRejected, WantedFile, choose_file
from pipeline.sources.posts import Post, post_key, tags_of
from pipeline.sources.store import Files, StoredFile


def make_sample(files: Files, post: Post) -> StagedSample | FileRejected:
    """Fetch the files of a post and make its sample, or return why not. Raise Halt."""
    try:
        file = choose_file(post, files.params)
        stored = files.obtain(file)
        members: dict[str, bytes | Path] = {picture_type(file, stored.path): stored.path}
        if post.get("sketch_half"):
            members = split_halves(stored.path)
        elif sketch := post.get("sketch_url"):
            wanted = WantedFile(sketch, "")
            path = files.obtain(wanted).path
            members[f"sketch.{picture_type(wanted, path)}"] = path
        return StagedSample(post_key(post), members | {"json": dumps(post_metadata(post, stored))})
    except FileRejected as reject:
        return FileRejected(reject.reason, reject.detail)  # without the traceback, which would hold memory


def picture_type(file: WantedFile, path: Path) -> str:
    """Return the type of a picture: as published with its md5, else by its bytes. Raise FileRejected."""
    if file.md5 and file.ext:
        return file.ext
    kind = codec.identify_file(path)
    if kind not in PICTURE_SUFFIXES:
        raise FileRejected("wrong type", f"a {kind} file" if kind else "no picture")
    return kind


def post_metadata(post: Post, stored: StoredFile) -> Metadata:
    """Return the JSON member of a sample; the id of the parent names the family."""
    metadata: Metadata = {
        "id": post["id"],
        "family": post.get("parent_id") or post["id"],
        "rating": post.get("rating", "unknown"),
        "source": post.get("source", ""),
        "artist": post.get("tag_string_artist", ""),
        "license": post.get("license", "unknown"),
        "tags": sorted(tags_of(post)),
        "md5": post.get("md5") or stored.md5,
    }
    if "score" in post:
        metadata["score"] = post["score"]
    if "pixel_hash" in post:
        metadata["pixel_hash"] = post["pixel_hash"]
    if stored.sha256:
        metadata["file_md5"], metadata["file_sha256"] = stored.md5, stored.sha256
    return metadata


def split_halves(path: Path) -> dict[str, bytes | Path]:
    """Cut a picture into color, on the left, and sketch. Raise FileRejected if it cannot be decoded."""
    try:
        image = codec.decode(path.read_bytes())
    except BadImage as error:
        raise FileRejected("wrong type", str(error)) from error
    middle = image.shape[1] // 2
    return {"png": png.encode_png(image[:, :middle]), "sketch.png": png.encode_png(image[:, -middle:])}
