"""A Danbooru on loopback, for the sample and for tests; no other room imports it."""
