"""Hints spread up to the lines of a sketch: the flat color layer of a drawing.

Lines bound regions, and short gaps in them are closed: a region is where a ball wider than the gap can roll
(Zhang, Chen, Zhang and Lu, Vectorizing Cartoon Animations, 2009), and what lies closer to it than to others.
A region takes the color of the hint in it; hints of several colors divide it. Large pictures are divided at a
reduced size, and the borders are then put on the lines at full size.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.measure import label
from skimage.segmentation import watershed

from pipeline.images.pixels import check_array

WORK_SIDE = 2000  # longest side, in pixels, at which regions are found
GAP = 1 / 128  # of the short side: width of the gaps that are closed, unless it is given
LINE_REACH = 1 / 24  # of the short side: wider areas that are gray are no lines
LINE_DEPTH = 48  # levels by which a line is darker than what it lies on
BLACK = 96  # levels below which an area of any width bounds regions
WIDE = 1 / 16  # of the short side: hints divide a place that is twice as wide by their distance alone
SLIP = 0.1  # of the largest part of a hint in a region: smaller parts in others do not count
SQUARE = np.ones((3, 3), np.uint8)
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
OPAQUE = 128  # alpha from which a pixel is a hint


@dataclass(frozen=True)
class Lines:
    """The lines of a sketch, each of `step` by `step` pixels: the paper below them, and their depth in it."""

    step: int
    paper: np.ndarray
    depth: np.ndarray

    @classmethod
    def of(cls, sketch: np.ndarray) -> "Lines":
        step = -(-max(sketch.shape) // WORK_SIDE)
        small = shrink_dark(sketch, step)
        paper = find_paper(small)
        return cls(step, paper, line_depth(small, paper))


def fill_flats(
    sketch: np.ndarray, hints: np.ndarray, gap: float | None = None, everywhere: bool = False
) -> np.ndarray:
    """Spread hints up to the lines of a sketch: (H, W) and (H, W, 4) -> (H, W, 4), all uint8.

    Hints are colors where alpha is 128 or more. In the result alpha is 255 where a hint reaches, and 0 in
    regions without one; with `everywhere`, colors cross the lines into those. Each color is that of a hint,
    and half of a line belongs to each of its sides. Gaps in lines are closed up to `gap` pixels, or 1/128 of
    the short side. Raise ValueError for other arrays or a negative gap.
    """
    check_array(sketch)
    gap = min(sketch.shape) * GAP if gap is None else gap
    check_flats(sketch, hints, gap)
    flats, reached = spread_hints(sketch, hints, gap)
    if not everywhere:
        flats[~reached] = 0
    return flats


def spread_hints(sketch: np.ndarray, hints: np.ndarray, gap: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the flats (H, W, 4) with colors everywhere, and where hints reach without crossing lines."""
    colors, marks = number_colors(hints)
    lines = Lines.of(sketch)
    found = divide(lines.depth, clean_marks(shrink_marks(marks, lines.step)), gap / lines.step)
    found = snap(found, sketch, lines)
    return colors[found // 2], found % 2 == 1


def number_regions(sketch: np.ndarray, gap: float) -> np.ndarray:
    """Number the regions of a sketch from 1, int32 (H, W); half of a line belongs to each of its sides."""
    lines = Lines.of(sketch)
    free = lines.depth < LINE_DEPTH
    clearance = free_distance(free)
    regions = find_regions(free, clearance, gap / lines.step)
    if not regions.any():
        return np.ones(sketch.shape, np.int32)
    return snap(flood(flood_height(free, clearance, lines.depth), regions), sketch, lines)


def check_flats(sketch: np.ndarray, hints: np.ndarray, gap: float) -> None:
    if sketch.ndim != 2:
        raise ValueError(f"sketch must be gray (H, W), got {sketch.shape}")
    wanted = (*sketch.shape, 4)
    if not isinstance(hints, np.ndarray) or hints.dtype != np.uint8 or hints.shape != wanted:
        raise ValueError(f"hints must be uint8 RGBA {wanted}, as large as the sketch")
    if not 0 <= gap < float("inf"):
        raise ValueError(f"gap must be 0 pixels or more, got {gap}")


def number_colors(hints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the colors of hints, RGBA (n, 4), and their numbers (H, W); 0 is transparent: no hint."""
    opaque = hints[..., 3] >= OPAQUE
    packed = hints[opaque][:, :3].astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    shades, numbers = np.unique(packed, return_inverse=True)
    colors = np.zeros((len(shades) + 1, 4), np.uint8)
    colors[1:] = np.stack([shades >> 16, shades >> 8 & 255, shades & 255, np.full_like(shades, 255)], axis=1)
    marks = np.zeros(opaque.shape, np.int32)
    marks[opaque] = numbers + 1
    return colors, marks


def shrink_dark(gray: np.ndarray, step: int) -> np.ndarray:
    """Keep the darkest of each `step` by `step` pixels, so that no line is lost."""
    if step == 1:
        return gray
    anchor = (0, 0)
    return cv2.erode(gray, np.ones((step, step), np.uint8), anchor=anchor, borderValue=255)[::step, ::step]


def shrink_marks(marks: np.ndarray, step: int) -> np.ndarray:
    """Keep a hint, if there is any, of each `step` by `step` pixels."""
    if step == 1:
        return marks
    small = np.zeros([-(-side // step) for side in marks.shape], np.int32)
    rows, columns = np.nonzero(marks)
    small[rows // step, columns // step] = marks[rows, columns]
    return small


def find_paper(gray: np.ndarray) -> np.ndarray:
    """Estimate the levels of the paper, or of a gray area, below the lines; uint8 (H, W)."""
    reach = 2 * max(2, round(min(gray.shape) * LINE_REACH / 2)) + 1
    return cv2.morphologyEx(gray, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))


def line_depth(gray: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return by how many levels each pixel of a line is darker than the paper, uint8 (H, W)."""
    return np.where(gray < BLACK, 255 - gray, cv2.subtract(paper, gray))


def clean_marks(marks: np.ndarray) -> np.ndarray:
    """Remove slivers beside hints: colors that an edge mixed with that of another hint."""
    numbers, pieces = marks.astype(np.float32), label(marks, background=0, connectivity=2)
    even = cv2.dilate(numbers, SQUARE) == cv2.erode(numbers, SQUARE)
    thick = np.zeros(pieces.max() + 1, bool)
    thick[pieces[even]] = True
    thick[0] = False
    sliver = np.zeros_like(thick)
    sliver[pieces[cv2.dilate(thick[pieces].astype(np.uint8), SQUARE) > 0]] = True
    return np.where((sliver & ~thick)[pieces], 0, marks)


def divide(depth: np.ndarray, marks: np.ndarray, gap: float) -> np.ndarray:
    """Divide a picture among the numbers of hints: twice the number, plus 1 in the regions that have it."""
    free = depth < LINE_DEPTH
    clearance = free_distance(free)
    regions = find_regions(free, clearance, gap)
    marks = drop_slips(marks, np.where(free, regions, 0))
    hinted = np.zeros(regions.max() + 1, bool)
    hinted[regions[marks > 0]] = True
    rest = marks.max() + 1
    height = flood_height(free, clearance, depth)
    found = flood(height, np.where(free & ~hinted[regions], rest, marks))
    found[found == rest] = 0
    reached = found > 0
    return 2 * flood(height, found) + reached if reached.any() else found


def drop_slips(marks: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Remove what of a hint lies on lines, and where it slipped over one: less than a tenth of its part."""
    marked = (marks > 0) & (regions > 0)
    hint, region = label(marks, background=0, connectivity=2)[marked], regions[marked]
    count = regions.max() + 1
    parts, number, sizes = np.unique(
        hint.astype(np.int64) * count + region, return_inverse=True, return_counts=True
    )
    largest = np.zeros(marks.size + 1, np.int64)
    np.maximum.at(largest, parts // count, sizes)
    kept = np.zeros_like(marks)
    kept[marked] = np.where(sizes >= SLIP * largest[parts // count], 1, 0)[number] * marks[marked]
    return kept


def flood(height: np.ndarray, markers: np.ndarray, free: np.ndarray | None = None) -> np.ndarray:
    """Flood heights from markers, where `free`: of equal heights first what was reached first.

    Markers of equal height start by rows. The heap of `watershed` has no order for them, so theirs are made
    unlike by less than a level. Markers that only touch others would be idle in it, and are left out.
    """
    dry = markers == 0 if free is None else (markers == 0) & free
    shore = (markers > 0) & (cv2.dilate(dry.astype(np.uint8), CROSS) > 0)
    count = np.count_nonzero(shore)
    order = height.astype(np.float64)
    order[shore] += np.arange(1, count + 1) / (count + 1) - 1
    return np.where(markers > 0, markers, watershed(order, np.where(shore, markers, 0), mask=dry | shore))


def flood_height(free: np.ndarray, clearance: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the order in which pixels are flooded: wide places, then narrow ones, then lines."""
    most = max(1, round(min(free.shape) * WIDE))
    narrow = most - np.minimum(clearance, most)
    return np.where(free, narrow, most + depth.astype(np.float32)).astype(np.uint16)


def free_distance(free: np.ndarray) -> np.ndarray:
    """Measure how far each pixel is from the next line, and from the border of the picture, in pixels."""
    framed = cv2.copyMakeBorder(free.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]


def find_regions(free: np.ndarray, clearance: np.ndarray, gap: float) -> np.ndarray:
    """Number the regions between lines from 1, with gaps closed; lines have 0."""
    _, cores = cv2.connectedComponents((clearance > (gap + 1) / 2).astype(np.uint8), connectivity=4)
    if gap:
        closeness = (clearance.max() - clearance).astype(np.uint16)
        cores = flood(closeness, cores, free)
    left = free & (cores == 0)
    _, narrow = cv2.connectedComponents(left.astype(np.uint8), connectivity=4)
    return np.where(left, cores.max() + narrow, cores)


def snap(found: np.ndarray, sketch: np.ndarray, lines: Lines) -> np.ndarray:
    """Enlarge numbers to the size of the sketch, int32 (H, W), and put their borders on its lines."""
    step, paper = lines.step, lines.paper
    if step == 1:
        return found.astype(np.int32)
    height, width = sketch.shape
    numbers = found.astype(np.float32) + 1
    uneven = (cv2.dilate(numbers, SQUARE) != cv2.erode(numbers, SQUARE)).astype(np.uint8)
    numbers[uneven > 0] = 0
    large = repeat(numbers, step)[:height, :width]
    whole = cv2.resize(paper, (paper.shape[1] * step, paper.shape[0] * step), interpolation=cv2.INTER_NEAREST)
    free = line_depth(sketch, whole[:height, :width]) < LINE_DEPTH
    for where in (free, np.ones_like(free)):
        for _ in range(4 * step):
            empty = (large == 0) & where
            if not empty.any():
                break
            spread = cv2.dilate(large, CROSS)  # a square would step through slanting lines
            large[empty] = spread[empty]
    if not large.all():  # far from any even place, such as in a cloud of single pixels
        large = np.where(large == 0, repeat(found, step)[:height, :width] + 1, large)
    return large.astype(np.int32) - 1


def repeat(numbers: np.ndarray, step: int) -> np.ndarray:
    return np.repeat(np.repeat(numbers, step, axis=0), step, axis=1)
