"""The site that serves the embedded sample.

stages/site.py imports this module by its name in a string. The code of the loopback site and its artist
therefore decides a search of the sample, but no other search.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.booru import sample, site
from stages.arguments import progress


@contextmanager
def serve_sample(cache: Path) -> Iterator[str]:
    """Draw the sample into `cache`, serve it on loopback, and yield its URL."""
    with progress("draw the sample") as tick:
        catalog = sample.sample_catalog(cache / "site", tick=tick)
    with site.serve(catalog) as url:
        yield url
