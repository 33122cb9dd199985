"""Drawings of any size and a guide to their colors -> colored pictures, with a trained model."""

import hashlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.codehash import code_hashes
from pipeline.errors import Halt
from pipeline.files import dumps
from pipeline.images import codec, png
from pipeline.models import lineart
from pipeline.models.guides import Guides, find_guides, fit_hints
from pipeline.models.lineart import CueBlur, Layer
from pipeline.models.network import Network, open_network
from pipeline.models.scans import level_paper
from pipeline.models.tiles import check_tile, colorize_picture
from pipeline.operators import cue as cues
from pipeline.operators.flats import GAP, OPAQUE, number_colors, spread_hints
from pipeline.params import Cue
from pipeline.run.step import Output
from pipeline.shards.tar import Sample

TRUSTED = (0.15, 0.3)  # share of a drawing that strokes reach: below, other regions are white; above, filled
MOST_TRUST = 0.7  # of the colors of neighbors: more, and a stroke changes too much beyond its region
FEWEST_COLORS = 3  # of strokes: with fewer, other regions are white
LINES = ("keep", "redraw")
KINDS = {"cue": "cue", "palette": "palette", "reference": "reference", "mask": "gray"}  # by option


@dataclass(frozen=True)
class Options:
    """How to color.

    `size` is the short side, in pixels, at which the network colors; 0 is what it learned. `lines` keeps the
    lines of the drawing, or takes them as the network redraws them. `gap` is that of `flats.fill_flats`.
    With `invert`, light lines on dark paper are made dark on light first. `tile` is that of
    `tiles.infer_tiled`. `strength` says how much of the network's colors lies over those of the strokes: at 0
    what no stroke reaches is white. Raise ValueError for another value.
    """

    size: int = 0
    lines: str = "keep"
    gap: float | None = None
    invert: bool = False
    tile: int = 0
    strength: float = 1

    def __post_init__(self) -> None:
        if self.lines not in LINES:
            raise ValueError(f"lines must be one of {', '.join(LINES)}, got {self.lines}")
        if self.size < 0 or not (self.gap or 0) >= 0:
            raise ValueError(f"size and gap must be 0 pixels or more, got {self.size} and {self.gap}")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be 0 to 1, got {self.strength}")


@dataclass(frozen=True)
class Colorizer:
    """A model as a step over samples, for `process.run_step`; `kind` is that of its guides, in GUIDES."""

    network: Network
    kind: str = "none"
    guides: Guides = field(default_factory=Guides)
    options: Options = field(default_factory=Options)

    def __call__(self, sample: Sample) -> Output:
        """Color the picture of a sample; its alpha stays. Raise BadImage, or Halt without a guide."""
        drawing, guide = codec.decode_rgba(sample.picture), self.guides.of(sample.key)
        if guide is None and self.guides.paths is not None:
            raise Halt(f"{sample.key} has no guide: give the folder of guides a picture of this name")
        colored = self.color(codec.on_white(drawing), guide)
        if drawing[..., 3].min() < 255:
            colored = np.dstack([colored, drawing[..., 3]])
        return Output(Sample(sample.key, {"png": png.encode_png(colored)}))

    def color(self, drawing: np.ndarray, guide: np.ndarray | None = None) -> np.ndarray:
        """Color a drawing or a gray picture, (H, W) or RGB (H, W, 3), by a guide, RGB or RGBA of any size.

        All are uint8.
        """
        if drawing.ndim == 2:
            drawing = cv2.cvtColor(drawing, cv2.COLOR_GRAY2RGB)
        if guide is not None and guide.shape[2] == 3:
            guide = cv2.cvtColor(guide, cv2.COLOR_RGB2RGBA)
        if self.kind == "gray":
            return self.color_gray(cv2.cvtColor(drawing, cv2.COLOR_RGB2GRAY), guide)
        page = level_paper(255 - drawing if self.options.invert else drawing)
        gray = page.min(axis=2)
        layer = fill_strokes(gray, guide, self.options.gap) if self.kind == "cue" else None
        if self.options.strength == 0:
            return lay_flats(layer, page)
        height, width = self.learned_size(gray)
        given = {"sketch": lineart.reduce_lines(gray, height, width)}
        if layer and self.trained_cue().method == "gaussian":
            given |= self.fit_guide(lineart.multiply(layer.colors, page), height, width)
        else:
            given |= self.fit_guide(guide, height, width)
        small = colorize_picture(self.network, given, self.options.tile)
        if self.options.lines == "redraw":
            whole = lineart.fit(small, *gray.shape[::-1])
            return self.mix(lay_flats(layer, page), whole)
        colors = lineart.clear_lines(small, given["sketch"])
        is_blur = self.kind == "cue" and self.trained_cue().method == "gaussian"
        blur = CueBlur(given["cue"], self.trained_cue().sigma) if is_blur else None
        return lineart.lay_under_lines(colors, page, gray, blur, layer, self.options.strength)

    def color_gray(self, gray: np.ndarray, guide: np.ndarray | None) -> np.ndarray:
        """Color a gray picture (H, W) where a guide, if there is one, is opaque and not black."""
        height, width = self.learned_size(gray)
        small, area = lineart.fit(gray, width, height), draw_area(guide, *gray.shape)
        given = {"sketch": small, "color": np.repeat(small[..., None], 3, axis=2)}
        given["mask"] = cv2.resize(area, (width, height), interpolation=cv2.INTER_NEAREST)
        colored = colorize_picture(self.network, given, self.options.tile)
        if self.options.lines == "redraw":
            whole = lineart.fit(colored, *gray.shape[::-1])
            return self.mix(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), whole)
        return lineart.color_gray(colored, small, gray, area, self.options.strength)

    def mix(self, plain: np.ndarray, colored: np.ndarray) -> np.ndarray:
        """Lay what the network made over a plain picture, by the strength."""
        strength = self.options.strength
        if strength == 1:
            return colored
        return np.rint(plain + strength * (colored - plain.astype(np.float32))).astype(np.uint8)

    def learned_size(self, gray: np.ndarray) -> tuple[int, int]:
        """Return the height and width at which a picture is colored."""
        height, width = gray.shape
        side = self.options.size or self.network.config.get("side") or min(height, width)
        return lineart.scaled_size(height, width, side)

    def trained_cue(self) -> Cue:
        return cues.params_from_metadata(self.network.config.get("columns", {}).get("cue", {}))

    def fit_guide(self, guide: np.ndarray | None, height: int, width: int) -> dict[str, np.ndarray]:
        """Return a guide, RGB or RGBA of any size, as `tiles.colorize_picture` takes it."""
        if guide is None:
            return (
                {} if "none" in self.network.guides else {"cue": np.full((height, width, 3), 255, np.uint8)}
            )
        if self.kind == "cue" and self.trained_cue().method in cues.HINT_METHODS:
            return {"cue": codec.on_white(fit_hints(guide, height, width))}
        colors = lineart.fit(codec.on_white(guide) if guide.shape[2] == 4 else guide, width, height)
        if self.kind == "palette":
            return {"palette": cues.draw_cue(colors, Cue(method="palette"))}
        return {self.kind: colors if self.kind == "reference" else cues.draw_cue(colors, self.trained_cue())}

    def fingerprint(self) -> str:
        network, options = self.network, asdict(self.options)
        code = code_hashes(__name__, f"pipeline.systems.{network.config['system']}")
        what = [network.config, network.weights, network.engine, self.kind, self.guides.fingerprint()]
        return hashlib.sha256(dumps([*what, options, code])).hexdigest()


def fill_strokes(gray: np.ndarray, guide: np.ndarray | None, gap: float | None) -> Layer | None:
    """Fill the strokes or points of a guide up to the lines of a drawing; None if it has no transparency.

    The network also gets colors of regions without a stroke: white while strokes have few colors or reach
    little of the drawing, so that each changes its region alone, and those of the neighbors later.
    """
    if guide is None or guide[..., 3].min() == 255:
        return None
    hints = fit_hints(guide, *gray.shape)
    if not (hints[..., 3] >= OPAQUE).any():
        return None
    flats, known = spread_hints(gray, hints, min(gray.shape) * GAP if gap is None else gap)
    colors = flats[..., :3]
    several = len(number_colors(hints)[0]) > FEWEST_COLORS  # the first is none
    trust = np.interp(known.mean(), TRUSTED, (0, MOST_TRUST)) if several else 0
    paler = np.rint(255 - trust * np.arange(255.0, -1, -1)).astype(np.uint8)
    return Layer(np.where(known[..., None], colors, paler[colors]), known)


def lay_flats(layer: Layer | None, page: np.ndarray) -> np.ndarray:
    """Multiply a page (H, W, 3) over the colors of a layer that are known; the others are white."""
    if layer is None:
        return page
    return lineart.multiply(np.where(layer.known[..., None], layer.colors, np.uint8(255)), page)


def draw_area(guide: np.ndarray | None, height: int, width: int) -> np.ndarray:
    """Make a mask: 255 where a guide is opaque and not black, 0 elsewhere; without a guide, 255."""
    if guide is None:
        return np.full((height, width), 255, np.uint8)
    lit = cv2.min(cv2.cvtColor(guide[..., :3], cv2.COLOR_RGB2GRAY), guide[..., 3])
    fitted = cv2.resize(lit, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(fitted >= 128, np.uint8(255), np.uint8(0))


def load_colorizer(
    model: Path, given: dict[str, Path], device: str = "cpu", options: Options | None = None
) -> Colorizer:
    """Load a model and the pictures of at most one guide: cue, palette, reference or mask, named in `given`.

    Raise Halt if one cannot be used, ValueError if a tile is too small for the system.
    """
    options = options or Options()
    network = open_network(model, device)
    check_tile(network, options.tile)
    taken = network.guides
    if not given:
        if taken == ("reference",):
            raise Halt(f"{model} colors by a reference: name a picture with --reference")
        kind = "gray" if taken == ("gray",) else "none"
        return Colorizer(network, kind, options=options)
    ((name, path),) = given.items()
    if KINDS[name] not in taken:
        wanted = next(option for option, kind in KINDS.items() if kind in taken)
        raise Halt(f"{model} colors by a {wanted}, not by a {name}: name a picture with --{wanted}")
    if name == "cue" and network.config.get("columns", {}).get("cue", {}).get("method") == "none":
        raise Halt(f"{model} was trained without cues: leave --cue out, or train with another cue.method")
    return Colorizer(network, KINDS[name], find_guides(path), options)
