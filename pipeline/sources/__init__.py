"""Posts and their files: a Danbooru, folders, dumps, lists, paired sets."""
