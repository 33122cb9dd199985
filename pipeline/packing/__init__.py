"""Columns -> a packed dataset.

`columns.py` checks that columns belong together; `pack.py` joins them into shards by split. `groups.py` links
samples that look alike or are related, `hamming.py` finds near hashes for it, and `split.py` draws the split
of a group. `census.py` counts what is packed; `card.py` describes it in the dataset card, with the prose of
`card.md` and `card_text.py`.
"""
