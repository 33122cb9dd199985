"""The artist of the embedded sample: it draws a cartoon portrait from a number, and tags it.

A Portrait holds everything that decides a picture, so equal portraits give equal bytes, and no line depends
on a color. Coordinates are in heads: the middle of the skull is (0, 0), the chin is near (0, 0.5), y grows
downward. picture.py draws scene, hair behind, body, face, hair in front, hat and staff, in this order.
sitter.py and choices.py decide the picture; ink.py, paths.py and colors.py are the tools.
"""

from pipeline.booru.artist.picture import draw
from pipeline.booru.artist.sitter import SIDE, Portrait, complicate, portrait, recolor, tags

__all__ = ["SIDE", "Portrait", "complicate", "draw", "portrait", "recolor", "tags"]
