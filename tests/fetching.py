"""A fetch of the posts that a search found, and what it wrote, for the tests of fetch."""

from rig import Clock

from pipeline.params import Fetch
from pipeline.shards.column import list_shards
from pipeline.sources import fetch
from pipeline.sources.store import Store
from pipeline.web.client import open_site


def fetch_found(host, folder, name="out", tick=lambda *_: None, threads=4, **terms):
    """Fetch the posts that `find` wrote to `folder`; return the report."""
    source, dest, cache = folder / "posts.jsonl", folder / name, folder / "cache"
    params = Fetch(**({"shard": 4} | terms))
    with open_site(host, clock=Clock()) as site:
        return fetch.fetch_files(Store(site, cache, params), source, dest, threads=threads, tick=tick)


def content(column):
    """Return the bytes of every finished file of a column by name."""
    return {path.name: path.read_bytes() for path in column.iterdir() if path.suffix != ".part"}


def read_samples(column):
    """Read the samples of a sealed column."""
    return [sample for shard in list_shards(column) for sample in shard]
