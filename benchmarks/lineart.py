"""Color the drawings of artists, and compare with their own colors: what `prep colorize` is worth.

`pairs` has the folders sketch/ and color/ with pictures of equal names. Each drawing is colored by the blur
of the artist's colors, and by random strokes of them, in several ways: `before`, at the drawing's own size,
with strokes that spread in circles, and the network's picture as it is; `after`, as `prep colorize` does;
and without a network. The table has means over the pictures with 95 % bootstrap intervals of the paired
differences from `before`, in dB. The last row adds a stroke: by how many levels the picture changes
outside of the region that it fills.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from tables import print_head, print_row

from pipeline.evaluation.measures import psnr
from pipeline.images import codec, png
from pipeline.images.pixels import gaussian_blur, grayscale
from pipeline.images.sheets import Strip, contact_sheet
from pipeline.models.colorize import Colorizer, load_colorizer
from pipeline.models.lineart import multiply
from pipeline.models.tiles import colorize_picture
from pipeline.operators.cue import draw_cue
from pipeline.operators.flats import fill_flats
from pipeline.params import Cue

SIGMA = Cue().sigma
BACKGROUND = 1e-3  # weight of white beside strokes that spread in circles


def spread(hints: np.ndarray) -> np.ndarray:
    """Spread hints (H, W, 4) by a Gaussian of their distance, whatever the lines: RGB (H, W, 3)."""
    alpha = hints[..., 3:].astype(np.float32) / 255
    weighted = np.dstack([hints[..., :3] * alpha, alpha])
    blurred = gaussian_blur(weighted, SIGMA * min(hints.shape[:2]) / 256)
    colors = (blurred[..., :3] + 255 * BACKGROUND) / (blurred[..., 3:] + BACKGROUND)
    return np.rint(colors).clip(0, 255).astype(np.uint8)


def opaque(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


def ways(
    model: Colorizer, drawing: np.ndarray, color: np.ndarray, hints: np.ndarray
) -> dict[str, np.ndarray]:
    """Color one drawing in each way."""
    gray, blur, circles = grayscale(drawing), draw_cue(color, Cue(sigma=SIGMA)), spread(hints)

    def native(cue: np.ndarray) -> np.ndarray:
        return colorize_picture(model.network, {"sketch": gray, "cue": cue})

    return {
        "blur: before": native(blur),
        "blur: cue x lines": multiply(blur, drawing),
        "blur: after": model.color(drawing, opaque(color)),
        "strokes: before": native(circles),
        "strokes: circles x lines": multiply(circles, drawing),
        "strokes: fill x lines": multiply(fill_flats(gray, hints, everywhere=True)[..., :3], drawing),
        "strokes: after": model.color(drawing, hints),
    }


def change_outside(model: Colorizer, drawing: np.ndarray, hints: np.ndarray, made: np.ndarray) -> float:
    """Return by how many levels a stroke changes what is outside of its region, in the mean."""
    others = np.where(one_stroke(hints)[..., None], 0, hints)
    before = model.color(drawing, others).astype(np.int16)
    flats = [fill_flats(grayscale(drawing), each) for each in (others, hints)]
    outside = (flats[0] == flats[1]).all(axis=2)
    return float(np.abs(before - made)[outside].mean())


def one_stroke(hints: np.ndarray) -> np.ndarray:
    """Return where one of the strokes is, the one of the middle color."""
    shades = np.unique(hints[hints[..., 3] > 0][:, :3], axis=0)
    return (hints[..., :3] == shades[len(shades) // 2]).all(axis=2) & (hints[..., 3] > 0)


def interval(differences: np.ndarray) -> str:
    draws = np.random.default_rng(0).integers(0, len(differences), (4000, len(differences)))
    low, high = np.percentile(differences[draws].mean(axis=1), (2.5, 97.5))
    return f"{differences.mean():+.2f} ({low:+.2f} to {high:+.2f}), {(differences > 0).sum()} better"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path, help="the folder of a model that takes a cue")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every nth pair")
    parser.add_argument("--seed", type=int, default=0, help="of the strokes")
    parser.add_argument("--sheet", type=Path, help="draw some pictures to this PNG file")
    return parser.parse_args()


def main() -> None:
    given = parse()
    cv2.setNumThreads(1)
    model = load_colorizer(given.model, {"cue": next((given.pairs / "color").iterdir())})
    rows: dict[str, list[float]] = {}
    strips, change, started = [], [], time.time()
    names = sorted(path.name for path in (given.pairs / "color").glob("*.png"))[:: given.every]
    for number, name in enumerate(names):
        color, drawing = (
            codec.decode((given.pairs / kind / name).read_bytes()) for kind in ("color", "sketch")
        )
        hints = draw_cue(color, Cue(method="strokes", seed=given.seed), name)
        made = ways(model, drawing, color, hints)
        for way, picture in made.items():
            rows.setdefault(way, []).append(psnr(color, picture))
        change.append(change_outside(model, drawing, hints, made["strokes: after"]))
        if number % max(1, len(names) // 12) == 0:
            shown = {"drawing": drawing, "strokes": codec.on_white(hints)} | made | {"artist": color}
            strips.append(Strip("", [(picture, way) for way, picture in shown.items()]))
    print_head("way", "dB", "difference from before (95 %)")
    for way, values in rows.items():
        base = np.array(rows[f"{way.partition(':')[0]}: before"])
        print_row(way, f"{np.mean(values):.2f}", interval(np.array(values) - base))
    gain = np.array(rows["strokes: after"]) - np.array(rows["strokes: fill x lines"])
    print_row("strokes: after, from fill x lines", "", interval(gain))
    print_row("strokes: after, change outside the region of one more", f"{np.mean(change):.2f} levels", "")
    print(f"{len(names)} pairs, {time.time() - started:.0f} s")
    if given.sheet:
        given.sheet.write_bytes(png.encode_png(contact_sheet(strips, 256)))


if __name__ == "__main__":
    main()
