"""The loopback site of these tests."""

import pytest
from loopback import ACCOUNTS, POSTS, read

from pipeline.booru.catalog import Catalog
from pipeline.booru.site import serve


@pytest.fixture(scope="session")
def site():
    """Serve 250 posts."""
    with serve(Catalog(POSTS, read), accounts=ACCOUNTS) as address:
        yield address
