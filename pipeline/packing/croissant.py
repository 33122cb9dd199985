"""croissant.json: the files and fields of a packed dataset, for programs that read Croissant 1.1.

The format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. `samples` has a record for each
sample, from the table of scores; every column of pictures is a set of records that name key and split, too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.markdown import printable
from pipeline.packing.card import DATASET_NAME, license_of
from pipeline.packing.card_text import describe_dataset, is_own
from pipeline.packing.census import Census
from pipeline.packing.table import TEXT_FIELDS
from pipeline.shards.sums import SCORES_FILE

VERSION = "http://mlcommons.org/croissant/1.1"
MOST_CREATORS = 15  # artists, as many as the card names
TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
    "parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate",
    "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
} | {term: f"cr:{term}" for term in TERMS}


def croissant(
    census: Census, settings: Mapping[str, dict], sums: Mapping[str, str], scores: Sequence[str]
) -> dict[str, Any]:
    """Describe a dataset whose shards and table of `scores` have the SHA-256 `sums`, by name."""
    _title, _, what, members_of, *_ = describe_dataset(census, settings).splitlines()
    members = [f"{name}.png" for name in census.columns]
    shards = [name for name in sums if name.endswith(".tar")]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": DATASET_NAME,
        "description": f"{what} {members_of}",
        "license": license_of(census),
        "creator": creators(census, own=is_own(census, settings)),
        "distribution": [
            *(file_object(name, sha256) for name, sha256 in sums.items()),
            *(file_set(member, shards) for member in members),
        ],
        "recordSet": [sample_records(scores), *map(picture_records, members)],
    }


def creators(census: Census, own: bool) -> list[dict[str, str]]:
    """Name the artists of most pictures; or inkwash if none is known, or if the pictures are its `own`."""
    ranked = sorted((name for name in census.artists if name), key=lambda name: (-census.artists[name], name))
    people = [{"@type": "sc:Person", "name": printable(name)} for name in ranked[:MOST_CREATORS]]
    return people if people and not own else [{"@type": "sc:Organization", "name": "inkwash"}]


def file_object(name: str, sha256: str) -> dict[str, Any]:
    kind = "application/x-tar" if name.endswith(".tar") else "application/x-parquet"
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "encodingFormat": kind,
        "sha256": sha256,
    }


def file_set(member: str, shards: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": member,
        "name": member,
        "containedIn": [{"@id": shard} for shard in shards],
        "encodingFormat": "image/png",
        "includes": f"*.{member}",
    }


def sample_records(scores: Sequence[str]) -> dict[str, Any]:
    kinds = dict.fromkeys(("key", *TEXT_FIELDS), "sc:Text") | dict.fromkeys(scores, "sc:Float")
    fields = [
        field(f"samples/{name}", kind, {"fileObject": {"@id": SCORES_FILE}, "extract": {"column": name}})
        for name, kind in kinds.items()
    ]
    return {"@type": "cr:RecordSet", "@id": "samples", "key": {"@id": "samples/key"}, "field": fields}


def picture_records(member: str) -> dict[str, Any]:
    """Describe the pictures of a column, whose keys are in the names of their files."""
    name, files = member.removesuffix(".png"), {"fileSet": {"@id": member}}
    cut = {"transform": {"regex": rf"^(.+)\.{name}\.png$"}}
    key = field(f"{name}/key", "sc:Text", files | {"extract": {"fileProperty": "filename"}} | cut)
    key["references"] = {"field": {"@id": "samples/key"}}
    picture = field(f"{name}/picture", "sc:ImageObject", files | {"extract": {"fileProperty": "content"}})
    return {"@type": "cr:RecordSet", "@id": name, "key": {"@id": f"{name}/key"}, "field": [key, picture]}


def field(name: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, "source": source}
