"""Posts and their files: a search writes posts.jsonl, a fetch writes the files to shards.

search.py: posts of a site (danbooru.py: its API; query.py: its search language; selection.py: which to take)
or of another source (see the room local).
fetch.py: shards of files (store.py: the cache; download.py: one file; resume.py: the rest of it; checks.py:
which file to take, and is it whole).
posts.py: the fields of a post, and posts.jsonl. plan.py: an estimate of requests, bytes and time.
"""
