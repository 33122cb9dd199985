/** The fill tool: it plans the strokes that give the region at a place exactly one color. */

import { OPAQUE, findParts, numberColors } from "../engine/flats.js";

/**
 * Plan to fill the region at a place of a `Drawing` of engine/flats.js, with hints, RGBA, as they are so far.
 *
 * Return runs of pixels to `erase` and then to `paint` in the color, as draw/layer.js takes them; null if the
 * drawing has no regions. The other hints of the region go, and a dot comes, of `radius` pixels at most. So
 * the strokes say all, and `prep colorize --cue` makes the same of them. With a radius of 0 no dot comes.
 */
export function planFill(drawing, hints, x, y, radius) {
  if (!drawing.count) return null;
  const numbers = drawing.number();
  const region = numbers.data[y * numbers.width + x];
  const { marks } = numberColors(hints);
  const cells = findCells(drawing, marks, region);
  const { step } = drawing.lines;
  const wide = drawing.lines.depth.width;
  const dot = radius ? placeDot(drawing, region, x, y, radius) : null;
  const cellAt = (u, v) => Math.floor(v / step) * wide + Math.floor(u / step);
  const inDot = (u, v) => dot && drawing.regions[cellAt(u, v)] === region && covers(dot, u, v);
  const besideDot = (u, v) => dot && Math.hypot(u + 0.5 - dot.x, v + 0.5 - dot.y) <= dot.radius + 2 * step;
  const goes = (u, v) => {
    const at = v * hints.width + u;
    if (hints.data[4 * at + 3] < OPAQUE) return false;
    return numbers.data[at] === region || cells[cellAt(u, v)] || besideDot(u, v);
  };
  const erase = findRuns([0, 0, hints.width, hints.height], goes);
  return { erase, paint: dot ? findRuns(boxAround(dot, hints), inDot) : new Int32Array() };
}

/**
 * Find the cells, of `step` by `step` pixels, whose hints go: those of the region, slivers, and where hints
 * of the region slipped over a line. Neither slivers nor slips count, but they would without what they belong
 * to.
 */
function findCells(drawing, marks, region) {
  const { height, width } = drawing.lines.depth;
  const small = drawing.shrink(marks);
  const clean = drawing.clean(small);
  const { parts, isSlip, hintOf, regionOf } = findParts(clean, drawing.regions, height, width);
  const touching = new Set(hintOf.filter((_, part) => regionOf[part] === region));
  return drawing.regions.map((number, at) => {
    const slipped = isSlip[parts[at]] && touching.has(hintOf[parts[at]]);
    return number === region || slipped || small[at] !== clean[at] ? 1 : 0;
  });
}

/**
 * Choose the place of a dot: where it fits into the region, or else has most space; of those, the nearest.
 */
function placeDot(drawing, region, x, y, radius) {
  const { step, depth } = drawing.lines;
  const [column, row] = [Math.floor(x / step), Math.floor(y / step)];
  let most = 0;
  let nearest = Infinity;
  let place = 0;
  for (let at = 0; at < drawing.regions.length; at++) {
    if (drawing.regions[at] !== region) continue;
    const space = Math.min(drawing.clearance[at], radius / step + 1);
    const far = (at % depth.width - column) ** 2 + (Math.floor(at / depth.width) - row) ** 2;
    if (space < most || (space === most && far >= nearest)) continue;
    [most, nearest, place] = [space, far, at];
  }
  const middle = (cell) => (cell + 0.5) * step;
  return {
    x: middle(place % depth.width),
    y: middle(Math.floor(place / depth.width)),
    radius: Math.max(step * Math.SQRT1_2, Math.min(radius, (most - 1) * step)), // the whole cell, at least
  };
}

function covers(dot, u, v) {
  return Math.hypot(u + 0.5 - dot.x, v + 0.5 - dot.y) <= dot.radius;
}

function boxAround({ x, y, radius }, { height, width }) {
  const [left, top] = [Math.floor(x - radius), Math.floor(y - radius)].map((side) => Math.max(0, side));
  return [left, top, Math.min(width, Math.ceil(x + radius)), Math.min(height, Math.ceil(y + radius))];
}

/** Collect the pixels of a rectangle for which a test holds, as runs. */
function findRuns([left, top, right, bottom], test) {
  const runs = [];
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      if (!test(x, y)) continue;
      const start = x;
      while (x < right && test(x, y)) x++;
      runs.push(y, start, x);
    }
  }
  return Int32Array.from(runs);
}
