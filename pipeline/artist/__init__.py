"""A small artist: draws cartoon portraits, each from a number, and says in tags what it drew.

A Portrait holds all that a picture is made of, so equal portraits give equal bytes and no line depends on
a color. Figures are drawn in heads: the middle of the skull is (0, 0), the chin is near (0, 0.5), y grows
downward. From back to front: scene, hair behind, body, face, hair in front, hat, staff.

`choices` are what a sitter is made of, `ink` and `motifs` what is drawn with; the parts of the picture know
of these and `picture` knows of the parts.
"""

from pipeline.artist.picture import draw
from pipeline.artist.sitter import SIDE, Portrait, complicate, portrait, recolor, tags

__all__ = ["SIDE", "Portrait", "complicate", "draw", "portrait", "recolor", "tags"]
