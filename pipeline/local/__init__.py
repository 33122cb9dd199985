"""Posts from this machine: folders of pictures, dumps and lists.

source.py: the source that a host names. folders.py: pictures, alone or with their sketches (sidecars.py: the
metadata beside them). dumps.py and lists.py: files of records (tables.py: their rows). records.py: the fields
of a record, checked (tags.py: its tags).
"""
