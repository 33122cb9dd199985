"""The colorizers by name, one module each.

A module tells what it reads (COLUMNS) and how it was published (WIDTH, CLIP: the largest norm of gradients,
REFERENCE: how references are bent, VGG: whose features are compared). It offers `networks`, `multiple` (of
what sides must be), `optimizers` and `pace` (their learning rate), `inputs` (what of a batch the generator
takes), `shown` (the picture in what it returns), `goal` (the picture that it should be), and the two losses,
which return weighted maps by name: the sum of their means is what is minimized.
"""

from pipeline.systems import liu, mask, nerk, pix2pix, scft

SYSTEMS = {"pix2pix": pix2pix, "nerk": nerk, "liu": liu, "scft": scft, "mask": mask}
