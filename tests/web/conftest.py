"""Sites on loopback and elsewhere, with clocks that do not wait."""

from contextlib import ExitStack

import pytest
from rig import Clock, make_posts
from wire import API

from pipeline.web.client import open_site


@pytest.fixture
def elsewhere():
    """Return a function that opens a site off loopback, with a wire in place of the network."""

    with ExitStack() as stack:

        def start(wire, host=API, contact="me@example.org", **given):
            site = stack.enter_context(open_site(host, contact, clock=wire.clock or Clock(), **given))
            site.connections = wire
            return site

        yield start


@pytest.fixture
def loopback(serve):
    """Serve three posts and open the site, with a clock whose time passes only in `sleep`."""
    with serve(make_posts(3)) as host, open_site(host, clock=Clock()) as site:
        yield site
