"""Speed of the whole preparation of one 2-megapixel JPEG, next to two other ways of doing the same work.

`inkwash` is the library, stage by stage; `plain` is the loop of the published recipes; `limit` is the scaled
decode and the encodes alone, which no preparation can avoid; `reads` adds that each later stage decodes the
color picture. All take turns, and the medians are printed. A second table sets every fast path against the
same work in float64, or by Pillow.
"""

import io
import time
import timeit
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median

import cv2
import numpy as np
from PIL import Image, ImageCms
from portraits import draw_jpeg
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import correlate1d, gaussian_filter, map_coordinates
from scipy.signal import fftconvolve
from tables import print_head, print_row

from pipeline.files import dumps
from pipeline.images import codec, png
from pipeline.images.color import PRIMARIES, SRGB_CURVE, build_profile
from pipeline.operators import clean, cue, sketch, warp
from pipeline.params import Clean, Cue, Reference, Sketch
from pipeline.run.processes import single_threaded, start_worker
from pipeline.run.step import Step
from pipeline.shards.tar import Sample, Writer

PICTURE_SIDE, SOURCE_SIDE = 256, 1448  # pixels
TIMED_ROUNDS, SECONDS = 5, 2.0
SKETCHES = {
    "b7": Sketch(blocksize=7),
    "b11": Sketch(blocksize=11),
    "a": Sketch(method="xdog-a", sigma=0.7, k=2.5, gamma=0.97, eps=0.0004, phi=51000.0),
    "p": Sketch(method="xdog-p", sigma=0.4, k=4.5, p=19.0, eps=0.01, phi=1e9),
}
XDOG = ((0.7, 2.5, 1, 0.97, 0.0004, 51000.0), (0.4, 4.5, 20, 19, 0.01, 1e9))  # the last two, written out
CLEAN = Step(clean.make_color, clean.PixelParams.of(Clean(side=PICTURE_SIDE)))
COLUMN_STEPS = {f"sketch-{name}": Step(sketch.make_sketch, settings) for name, settings in SKETCHES.items()}
COLUMN_STEPS |= {"cue": Step(cue.make_cue, Cue()), "reference": Step(warp.make_reference, Reference())}


def prepare_ours(data: bytes) -> bytes:
    """Prepare a picture with the library: each stage decodes the color picture again, and a tar joins all."""
    color = CLEAN(Sample("1", {"jpg": data})).sample
    columns = {name: step(color).sample for name, step in COLUMN_STEPS.items()}
    metadata = color.metadata | {name: column.metadata for name, column in columns.items()}
    members = {f"{name}.png": column.picture for name, column in ({"color": color} | columns).items()}
    tar = io.BytesIO()
    Writer(tar).add(Sample("1", members | {"json": dumps(metadata)}))
    return tar.getvalue()


def prepare_pixels(data: bytes) -> list[np.ndarray]:
    """Return the pixels that the library makes of a picture."""
    color = CLEAN(Sample("1", {"jpg": data})).sample.picture
    columns = [step.function(color, "1", step.params).picture for step in COLUMN_STEPS.values()]
    return [codec.decode(color), *columns]


def prepare_limit(data: bytes, columns: list[np.ndarray]) -> list[bytes]:
    """Decode scaled, and encode the columns that are given."""
    codec.decode(data, least=PICTURE_SIDE)
    return [png.encode_png(image) for image in columns]


def prepare_reads(data: bytes, columns: list[np.ndarray]) -> None:
    """Decode the color picture once more for each column that is made of it."""
    color, *others = prepare_limit(data, columns)
    for _ in others:
        codec.decode(color)


def prepare_plain(data: bytes) -> list[bytes]:
    """Prepare a picture as the published recipes do, which score nothing and pack nothing.

    A full decode and Lanczos by Pillow; OpenCV's adaptive threshold; XDoG by the loop of heitorrapela/xdog
    on GitHub, with SciPy for its blurs; the cue by SciPy's `fftconvolve`; SciPy's spline at every pixel, and
    `map_coordinates` for each channel; PNG as Pillow writes it by default.
    """
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image = image.resize((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    color, gray = np.asarray(image), np.asarray(image.convert("L"))
    columns = [color, plain_threshold(gray, 7), plain_threshold(gray, 11)]
    columns += [np.uint8(plain_xdog(gray, *settings)) for settings in XDOG]
    columns += [plain_cue(color), plain_reference(color)]
    return [plain_encode(column) for column in columns]


def plain_threshold(gray: np.ndarray, blocksize: int) -> np.ndarray:
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
    return np.dstack([fftconvolve(padded[..., c], kernel, mode="valid") for c in range(3)]).astype(np.uint8)


def plain_reference(color: np.ndarray) -> np.ndarray:
    points, shift = warp.draw_displacements("1", Reference())
    return np.clip(plain_warp(color, plain_flow(points)) + shift, 0, 255).astype(np.uint8)


def plain_flow(points: np.ndarray) -> np.ndarray:
    """Evaluate SciPy's thin-plate spline at every pixel."""
    at = warp.lattice_points(warp.pixel_centers(PICTURE_SIDE))
    control = warp.lattice_points(np.linspace(0, 1, round(len(points) ** 0.5)))
    flow = at + RBFInterpolator(control, points, kernel="thin_plate_spline")(at)
    return flow.reshape(PICTURE_SIDE, PICTURE_SIDE, 2)


def plain_warp(color: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Take each pixel from where a flow says."""
    at = [flow[..., 1] * PICTURE_SIDE - 0.5, flow[..., 0] * PICTURE_SIDE - 0.5]
    return np.dstack([
        map_coordinates(color[..., c].astype(float), at, order=1, mode="reflect") for c in range(3)
    ])  # fmt: skip


def plain_decode(data: bytes, least: int = SOURCE_SIDE) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (least, least))
    if profile := image.info.get("icc_profile"):
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        image = ImageCms.profileToProfile(image, space, ImageCms.createProfile("sRGB"))
    return np.array(image)


def add_profile(data: bytes) -> bytes:
    """Add the profile of Display P3 to a JPEG."""
    buffer = io.BytesIO()
    profile = build_profile(PRIMARIES[12], SRGB_CURVE)
    Image.open(io.BytesIO(data)).save(buffer, "jpeg", quality="keep", icc_profile=profile)
    return buffer.getvalue()


def plain_encode(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def measure_rate(name: str, data: bytes) -> float:
    columns = prepare_pixels(data)
    ways = {"inkwash": partial(prepare_ours, data), "plain": partial(prepare_plain, data)}
    ways |= {"limit": partial(prepare_limit, data, columns), "reads": partial(prepare_reads, data, columns)}
    runs, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        ways[name]()
        runs += 1
    return runs / spent


def start_pool() -> ProcessPoolExecutor:
    """Start two processes as the library starts its own, and wait for them."""
    pool = ProcessPoolExecutor(2, get_context("spawn"), initializer=start_worker)
    with single_threaded():
        list(pool.map(time.sleep, [1, 1]))
    return pool


def measure_rates(pool: ProcessPoolExecutor, data: bytes) -> dict[tuple[str, int], float]:
    """Return pictures per second of each way in one process, and in two at once."""
    cases = [(name, processes) for processes in (1, 2) for name in ("inkwash", "plain", "limit", "reads")]
    cases.remove(("plain", 2))
    rates: dict = {case: [] for case in cases}
    for _ in range(TIMED_ROUNDS):
        for name, processes in cases:
            rates[name, processes].append(sum(pool.map(measure_rate, [name] * processes, [data] * processes)))
    return {case: median(each) for case, each in rates.items()}


def print_paths(data: bytes) -> None:
    color, *_ = columns = prepare_pixels(data)
    gray, packed = cv2.cvtColor(color, cv2.COLOR_RGB2GRAY), png.encode_png(color)
    points, shift = warp.draw_displacements("1", Reference())
    flow = warp.spline_flow(points, PICTURE_SIDE, PICTURE_SIDE)
    spline = partial(warp.spline_flow, points, PICTURE_SIDE, PICTURE_SIDE)
    draw, tint = partial(cue.draw_cue, color, Cue()), partial(warp.tint_picture, color, shift)
    print_head("fast path", "ms", "otherwise", "error")
    print_path("decode PNG", partial(codec.decode, packed), partial(plain_decode, packed), level_error)
    jpegs = {
        "decode JPEG": (data, SOURCE_SIDE),
        "decode JPEG at a quarter": (data, PICTURE_SIDE),
        "decode JPEG in P3": (add_profile(data), SOURCE_SIDE),
    }
    for name, file in jpegs.items():
        print_path(name, partial(codec.decode, *file), partial(plain_decode, *file), level_error)
    print_path("chroma", partial(clean.chroma, color), lambda: np.ptp(color / 1, axis=2).mean(), level_error)
    print_path("cue", draw, lambda: gaussian_filter(color / 1, (20, 20, 0)), level_error)
    print_path("flow", spline, partial(plain_flow, points), distance_error)
    print_path("warp", partial(warp.warp, color, flow), partial(plain_warp, color, flow), level_error)
    print_path("tint", tint, lambda: np.clip(color + shift, 0, 255), level_error)
    exact = [partial(exact_threshold, gray, 7), partial(exact_threshold, gray, 11)]
    exact += [partial(plain_xdog, gray, *settings) for settings in XDOG]
    for (name, settings), slow in zip(SKETCHES.items(), exact, strict=True):
        print_path(f"sketch {name}", partial(sketch.draw_sketch, color, settings), slow, pixel_share)
    for name, image in zip(["color", *COLUMN_STEPS], columns, strict=True):
        fast, slow = partial(png.encode_png, image), partial(plain_encode, image)
        print_path(f"encode {name}", fast, slow, file_error)


def print_path(name: str, fast: Callable, slow: Callable, error: Callable[..., str]) -> None:
    """Print the median milliseconds of a fast path and of the same work done otherwise, and the error."""
    seconds = (median(timeit.repeat(work, repeat=runs, number=1)) for work, runs in ((fast, 50), (slow, 5)))
    print_row(name, *(f"{1000 * each:.3f}" for each in seconds), error(fast(), slow()))


def exact_threshold(gray: np.ndarray, blocksize: int) -> np.ndarray:
    """Threshold at the Gaussian mean, which OpenCV rounds, minus 2."""
    kernel = cv2.getGaussianKernel(blocksize, -1, cv2.CV_64F).ravel()
    mean = correlate1d(correlate1d(gray.astype(float), kernel, 0, mode="nearest"), kernel, 1, mode="nearest")
    return np.where(gray > np.rint(mean) - 2, 255, 0)


def level_error(fast: np.ndarray, exact: np.ndarray) -> str:
    return f"{np.abs(fast - np.asarray(exact, float)).max():.4f} levels at most"


def pixel_share(fast: np.ndarray, exact: np.ndarray) -> str:
    """Return the share of pixels that differ by more than a level."""
    return f"{np.mean(np.abs(fast - exact.astype(float)) > 1):.4%} of the pixels"


def distance_error(fast: np.ndarray, exact: np.ndarray) -> str:
    distance = PICTURE_SIDE * np.linalg.norm(fast - exact, axis=2)
    return f"{distance.mean():.4f} px mean, {distance.max():.4f} px at most"


def file_error(fast: bytes, slow: bytes) -> str:
    return f"{level_error(codec.decode(fast), codec.decode(slow))}, {len(fast)} bytes for {len(slow)}"


def main() -> None:
    data = draw_jpeg(1, SOURCE_SIDE, 92)
    with start_pool() as pool:
        rates = measure_rates(pool, data)
        print("One 2-megapixel JPEG to 256 px, 7 columns\n")
        print_head("way", "processes", "samples/s", "inkwash is as many times that", "in 2 processes")
        for (name, processes), rate in rates.items():
            ratios = (f"{rates['inkwash', count] / rate:.2f}" for count in (processes, 2))
            print_row(name, processes, f"{rate:.2f}", *ratios)
        print(flush=True)
        pool.submit(print_paths, data).result()


if __name__ == "__main__":
    main()
