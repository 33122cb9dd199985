"""Speed of the whole preparation of one 2-megapixel JPEG, beside two other ways of doing the same work.

`ours` is the library; `plain` is the loop that the published recipes amount to: full decode, a cue by
fftconvolve, XDoG in SciPy, a spline at every pixel; `limit` is the scaled decode and the encodes
alone, which no preparation can do without. One process each. Errors are those against float64.
"""

import io
import time
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.signal import fftconvolve

from pipeline import artist, clean, cue, images, sketch, warp
from pipeline.params import Clean, Cue, Reference, Sketch

SIDE, SOURCE = 256, 1448  # pixels
SKETCHES = (
    Sketch(blocksize=7),
    Sketch(blocksize=11),
    Sketch(method="xdog-a", sigma=0.7, k=2.5, gamma=0.97, eps=0.0004, phi=51000.0),
    Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=1e9),
)


def ours(data: bytes) -> list[bytes]:
    """Prepare a picture with the library, one column after the other, as the stages do."""
    color = images.encode(clean.column(data, "1", Clean(side=SIDE))[0])
    columns = [sketch.column(color, "1", settings)[0] for settings in SKETCHES]
    columns += [cue.column(color, "1", Cue())[0], warp.column(color, "1", Reference())[0]]
    return [color, *map(images.encode, columns)]


def plain(data: bytes) -> list[bytes]:
    """Prepare a picture as it is written in the papers."""
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    color = np.asarray(image)
    gray = np.asarray(image.convert("L"))
    columns = [plain_threshold(gray, 7), plain_threshold(gray, 11)]
    columns += [
        plain_xdog(gray, 0.7, 2.5, 1, 0.97, 0.0004, 51000.0),
        plain_xdog(gray, 0.4, 4.5, 20, 19, 0.01, 1e9),
    ]
    columns += [plain_cue(color), plain_reference(color)]
    return [encode(column) for column in (color, *columns)]


def plain_threshold(gray: np.ndarray, blocksize: int) -> np.ndarray:
    """Threshold at the Gaussian mean minus 2."""
    sigma = 0.3 * ((blocksize - 1) * 0.5 - 1) + 0.8
    return np.where(gray > gaussian_filter(gray.astype(float), sigma) - 2, 255, 0).astype(np.uint8)


def plain_xdog(gray: np.ndarray, sigma: float, k: float, fine: float, coarse: float, eps: float, phi: float):
    """Draw XDoG pixel by pixel."""
    light = gray / 255
    blurred = fine * gaussian_filter(light, sigma) - coarse * gaussian_filter(light, k * sigma)
    drawn = np.ones_like(light)
    for at in np.ndindex(light.shape):
        if blurred[at] < eps:
            drawn[at] = 1 + np.tanh(phi * (blurred[at] - eps))
    return (255 * drawn).astype(np.uint8)


def plain_cue(color: np.ndarray) -> np.ndarray:
    """Blur by an FFT with a Gaussian of 161 x 161 pixels."""
    line = np.exp(-(np.arange(-80, 81) ** 2) / (2 * 20**2))
    kernel = np.outer(line, line) / line.sum() ** 2
    padded = np.pad(color.astype(float), ((80, 80), (80, 80), (0, 0)), mode="symmetric")
    return np.stack([fftconvolve(padded[..., c], kernel, mode="valid") for c in range(3)], axis=2).astype(
        np.uint8
    )


def plain_reference(color: np.ndarray) -> np.ndarray:
    """Evaluate the spline at every pixel and sample there."""
    points, shift = warp.draw("1", Reference())
    at = exact_flow(points) * SIDE - 0.5
    order = [at[..., 1], at[..., 0]]
    bent = [map_coordinates(color[..., c].astype(float), order, order=1, mode="reflect") for c in range(3)]
    return np.clip(np.stack(bent, axis=2) + shift, 0, 255).astype(np.uint8)


def exact_flow(points: np.ndarray) -> np.ndarray:
    """Evaluate SciPy's thin-plate spline at every pixel."""
    at = warp.lattice(warp.centers(SIDE))
    control = warp.lattice(np.linspace(0, 1, round(len(points) ** 0.5)))
    return (at + RBFInterpolator(control, points, kernel="thin_plate_spline")(at)).reshape(SIDE, SIDE, 2)


def encode(image: np.ndarray) -> bytes:
    """Encode a PNG with Pillow's own settings."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def limit(data: bytes, outputs: list[np.ndarray]) -> list[bytes]:
    """Decode scaled, and encode what is given."""
    images.decode(data, least=SIDE)
    return [images.encode(output) for output in outputs]


def rate(work: Callable[[], object], seconds: float = 4.0) -> float:
    """Return runs per second."""
    work()
    runs, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        work()
        runs += 1
    return runs / (time.perf_counter() - start)


def errors(color: np.ndarray) -> tuple[float, float, float]:
    """Return the largest error of the cue in levels, and the mean and largest of the flow in pixels."""
    exact = gaussian_filter(color.astype(float), (20, 20, 0), mode="reflect")
    points, _ = warp.draw("1", Reference())
    off = SIDE * np.linalg.norm(warp.flow(points, SIDE, SIDE) - exact_flow(points), axis=2)
    return float(np.abs(cue.cue(color, Cue()) - exact).max()), float(off.mean()), float(off.max())


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    drawing = images.resize(artist.draw(artist.portrait(1)), SOURCE, SOURCE)
    buffer = io.BytesIO()
    Image.fromarray(drawing).save(buffer, "jpeg", quality=92)
    data = buffer.getvalue()
    outputs = [images.decode(output) for output in ours(data)]
    outputs = [o[..., 0] if 1 <= number <= 4 else o for number, o in enumerate(outputs)]
    rates = {
        "ours": rate(lambda: ours(data)),
        "plain": rate(lambda: plain(data)),
        "limit": rate(lambda: limit(data, outputs)),
    }
    print("samples/s in one process, one 2-megapixel JPEG to 256 px, 7 columns")
    for name, value in rates.items():
        print(f"  {name:6} {value:8.2f}   ours is {rates['ours'] / value:6.2f} times this")
    level, mean, most = errors(outputs[0])
    print(f"errors: cue {level:.2f} levels at most; flow {mean:.4f} px mean, {most:.4f} px at most")


if __name__ == "__main__":
    main()
