"""Addresses belong to domains."""

import pytest

from pipeline.web.responses import domain


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://cdn.donmai.us/a", "donmai.us"),
        ("https://donmai.us:8080", "donmai.us"),
        ("http://localhost:1", "localhost"),
        ("http://127.0.0.1:1", "127.0.0.1"),
        ("http://[::1]:1", "::1"),
    ],
)
def test_a_domain_is_the_end_of_a_name_or_an_address_of_numbers(url, name):
    assert domain(url) == name
