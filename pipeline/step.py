"""A picture function lifted to samples: what decides the bytes of a new column."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from pipeline.files import dumps
from pipeline.images import encode
from pipeline.imports import code
from pipeline.tars import Sample

# a release of one may change a pixel
LIBRARIES = ("numpy", "opencv-python-headless", "pillow", "scikit-image", "torch")


@dataclass(frozen=True)
class Step:
    """A picture function lifted to samples: (bytes, key, params) -> (pixels, facts).

    The facts become the JSON member; with `carry`, beside those that came with the sample. Those named in
    `tell` are also reported. The member `beside` (sketch or kin), where there is one, is the fourth argument
    of the function. What that returns third becomes the own sketch of the new sample.
    """

    function: Callable[..., tuple]
    params: Any
    carry: bool = False
    tell: tuple[str, ...] = ()
    beside: str = ""

    def __call__(self, sample: Sample) -> tuple[Sample, dict]:
        """Make the sample of the new column, and what is told of it. Raise BadImage."""
        others = [data for suffix, data in sample.members.items() if suffix.split(".")[0] == self.beside]
        image, facts, *drawn = self.function(sample.picture, sample.key, self.params, *others[:1])
        told = {name: facts[name] for name in self.tell}
        if self.carry:
            facts = sample.facts | facts
        members = dict(zip(("png", "sketch.png"), map(encode, (image, *drawn)), strict=False))
        return Sample(sample.key, members | {"json": dumps(facts)}), told

    def fingerprint(self) -> str:
        """Return what changes with the code, the parameters and the libraries that decide the result."""
        given = [self.function.__qualname__, asdict(self.params), self.carry, self.tell, self.beside]
        libraries = [version(name) for name in LIBRARIES]
        made = code(self.function.__module__, __name__)
        return hashlib.sha256(dumps([given, made, libraries])).hexdigest()
