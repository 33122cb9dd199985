/** Scanned drawings: the tint of their paper, and what they look like, as pipeline/models/scans.py. */

import { makeImage } from "./image.js";
import { Enlarged } from "./lineart.js";
import { grayscale, toLevel } from "./pixels.js";

const WHITE_PAPER = 250; // levels from which paper needs no leveling
const GRID = 16; // patches along the longer side, in each of which paper is looked for
const PAPER_SHARE = 90; // percentile of the levels of a patch that is taken for its paper
const DARKER = 0.8; // of the brightest patch: a darker one has no paper
const LIFT = 1.03; // leveled paper is as much brighter, so that its grain is white
const HUES = 4; // levels by which hues deviate from one tint, at least, if there are several
const MOSTLY_DARK = 100; // levels: where more than half of a picture is darker, lines are light on dark

/** Divide a drawing, uint8 RGB, by the color of its paper, which may change slowly; white paper stays. */
export function levelPaper(image) {
  const patches = paperPatches(image);
  const { height, width, data } = patches;
  const mean = (_, i) => (data[3 * i] + data[3 * i + 1] + data[3 * i + 2]) / 3;
  const bright = Array.from({ length: height * width }, mean);
  const brightest = Math.max(...bright);
  const paper = bright.map((each) => each >= DARKER * brightest);
  const levels = [...data].filter((_, i) => paper[Math.floor(i / 3)]);
  if (median(levels) >= WHITE_PAPER || brightest < MOSTLY_DARK) return image;
  const tint = new Enlarged(smoothPaper(patches, paper), image.height, image.width);
  const made = makeImage(image.height, image.width, 3);
  const line = 3 * image.width;
  for (let y = 0; y < image.height; y++) {
    const row = tint.row(y);
    for (let i = 0, at = y * line; i < line; i++, at++) {
      made.data[at] = toLevel(image.data[at] * ((255 * LIFT) / row[i]));
    }
  }
  return made;
}

/** Fit a polynomial of the second degree to the patches of paper, by least squares. */
function smoothPaper(patches, paper) {
  const { height, width, data } = patches;
  const most = Math.max(height, width);
  const basis = Array.from({ length: height * width }, (_, i) => {
    const x = (i % width) / most, y = Math.floor(i / width) / most;
    return [1, x, y, x * y, x * x, y * y];
  });
  const rows = basis.filter((_, i) => paper[i]);
  const smooth = makeImage(height, width, 3, Float64Array);
  for (let c = 0; c < 3; c++) {
    const wanted = Array.from(paper.keys()).filter((i) => paper[i]).map((i) => data[3 * i + c]);
    const weights = leastSquares(rows, wanted);
    basis.forEach((row, i) => {
      const level = row.reduce((sum, each, k) => sum + each * weights[k], 0);
      smooth.data[3 * i + c] = Math.min(Math.max(level, 1), 255);
    });
  }
  return smooth;
}

/** Return a bright color of each of up to 16 x 16 patches, float64 (rows, columns, 3). */
function paperPatches(image) {
  const { height, width, data } = image;
  const side = Math.ceil(Math.max(height, width) / GRID);
  const patches = makeImage(Math.ceil(height / side), Math.ceil(width / side), 3, Float64Array);
  const counts = [0, 1, 2].map(() => new Uint32Array(256));
  for (let row = 0; row < patches.height; row++) {
    for (let column = 0; column < patches.width; column++) {
      for (const count of counts) count.fill(0);
      const bottom = Math.min(height, (row + 1) * side), right = Math.min(width, (column + 1) * side);
      for (let y = row * side; y < bottom; y++) {
        for (let x = column * side, at = 3 * (y * width + x); x < right; x++, at += 3) {
          counts[0][data[at]]++;
          counts[1][data[at + 1]]++;
          counts[2][data[at + 2]]++;
        }
      }
      const size = (bottom - row * side) * (right - column * side);
      counts.forEach((count, c) => {
        patches.data[3 * (row * patches.width + column) + c] = percentile(count, size, PAPER_SHARE / 100);
      });
    }
  }
  return patches;
}

/** Return a percentile of counted levels, between two of them as NumPy computes it. */
function percentile(counts, size, share) {
  const place = (size - 1) * share, before = Math.floor(place), way = place - before;
  const first = nthLevel(counts, before), second = nthLevel(counts, Math.min(before + 1, size - 1));
  return way >= 0.5 ? second - (second - first) * (1 - way) : first + (second - first) * way;
}

function nthLevel(counts, n) {
  let level = 0;
  for (let seen = counts[0]; seen <= n; seen += counts[level]) level++;
  return level;
}

function median(values) {
  const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
  return sorted.length & 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Solve by singular values (one-sided Jacobi); of several solutions take the smallest, as NumPy does. */
function leastSquares(rows, wanted) {
  const size = rows[0].length;
  const left = Array.from({ length: size }, (_, k) => rows.map((row) => row[k])); // columns
  const right = Array.from({ length: size }, (_, k) => Array.from({ length: size }, (_, i) => +(i === k)));
  for (let changed = true, sweep = 0; changed && sweep < 60; sweep++) {
    changed = false;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) changed = rotate(left, right, p, q) || changed;
    }
  }
  const values = left.map((column) => Math.sqrt(dot(column, column)));
  const least = Math.max(...values) * Number.EPSILON * Math.max(rows.length, size);
  const solution = new Array(size).fill(0);
  values.forEach((value, k) => {
    if (value <= least) return;
    const part = dot(left[k], wanted) / (value * value);
    right[k].forEach((each, i) => (solution[i] += part * each));
  });
  return solution;
}

/** Turn two columns so that they are orthogonal; return whether they were not. */
function rotate(left, right, p, q) {
  const a = dot(left[p], left[p]), b = dot(left[q], left[q]), both = dot(left[p], left[q]);
  if (both === 0 || Math.abs(both) <= 1e-15 * Math.sqrt(a * b)) return false;
  const turn = (b - a) / (2 * both);
  const tangent = (turn < 0 ? -1 : 1) / (Math.abs(turn) + Math.hypot(1, turn));
  const cos = 1 / Math.hypot(1, tangent), sin = cos * tangent;
  for (const columns of [left, right]) {
    const [first, second] = [columns[p], columns[q]];
    for (let i = 0; i < first.length; i++) {
      const kept = first[i];
      first[i] = cos * kept - sin * second[i];
      second[i] = sin * kept + cos * second[i];
    }
  }
  return true;
}

function dot(a, b) {
  return a.reduce((sum, each, i) => sum + each * b[i], 0);
}

/** Return whether most of an RGB picture is dark: its lines must be light. */
export function isInverted(image) {
  const counts = new Uint32Array(256), gray = grayscale(image).data;
  for (const level of gray) counts[level]++;
  return percentile(counts, gray.length, 0.5) < MOSTLY_DARK;
}

/** Return whether an RGB picture has several hues; paper, pencil or ink of one tint is not enough. */
export function isColored(image) {
  const { data } = levelPaper(image);
  const size = data.length / 3;
  let first = 0, second = 0;
  for (let at = 0; at < data.length; at += 3) {
    first += data[at] - data[at + 1];
    second += data[at + 1] - data[at + 2];
  }
  first /= size;
  second /= size;
  let a = 0, b = 0, c = 0;
  for (let at = 0; at < data.length; at += 3) {
    const u = data[at] - data[at + 1] - first, v = data[at + 1] - data[at + 2] - second;
    a += u * u;
    b += u * v;
    c += v * v;
  }
  const across = (a + c) / 2 - Math.hypot((a - c) / 2, b); // shades of one tint lie on a line
  return across / size > HUES ** 2;
}
