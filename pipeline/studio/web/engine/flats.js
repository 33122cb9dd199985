/**
 * Hints spread up to the lines of a sketch: the flat color layer of a drawing. The same as
 * pipeline/operators/flats.py, number by number: a change of one is a change of both.
 */

import { makeImage } from "./image.js";
import { close, distanceTransform, findEven, flood, label } from "./morphology.js";

const WORK_SIDE = 2000; // longest side, in pixels, at which regions are found
export const GAP = 1 / 128; // of the short side: width of the gaps that are closed, unless it is given
const LINE_REACH = 1 / 24; // of the short side: wider areas that are gray are no lines
const LINE_DEPTH = 48; // levels by which a line is darker than what it lies on
const BLACK = 96; // levels below which an area of any width bounds regions
const WIDE = 1 / 16; // of the short side: hints divide a place that is twice as wide by their distance alone
const SLIP = 0.1; // of the largest part of a hint in a region: smaller parts in others do not count
export const OPAQUE = 128; // alpha from which a pixel is a hint

/** The lines of a sketch, each of `step` by `step` pixels: the paper below them, and their depth in it. */
class Lines {
  constructor(sketch) {
    this.step = Math.ceil(Math.max(sketch.height, sketch.width) / WORK_SIDE);
    const small = shrinkDark(sketch, this.step);
    this.paper = findPaper(small);
    this.depth = lineDepth(small, this.paper);
  }
}

/** A sketch with its lines and its regions, kept for all strokes; `gap` is in pixels of the sketch. */
export class Drawing {
  constructor(sketch, gap = defaultGap(sketch)) {
    this.sketch = sketch;
    this.lines = new Lines(sketch);
    const { depth } = this.lines;
    this.free = depth.data.map((level) => (level < LINE_DEPTH ? 1 : 0));
    this.clearance = distanceTransform(this.free, depth.height, depth.width);
    this.heights = floodHeight(this.free, this.clearance, depth);
    this.closeGaps(gap);
  }

  /** Find the regions again, with gaps of up to `gap` pixels closed. */
  closeGaps(gap) {
    if (!(gap >= 0 && gap < Infinity)) throw new RangeError(`gap must be 0 pixels or more, got ${gap}`);
    const { depth, step } = this.lines;
    this.gap = gap;
    this.regions = findRegions(this.free, this.clearance, gap / step, depth.height, depth.width);
    this.count = largest(this.regions);
    this.numbers = null;
  }

  /** Number the regions from 1, Int32; half of a line belongs to each of its sides. */
  number() {
    return (this.numbers ??= this.count ? this.enlarge(this.flood(this.regions)) : this.enlargeOne());
  }

  /** Return flats, RGBA, with colors everywhere, and where hints reach without crossing lines: 0 and 1. */
  spread(hints) {
    const { colors, marks } = numberColors(hints);
    return paint(this.enlarge(this.divide(this.clean(this.shrink(marks)))), colors);
  }

  /** Shrink marks to the size at which regions are found. */
  shrink(marks) {
    return shrinkMarks(marks, this.sketch.height, this.sketch.width, this.lines.step);
  }

  /** Remove slivers from marks that are shrunk. */
  clean(marks) {
    return cleanMarks(marks, this.lines.depth.height, this.lines.depth.width);
  }

  /** Divide the picture among the numbers of hints: twice the number, plus 1 in the regions that have it. */
  divide(marks) {
    const { free, regions } = this;
    const { height, width } = this.lines.depth;
    const kept = dropSlips(marks, regions, height, width);
    const hinted = new Uint8Array(this.count + 1);
    for (let at = 0; at < kept.length; at++) if (kept[at]) hinted[regions[at]] = 1;
    const rest = largest(kept) + 1;
    for (let at = 0; at < kept.length; at++) if (free[at] && !hinted[regions[at]]) kept[at] = rest;
    const found = this.flood(kept);
    let reached = false;
    for (let at = 0; at < found.length; at++) {
      if (found[at] === rest) found[at] = 0;
      else if (found[at]) reached = true;
    }
    if (!reached) return found;
    const whole = this.flood(found);
    for (let at = 0; at < whole.length; at++) whole[at] = 2 * whole[at] + (found[at] ? 1 : 0);
    return whole;
  }

  flood(markers) {
    const { height, width } = this.lines.depth;
    return flood(this.heights, markers, height, width);
  }

  enlarge(found) {
    return snap(found, this.sketch, this.lines);
  }

  enlargeOne() {
    const { height, width } = this.sketch;
    return makeImage(height, width, 1, new Int32Array(height * width).fill(1));
  }
}

/** Return the gap, in pixels, of a sketch for which none is given. */
export function defaultGap(sketch) {
  return Math.min(sketch.height, sketch.width) * GAP;
}

/**
 * Spread hints, RGBA, up to the lines of a gray sketch. In the result alpha is 255 where a hint reaches, and
 * 0 in regions without one; with `everywhere`, colors cross the lines into those.
 */
export function fillFlats(sketch, hints, gap = null, everywhere = false) {
  const { flats, reached } = spreadHints(sketch, hints, gap ?? defaultGap(sketch));
  if (!everywhere) {
    const pixels = new Uint32Array(flats.data.buffer);
    for (let at = 0; at < pixels.length; at++) if (!reached.data[at]) pixels[at] = 0;
  }
  return flats;
}

/** Return the flats, RGBA, with colors everywhere, and where hints reach without crossing lines: 0 and 1. */
export function spreadHints(sketch, hints, gap) {
  return new Drawing(sketch, gap).spread(hints);
}

/** Number the regions of a sketch from 1, Int32; half of a line belongs to each of its sides. */
export function numberRegions(sketch, gap) {
  return new Drawing(sketch, gap).number();
}

/** Return the colors of hints as RGBA, in their order, and their numbers; 0 is transparent: no hint. */
export function numberColors(hints) {
  const { data } = hints;
  const marks = new Int32Array(hints.height * hints.width);
  const found = new Map();
  let last = -1;
  let number = 0;
  for (let at = 0; at < marks.length; at++) {
    if (data[4 * at + 3] < OPAQUE) continue;
    const color = (data[4 * at] << 16) | (data[4 * at + 1] << 8) | data[4 * at + 2];
    if (color !== last) {
      last = color;
      number = found.get(color) ?? found.size + 1;
      found.set(color, number);
    }
    marks[at] = number;
  }
  const shades = [...found.keys()].sort((one, other) => one - other);
  const colors = new Uint8Array(4 * (shades.length + 1));
  const order = new Int32Array(shades.length + 1);
  shades.forEach((color, k) => {
    colors.set([color >> 16, (color >> 8) & 255, color & 255, 255], 4 * (k + 1));
    order[found.get(color)] = k + 1;
  });
  for (let at = 0; at < marks.length; at++) if (marks[at]) marks[at] = order[marks[at]];
  return { colors, marks };
}

/** Keep the darkest of each `step` by `step` pixels, so that no line is lost. */
function shrinkDark(gray, step) {
  if (step === 1) return gray;
  const small = makeImage(Math.ceil(gray.height / step), Math.ceil(gray.width / step));
  small.data.fill(255);
  for (let y = 0, at = 0; y < gray.height; y++) {
    const row = Math.floor(y / step) * small.width;
    for (let x = 0; x < gray.width; x++, at++) {
      const to = row + Math.floor(x / step);
      if (gray.data[at] < small.data[to]) small.data[to] = gray.data[at];
    }
  }
  return small;
}

/** Keep a hint, if there is any, of each `step` by `step` pixels. */
function shrinkMarks(marks, height, width, step) {
  if (step === 1) return marks;
  const wide = Math.ceil(width / step);
  const small = new Int32Array(Math.ceil(height / step) * wide);
  for (let y = 0, at = 0; y < height; y++) {
    const row = Math.floor(y / step) * wide;
    for (let x = 0; x < width; x++, at++) if (marks[at]) small[row + Math.floor(x / step)] = marks[at];
  }
  return small;
}

/** Estimate the levels of the paper, or of a gray area, below the lines. */
function findPaper(gray) {
  const reach = 2 * Math.max(2, roundEven((Math.min(gray.height, gray.width) * LINE_REACH) / 2)) + 1;
  return close(gray, reach);
}

/** Return by how many levels each pixel of a line is darker than the paper. */
function lineDepth(gray, paper) {
  const depth = gray.data.map((level, at) => depthOf(level, paper.data[at]));
  return makeImage(gray.height, gray.width, 1, depth);
}

function depthOf(level, paper) {
  return level < BLACK ? 255 - level : Math.max(0, paper - level);
}

/** Remove slivers beside hints: colors that an edge mixed with that of another hint. */
function cleanMarks(marks, height, width) {
  const pieces = label(marks, height, width, true);
  const even = findEven(marks, height, width);
  const thick = new Uint8Array(largest(pieces) + 1);
  for (let at = 0; at < marks.length; at++) if (even[at]) thick[pieces[at]] = 1;
  thick[0] = 0;
  const sliver = new Uint8Array(thick.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!pieces[at] || thick[pieces[at]] || sliver[pieces[at]]) continue;
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          if (thick[pieces[v * width + u]]) sliver[pieces[at]] = 1;
        }
      }
    }
  }
  return marks.map((mark, at) => (sliver[pieces[at]] ? 0 : mark));
}

/** Remove what of a hint lies on lines, and where it slipped over one: less than a tenth of its part. */
function dropSlips(marks, regions, height, width) {
  const { parts, isSlip } = findParts(marks, regions, height, width);
  return marks.map((mark, at) => (parts[at] && !isSlip[parts[at]] ? mark : 0));
}

/**
 * Number the parts of hints, one for each hint and region, from 1; 0 is on lines. Tell which of them slipped
 * over a line. `hintOf` and `regionOf` say to what a part belongs.
 */
export function findParts(marks, regions, height, width) {
  const hints = label(marks, height, width, true);
  const parts = new Int32Array(marks.length);
  const sizes = [0];
  const hintOf = [0];
  const regionOf = [0];
  const numbers = new Map();
  const count = largest(regions) + 1;
  let last = -1;
  let number = 0;
  for (let at = 0; at < marks.length; at++) {
    if (!marks[at] || !regions[at]) continue;
    const key = hints[at] * count + regions[at];
    if (key !== last) {
      last = key;
      number = numbers.get(key);
      if (!number) {
        number = sizes.length;
        numbers.set(key, number);
        sizes.push(0);
        hintOf.push(hints[at]);
        regionOf.push(regions[at]);
      }
    }
    sizes[number]++;
    parts[at] = number;
  }
  const most = [];
  sizes.forEach((size, k) => (most[hintOf[k]] = Math.max(size, most[hintOf[k]] ?? 0)));
  const isSlip = sizes.map((size, k) => size < SLIP * most[hintOf[k]]);
  return { parts, isSlip, hintOf, regionOf };
}

/** Return the order in which pixels are flooded: wide places, then narrow ones, then lines. */
function floodHeight(free, clearance, depth) {
  const most = Math.max(1, roundEven(Math.min(depth.height, depth.width) * WIDE));
  const heights = new Uint16Array(free.length);
  for (let at = 0; at < free.length; at++) {
    heights[at] = free[at] ? Math.fround(most - Math.min(clearance[at], most)) : most + depth.data[at];
  }
  return heights;
}

/** Number the regions between lines from 1, with gaps closed; lines have 0. */
function findRegions(free, clearance, gap, height, width) {
  const bound = Math.fround((gap + 1) / 2);
  const wide = new Uint8Array(free.length);
  for (let at = 0; at < wide.length; at++) if (clearance[at] > bound) wide[at] = 1;
  let cores = label(wide, height, width);
  if (gap) {
    const farthest = largest(clearance);
    const closeness = new Uint16Array(free.length);
    for (let at = 0; at < wide.length; at++) closeness[at] = Math.fround(farthest - clearance[at]);
    cores = flood(closeness, cores, height, width, free);
  }
  const left = new Uint8Array(free.length);
  for (let at = 0; at < left.length; at++) if (free[at] && !cores[at]) left[at] = 1;
  const narrow = label(left, height, width);
  const count = largest(cores);
  for (let at = 0; at < left.length; at++) if (left[at]) cores[at] = count + narrow[at];
  return cores;
}

/** Enlarge numbers to the size of the sketch, and put their borders on its lines: an image of Int32. */
function snap(found, sketch, lines) {
  const { step, paper } = lines;
  const { height, width } = sketch;
  if (step === 1) return makeImage(height, width, 1, found);
  const even = findEven(found, paper.height, paper.width);
  const large = new Int32Array(height * width);
  const free = new Uint8Array(height * width);
  let empty = [];
  for (let y = 0, at = 0; y < height; y++) {
    let cell = Math.floor(y / step) * paper.width;
    for (let x = 0; x < width; cell++) {
      const number = even[cell] ? found[cell] + 1 : 0;
      for (const stop = Math.min(width, x + step); x < stop; x++, at++) {
        large[at] = number;
        if (number) continue;
        empty.push(at);
        free[at] = depthOf(sketch.data[at], paper.data[cell]) < LINE_DEPTH ? 1 : 0;
      }
    }
  }
  empty = grow(large, empty, free, 4 * step, height, width);
  empty = grow(large, empty, null, 4 * step, height, width);
  for (let at = 0; at < large.length; at++) large[at]--;
  for (const at of empty) { // far from any even place, such as in a cloud of single pixels
    large[at] = found[Math.floor(Math.floor(at / width) / step) * paper.width + Math.floor((at % width) / step)];
  }
  return makeImage(height, width, 1, large);
}

/**
 * Give empty pixels, where they are `free`, the largest number beside them, up to `times` times. Corners do
 * not count: a square would step through slanting lines. Return the pixels that are still empty.
 */
function grow(large, empty, free, times, height, width) {
  for (let time = 0; time < times && empty.length; time++) {
    const left = [];
    const grown = [];
    for (const at of empty) {
      let most = 0;
      if (!free || free[at]) {
        const x = at % width;
        if (x && large[at - 1] > most) most = large[at - 1];
        if (x < width - 1 && large[at + 1] > most) most = large[at + 1];
        if (at >= width && large[at - width] > most) most = large[at - width];
        if (at + width < large.length && large[at + width] > most) most = large[at + width];
      }
      if (most) grown.push(at, most);
      else left.push(at);
    }
    if (!grown.length) break;
    for (let k = 0; k < grown.length; k += 2) large[grown[k]] = grown[k + 1];
    empty = left;
  }
  return empty;
}

/** Turn what `divide` found into flats, RGBA, and a map of where a hint reaches. */
function paint(found, colors) {
  const { height, width } = found;
  const shades = new Uint32Array(colors.buffer);
  const flats = makeImage(height, width, 4);
  const reached = makeImage(height, width);
  const pixels = new Uint32Array(flats.data.buffer);
  for (let at = 0; at < pixels.length; at++) {
    const number = found.data[at];
    pixels[at] = shades[number >> 1];
    reached.data[at] = number & 1;
  }
  return { flats, reached };
}

function largest(numbers) {
  let most = 0;
  for (let at = 0; at < numbers.length; at++) if (numbers[at] > most) most = numbers[at];
  return most;
}

/** Round halves to even numbers, as Python does. */
function roundEven(number) {
  const low = Math.floor(number);
  if (number - low !== 0.5) return Math.round(number);
  return low % 2 ? low + 1 : low;
}
