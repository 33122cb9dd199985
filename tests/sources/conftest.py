"""A store of the files of a site with faults."""

from contextlib import ExitStack

import pytest
from downloads import POST
from rig import Clock, read

from pipeline.booru.catalog import Catalog
from pipeline.booru.faults import Faults
from pipeline.booru.site import serve
from pipeline.params import Fetch
from pipeline.sources.store import Store
from pipeline.web.client import open_site


@pytest.fixture
def opened(tmp_path, traffic):
    """Return a function that serves a catalog with some faults and opens a store of its files."""
    with ExitStack() as stack:

        def start(*rules, catalog=None, params=None, timeout=(5, 5)):
            catalog = catalog or Catalog([POST], read)
            host = stack.enter_context(serve(catalog, traffic, faults=Faults(list(rules))))
            site = stack.enter_context(open_site(host, clock=Clock()))
            site.timeout = timeout
            return Store(site, tmp_path / "cache", params or Fetch())

        yield start
