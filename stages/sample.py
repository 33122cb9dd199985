"""The site that serves the embedded sample.

stages/site.py imports this module by its name in a string. So the code of the loopback site and its artist
counts among what decides a search of the sample, and not among what decides a search of anything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.booru import sample, site
from stages.arguments import progress


@contextmanager
def serve_sample(cache: Path) -> Iterator[str]:
    """Serve the embedded sample on loopback and yield its address; the pictures are drawn into `cache`."""
    with progress("draw the sample") as tick:
        catalog = sample.sample_catalog(cache / "site", tick=tick)
    with site.serve(catalog) as url:
        yield url
