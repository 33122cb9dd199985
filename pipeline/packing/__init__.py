"""Columns -> a packed dataset: groups, splits, shards, card."""
