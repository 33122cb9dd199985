"""Speed of the whole preparation of one 2-megapixel JPEG, beside two other ways of doing the same work.

`prepare_ours` is the library, stage by stage; `prepare_plain` is the loop that the published recipes amount
to; `limit` is the scaled decode and the encodes alone, which no preparation can do without, and `reads` adds
that each later stage decodes the color picture. All take turns, and the medians are printed. Below is every
fast path by itself, beside the same work in float64, or by Pillow.
"""

import io
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import cv2
import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import correlate1d, gaussian_filter, map_coordinates
from scipy.signal import fftconvolve

from pipeline.booru import artist
from pipeline.files import dumps
from pipeline.images import codec, png
from pipeline.images.pixels import resize
from pipeline.operators import clean, cue, sketch, warp
from pipeline.params import Clean, Cue, Reference, Sketch
from pipeline.run.processes import single_threaded, start_worker
from pipeline.run.step import Step
from pipeline.shards.tar import Sample, Writer

PICTURE_SIDE, SOURCE = 256, 1448  # pixels
TIMED_ROUNDS, SECONDS = 5, 2.0
SKETCHES = {
    "b7": Sketch(blocksize=7),
    "b11": Sketch(blocksize=11),
    "a": Sketch(method="xdog-a", sigma=0.7, k=2.5, gamma=0.97, eps=0.0004, phi=51000.0),
    "p": Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=1e9),
}
XDOG = ((0.7, 2.5, 1, 0.97, 0.0004, 51000.0), (0.4, 4.5, 20, 19, 0.01, 1e9))  # the same two, written out
CLEAN = Step(clean.make_color, clean.PixelParams.of(Clean(side=PICTURE_SIDE)))
COLUMN_STEPS = {f"sketch-{name}": Step(sketch.make_sketch, settings) for name, settings in SKETCHES.items()}
COLUMN_STEPS |= {"cue": Step(cue.make_cue, Cue()), "reference": Step(warp.make_reference, Reference())}


def prepare_ours(data: bytes) -> bytes:
    """Prepare a picture with the library: each stage decodes the color picture again, and a tar joins all."""
    color, _ = CLEAN(Sample("1", {"jpg": data}))
    made = {"color": color} | {name: step(color)[0] for name, step in COLUMN_STEPS.items()}
    facts = color.metadata | {name: column.metadata for name, column in made.items() if column is not color}
    members = {f"{name}.png": column.picture for name, column in made.items()}
    tar = io.BytesIO()
    Writer(tar).add(Sample("1", members | {"json": dumps(facts)}))
    return tar.getvalue()


def outputs(data: bytes) -> list[np.ndarray]:
    """List the pixels that the library makes of a picture."""
    color = CLEAN(Sample("1", {"jpg": data}))[0].picture
    return [
        codec.decode(color),
        *(step.function(color, "1", step.params)[0] for step in COLUMN_STEPS.values()),
    ]


def limit(data: bytes, made: list[np.ndarray]) -> list[bytes]:
    """Decode scaled, and encode what is given."""
    codec.decode(data, least=PICTURE_SIDE)
    return [png.encode_png(image) for image in made]


def reads(data: bytes, made: list[np.ndarray]) -> list[bytes]:
    """Do as `limit` does, and decode the color picture once for each column that is made of it."""
    encoded = limit(data, made)
    for _ in COLUMN_STEPS:
        codec.decode(encoded[0])
    return encoded


def prepare_plain(data: bytes) -> list[bytes]:
    """Prepare a picture as the published recipes do, which score nothing and pack nothing.

    A full decode and Lanczos by Pillow; OpenCV's adaptive threshold; XDoG by the loop of heitorrapela/xdog
    on GitHub, with SciPy for its blurs; the cue by SciPy's `fftconvolve`; SciPy's spline at every pixel, and
    `map_coordinates` for each channel; PNG as Pillow writes it by default.
    """
    image = (
        Image.open(io.BytesIO(data))
        .convert("RGB")
        .resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    )
    color, gray = np.asarray(image), np.asarray(image.convert("L"))
    columns = [color, plain_threshold(gray, 7), plain_threshold(gray, 11)]
    columns += [np.uint8(plain_xdog(gray, *settings)) for settings in XDOG]
    columns += [plain_cue(color), plain_reference(color)]
    return [plain_encode(column) for column in columns]


def plain_threshold(gray: np.ndarray, blocksize: int) -> np.ndarray:
    """Threshold at the Gaussian mean minus 2."""
    return cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, blocksize, 2)


def plain_xdog(gray: np.ndarray, sigma: float, k: float, fine: float, coarse: float, eps: float, phi: float):
    """Draw XDoG pixel by pixel."""
    light = gray / 255
    drawn = fine * gaussian_filter(light, sigma) - coarse * gaussian_filter(light, k * sigma)
    for i in range(drawn.shape[0]):
        for j in range(drawn.shape[1]):
            if drawn[i, j] >= eps:
                drawn[i, j] = 1
            else:
                drawn[i, j] = 1 + np.tanh(phi * (drawn[i, j] - eps))
    return 255 * drawn


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
    points, shift = warp.draw_displacements("1", Reference())
    return np.clip(plain_warp(color, plain_flow(points)) + shift, 0, 255).astype(np.uint8)


def plain_flow(points: np.ndarray) -> np.ndarray:
    """Evaluate SciPy's thin-plate spline at every pixel."""
    at = warp.lattice_points(warp.pixel_centers(PICTURE_SIDE))
    control = warp.lattice_points(np.linspace(0, 1, round(len(points) ** 0.5)))
    return (at + RBFInterpolator(control, points, kernel="thin_plate_spline")(at)).reshape(
        PICTURE_SIDE, PICTURE_SIDE, 2
    )


def plain_warp(color: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Sample a picture where a flow says."""
    order = [at[..., 1] * PICTURE_SIDE - 0.5, at[..., 0] * PICTURE_SIDE - 0.5]
    bent = [map_coordinates(color[..., c].astype(float), order, order=1, mode="reflect") for c in range(3)]
    return np.stack(bent, axis=2)


def plain_encode(image: np.ndarray) -> bytes:
    """Encode a PNG with Pillow's own settings."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def exact_threshold(gray: np.ndarray, blocksize: int) -> np.ndarray:
    """Threshold at the Gaussian mean, which OpenCV rounds, minus 2."""
    kernel = cv2.getGaussianKernel(blocksize, -1, cv2.CV_64F).ravel()
    mean = correlate1d(correlate1d(gray.astype(float), kernel, 0, mode="nearest"), kernel, 1, mode="nearest")
    return np.where(gray > np.rint(mean) - 2, 255, 0)


def rate(name: str, data: bytes) -> float:
    """Return pictures per second."""
    made = outputs(data)
    works = {"ours": partial(prepare_ours, data), "plain": partial(prepare_plain, data)}
    works |= {"limit": partial(limit, data, made), "reads": partial(reads, data, made)}
    work = works[name]
    runs, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        work()
        runs += 1
    return runs / spent


def started() -> ProcessPoolExecutor:
    """Start two processes as the library starts its own, and wait for them."""
    pool = ProcessPoolExecutor(2, get_context("spawn"), initializer=start_worker)
    with single_threaded():
        list(pool.map(time.sleep, [1, 1]))
    return pool


def rates(pool: ProcessPoolExecutor, data: bytes) -> dict[tuple[str, int], float]:
    """Measure each way in one process, and in two at once, as workers run; return the medians."""
    cases = [(name, processes) for processes in (1, 2) for name in ("ours", "plain", "limit", "reads")]
    cases.remove(("plain", 2))
    measured: dict = {case: [] for case in cases}
    for _ in range(TIMED_ROUNDS):
        for name, processes in cases:
            measured[name, processes].append(sum(pool.map(rate, [name] * processes, [data] * processes)))
    return {case: statistics.median(found) for case, found in measured.items()}


def milliseconds(work: Callable[[], object], runs: int = 50) -> float:
    """Return the median time of one run."""
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        spent.append(time.perf_counter() - start)
    return 1000 * statistics.median(spent)


def paths(data: bytes) -> list[str]:
    """Measure each fast path and the same work in float64 or by Pillow; lay out times and errors."""
    color, *_ = made = outputs(data)
    gray, packed = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY), png.encode_png(color)
    points, shift = warp.draw_displacements("1", Reference())
    at = warp.spline_flow(points, PICTURE_SIDE, PICTURE_SIDE)
    exact = [partial(exact_threshold, gray, 7), partial(exact_threshold, gray, 11)]
    exact += [partial(plain_xdog, gray, *settings) for settings in XDOG]
    listed = [  # name, the work, the same otherwise, how far it is off
        ("decode PNG", partial(codec.decode, packed), partial(pillow, packed), levels),
        ("chroma", partial(clean.chroma, color), lambda: np.ptp(color / 1, axis=2).mean(), levels),
        ("cue", partial(cue.draw_cue, color, Cue()), lambda: gaussian_filter(color / 1, (20, 20, 0)), levels),
        (
            "flow",
            partial(warp.spline_flow, points, PICTURE_SIDE, PICTURE_SIDE),
            partial(plain_flow, points),
            pixels,
        ),
        ("warp", partial(warp.warp, color, at), partial(plain_warp, color, at), levels),
        ("tint", partial(warp.tint_picture, color, shift), lambda: np.clip(color + shift, 0, 255), levels),
    ]
    for (name, settings), slow in zip(SKETCHES.items(), exact, strict=True):
        listed.append((f"sketch {name}", partial(sketch.draw_sketch, color, settings), slow, share))
    for name, image in zip(["color", *COLUMN_STEPS], made, strict=True):
        listed.append((f"encode {name}", partial(png.encode_png, image), partial(plain_encode, image), size))
    return [
        f"{name:20}{milliseconds(fast):8.3f}{milliseconds(slow, 5):10.3f}  {off(fast(), slow())}"
        for name, fast, slow, off in listed
    ]


def pillow(data: bytes) -> np.ndarray:
    """Decode by Pillow."""
    return np.array(Image.open(io.BytesIO(data)))


def levels(fast: np.ndarray, exact: np.ndarray) -> str:
    """Tell the largest difference in levels."""
    return f"{np.abs(fast - np.asarray(exact, float)).max():.4f} levels at most"


def share(fast: np.ndarray, exact: np.ndarray) -> str:
    """Tell how many pixels differ by more than a level."""
    return f"{np.mean(np.abs(fast - exact.astype(float)) > 1):.4%} of the pixels"


def pixels(fast: np.ndarray, exact: np.ndarray) -> str:
    """Tell the mean and the largest distance."""
    off = PICTURE_SIDE * np.linalg.norm(fast - exact, axis=2)
    return f"{off.mean():.4f} px mean, {off.max():.4f} px at most"


def size(fast: bytes, slow: bytes) -> str:
    """Tell the largest difference between the pixels of two files, and the bytes of both."""
    return f"{levels(codec.decode(fast), codec.decode(slow))}, {len(fast)} bytes for {len(slow)}"


def main() -> None:
    """Print the tables."""
    drawing = resize(artist.draw(artist.portrait(1)), SOURCE, SOURCE)
    buffer = io.BytesIO()
    Image.fromarray(drawing).save(buffer, "jpeg", quality=92)
    with started() as pool:
        found = rates(pool, buffer.getvalue())
        table = pool.submit(paths, buffer.getvalue()).result()
    print("samples/s, one 2-megapixel JPEG to 256 px, 7 columns; ours is as many times that")
    for (name, processes), value in found.items():
        ours, cores = found["ours", processes], found["ours", 2]
        print(f"{name:6} {processes} process(es) {value:8.2f} {ours / value:8.2f}", end="")
        print(f"   on 2 cores {cores / value:.1f}" if name == "plain" else "")
    print(f"{'fast path':20}{'ms':>8}{'otherwise':>10}  error")
    print(*table, sep="\n")


if __name__ == "__main__":
    main()
