"""Posts and their files: a search writes posts.jsonl, a fetch writes the files to shards.

search.py     posts of a site, or of another source (see the room local) -> posts.jsonl
danbooru.py   the API of a Danbooru
query.py      its search language
selection.py  which posts to take
posts.py      the fields of a post, and posts.jsonl
fetch.py      posts.jsonl -> shards
samples.py    a post and its files -> a sample
checks.py     which file of a post to take, and whether it is the right one and whole
store.py      files in a folder, and files in the cache
download.py   the download of one file
resume.py     what is kept of a download that was interrupted
plan.py       an estimate of requests, bytes and time
"""
