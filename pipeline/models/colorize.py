"""Sketches of any size and a guide to their colors -> colored pictures, with a trained model."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline import errors
from pipeline.codehash import code_hashes
from pipeline.errors import Halt
from pipeline.files import dumps, hash_file
from pipeline.images import codec, png
from pipeline.images.pixels import resize
from pipeline.models.guides import read_guide
from pipeline.models.network import Network, open_network
from pipeline.models.tiles import check_tile, colorize_picture
from pipeline.operators import cue as cues
from pipeline.run.step import Output
from pipeline.shards import loose
from pipeline.shards.tar import Sample

WHITE_SHARE = 0.7  # of a cue, from which it may be strokes on white paper
HUE_SPREAD = 15  # sum of the deviations of two channel differences, in levels: sketches have less


@dataclass(frozen=True)
class Colorizer:
    """A model as a step over samples, for `process.run_step`.

    `guide` is uint8 RGB of any size, fitted to each sketch. As a cue, its colors are blurred as in training,
    and diffused from where `alpha` (H, W) is opaque; a model trained on hints gets them as they are. As a
    mask, it says to color where it is opaque and not black. None is a white cue, or a mask of ones; a
    reference is required. With a `tile`, larger pictures are colored in tiles of that many pixels a side,
    see `tiles.infer_tiled`. With `guides`, the guide of each sketch is the picture under its key. `kind` is
    cue, reference or mask: what the guide is; none if there is no guide, and the model takes several.
    """

    network: Network
    kind: str
    guide: np.ndarray | None = None
    alpha: np.ndarray | None = None
    tile: int = 0
    guides: dict[str, Path] | None = None

    def __call__(self, sample: Sample) -> Output:
        """Color the picture of a sample: a sketch, or a gray one. Raise BadImage, or Halt without a guide."""
        image = codec.decode(sample.picture)
        colorizer = self if self.guides is None else self.with_guide_of(sample.key)
        colored = colorize_picture(self.network, colorizer.given(image), self.tile)
        return Output(Sample(sample.key, {"png": png.encode_png(colored)}))

    def with_guide_of(self, key: str) -> "Colorizer":
        """Take the guide of one sample. Raise Halt if there is none."""
        assert self.guides is not None
        if key not in self.guides:
            raise Halt(f"{key} has no guide: give the folder of guides a picture of this name")
        return with_guide(self, self.guides[key])

    def given(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of `tiles.colorize_picture`: the picture in gray, and the guide fitted to it."""
        height, width = image.shape[:2]
        given = {"sketch": cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)}
        if self.kind == "none":
            return given
        if self.kind == "mask":
            gray = np.repeat(given["sketch"][..., None], 3, axis=2)
            return given | {"color": gray, "mask": self.area(height, width)}
        if self.kind == "reference":
            if self.guide is None:
                raise ValueError("reference must be a picture, got None")
            if len(self.network.guides) > 1:
                return given | {"reference": resize(self.guide, width, height)}
            scale = min(1, self.tile / max(height, width)) if self.tile else 1  # as large as a tile
            size = max(1, round(width * scale)), max(1, round(height * scale))
            return given | {"reference": resize(self.guide, *size)}
        return given | {"cue": self.fitted(height, width)}

    def fitted(self, height: int, width: int) -> np.ndarray:
        """Make the cue for a sketch."""
        if self.guide is None:
            return np.full((height, width, 3), 255, np.uint8)
        trained = cues.params_from_metadata(self.network.config["columns"].get("cue", {}))
        if trained.method in cues.HINT_METHODS:
            return cv2.resize(self.guide, (width, height), interpolation=cv2.INTER_NEAREST)
        colors = resize(self.guide, width, height)
        if trained.method == "gaussian" and self.alpha is not None and self.alpha.min() < 255:
            return cues.diffuse_hints(colors, resize(self.alpha, width, height), trained.sigma)
        return cues.draw_cue(colors, trained)

    def area(self, height: int, width: int) -> np.ndarray:
        """Make the mask for a picture: 255 where the guide is not black."""
        if self.guide is None:
            return np.full((height, width), 255, np.uint8)
        lit = cv2.cvtColor(self.guide, cv2.COLOR_RGB2GRAY)
        lit = lit if self.alpha is None else cv2.min(lit, self.alpha)
        fitted = cv2.resize(lit, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.where(fitted >= 128, np.uint8(255), np.uint8(0))

    def fingerprint(self) -> str:
        guides = [each for each in (self.guide, self.alpha) if each is not None]
        pixels: list[tuple] = [(each.shape, hashlib.sha256(each.tobytes()).hexdigest()) for each in guides]
        for key, path in (self.guides or {}).items():
            pixels.append((key, hash_file(path)))
        network = self.network
        code = code_hashes(__name__, f"pipeline.systems.{network.config['system']}")
        what = [network.config, network.weights, network.engine, self.kind, self.tile, pixels, code]
        return hashlib.sha256(dumps(what)).hexdigest()


def load_colorizer(model: Path, given: dict[str, Path], device: str = "cpu", tile: int = 0) -> Colorizer:
    """Load a model and the picture of its guide: cue, reference or mask, named in `given`.

    Raise Halt if one cannot be used, ValueError if a tile is too small for the system.
    """
    network = open_network(model, device)
    check_tile(network, tile)
    kinds = ["mask" if guide == "gray" else guide for guide in network.guides]
    kind = next(iter(given), kinds[0] if len(kinds) == 1 else "none")
    plain = Colorizer(network, kind, tile=tile)
    for name in given:
        if name not in kinds:
            raise Halt(f"{model} colors by a {kinds[0]}, not by a {name}: name a picture with --{kinds[0]}")
    if not given:
        if kind == "reference":
            raise Halt(f"{model} colors by a reference: name a picture with --reference")
        return plain
    if kind == "cue" and network.config["columns"].get("cue", {}).get("method") == "none":
        raise Halt(f"{model} was trained without cues: leave --cue out, or train with another cue.method")
    if given[kind].is_dir():
        return replace(plain, guides=loose.find_pictures(given[kind]))
    return with_guide(plain, given[kind])


def with_guide(colorizer: Colorizer, path: Path) -> Colorizer:
    """Give a colorizer the picture of its guide. Raise Halt if it cannot be read."""
    layer = read_guide(path)
    return replace(colorizer, guide=codec.on_white(layer), alpha=layer[..., 3])


def find_doubts(colorizer: Colorizer, samples: Iterable[Sample]) -> list[str]:
    """Say, in a sentence each, which of the given things are not what the model has learned to use."""
    doubts = doubt_guide(colorizer)
    if not is_mask(colorizer):
        for sample in samples:
            try:
                image = codec.decode(sample.picture)
            except errors.BadImage:
                continue
            if is_colored(image):
                doubts.append(f"{sample.key} has colors: make a sketch of it first, by prep sketchify")
            elif image.mean() < 128:
                doubts.append(f"{sample.key} is dark: lines must be black on white, so invert it")
    return doubts


def doubt_guide(colorizer: Colorizer) -> list[str]:
    """Say what the model cannot do with its guide, if that is a cue."""
    cue, guide, alpha = colorizer.network.config["columns"].get("cue"), colorizer.guide, colorizer.alpha
    if colorizer.network.guides != ("cue",) or not cue or cue["method"] == "none":
        return []
    if guide is None:
        unseen = colorizer.guides is None and not cue.get("drop")
        return ["the model has seen no sample without a cue: name one by --cue"] if unseen else []
    if alpha is not None and alpha.min() < 255:
        return []
    if cue["method"] == "gaussian" and is_striped(guide):
        return ["the cue is a palette, but the model has learned blurs: name a picture, or strokes"]
    if (guide == 255).all(axis=2).mean() > WHITE_SHARE:
        return ["most of the cue is white: if it has strokes, save them on a transparent background"]
    return []


def is_mask(colorizer: Colorizer) -> bool:
    """Return whether the model colors gray pictures, not sketches."""
    return colorizer.kind == "mask"


def is_colored(image: np.ndarray) -> bool:
    """Return whether an RGB picture has several hues; paper or ink of one tint is not enough."""
    red, green, blue = np.moveaxis(image.astype(np.int16), 2, 0)
    return float((red - green).std() + (green - blue).std()) > HUE_SPREAD


def is_striped(image: np.ndarray) -> bool:
    """Return whether all rows or all columns of a picture are equal, but not all of its pixels."""
    rows, columns = (image == image[:1]).all(), (image == image[:, :1]).all()
    return bool(rows != columns)
