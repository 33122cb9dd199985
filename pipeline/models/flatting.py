"""Sketches and strokes -> flat color layers, without a network."""

import hashlib
from dataclasses import dataclass

from pipeline.codehash import code_hashes, library_versions
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.images import codec, png
from pipeline.images.pixels import grayscale
from pipeline.models.guides import Guides, fit_hints
from pipeline.operators.flats import fill_flats
from pipeline.run.step import Output
from pipeline.shards.tar import Sample


@dataclass(frozen=True)
class Flatter:
    """A step from sketches to their flats, for `process.run_step`; `gap` is that of `fill_flats`."""

    strokes: Guides
    gap: float | None = None

    def __call__(self, sample: Sample) -> Output:
        """Fill the regions of a sketch. Raise BadImage, or Halt if its strokes hide it."""
        sketch, strokes = grayscale(codec.decode(sample.picture)), self.strokes.of(sample.key)
        if strokes is None:
            raise Halt(f"{sample.key} has no strokes: give their folder a picture of this name")
        if strokes[..., 3].min() == 255:
            raise Halt(
                f"the strokes of {sample.key} cover everything: save them with a transparent background"
            )
        flats = fill_flats(sketch, fit_hints(strokes, *sketch.shape), self.gap)
        return Output(Sample(sample.key, {"png": png.encode_png(flats)}))

    def fingerprint(self) -> str:
        code, libraries = code_hashes(__name__), library_versions(__name__)
        return hashlib.sha256(dumps([self.strokes.fingerprint(), self.gap, code, libraries])).hexdigest()
