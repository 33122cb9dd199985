"""The colorizers by name, one module each.

A module offers `networks`, `optimizers`, `inputs` (what of a batch the generator takes) and the two losses,
which return weighted maps by name: the sum of their means is what is minimized.
"""

from pipeline.systems import pix2pix

SYSTEMS = {"pix2pix": pix2pix}
