"""The artist of the embedded sample: it draws a cartoon portrait from a number, and tags what it drew.

A Portrait holds everything that decides a picture, so equal portraits give equal bytes, and no line depends
on a color. Coordinates are in heads: the middle of the skull is (0, 0), the chin is near (0, 0.5), y grows
downward. The order of drawing is scene, hair behind, body, face, hair in front, hat, staff.

choices.py is the vocabulary, ink.py and motifs.py are the tools. The parts of the picture import these, and
picture.py imports the parts.
"""

from pipeline.booru.artist.picture import draw
from pipeline.booru.artist.sitter import SIDE, Portrait, complicate, portrait, recolor, tags

__all__ = ["SIDE", "Portrait", "complicate", "draw", "portrait", "recolor", "tags"]
