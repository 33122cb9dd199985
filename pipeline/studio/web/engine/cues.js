/** Colors -> color cue, as far as coloring makes cues from pictures; as pipeline/operators/cue.py. */

import { makeImage } from "./image.js";
import { gaussianBlur, rint, toLevel, wideBlur } from "./pixels.js";

export const UNIT_SIDE = 256; // sizes in the parameters are pixels of a picture with this side
const WIDE_SIGMA = 8; // sigma in pixels at 256 from which a blur by cosines is faster than one pixel by pixel
const KMEANS_ROUNDS = 50; // maximum number of rounds
export const HINT_METHODS = ["strokes", "points"];
export const CUE = { method: "gaussian", sigma: 20, colors: 6 }; // what `params.Cue` has by default

/** Make the cue of a picture, uint8 RGB: a blur, a palette, or an empty one. */
export function drawCue(image, params) {
  const { method, sigma, colors } = { ...CUE, ...params };
  if (method === "gaussian") return blurColors(image, sigma);
  if (method === "palette") return paletteBlocks(dominantColors(image, colors), image.height, image.width);
  return emptyCue(image.height, image.width);
}

/** Return a cue without any color: white. */
export function emptyCue(height, width) {
  return makeImage(height, width, 3, new Uint8Array(3 * height * width).fill(255));
}

/** Blur with a Gaussian of sigma pixels at 256, scaled with the short side; the border is reflected. */
export function blurColors(image, sigma) {
  const { height, width, data } = image;
  const scaled = (sigma * Math.min(height, width)) / UNIT_SIDE;
  const blurred = sigma < WIDE_SIGMA || scaled < 1 ? gaussianBlur(image, scaled) : wideBlur(image, scaled);
  const made = makeImage(height, width, 3);
  for (let i = 0; i < data.length; i++) made.data[i] = toLevel(blurred.data[i]);
  return made;
}

/**
 * Find up to `colors` dominant colors of a picture by k-means, the most frequent first.
 *
 * @returns {number[][]} [red, green, blue] in levels
 */
export function dominantColors(image, colors) {
  const { shades, counts } = colorBins(image);
  let centers = [shades[firstOfMost(counts)]];
  while (centers.length < colors) {
    const least = (shade) => Math.min(...centers.map((center) => distance(shade, center)));
    const errors = shades.map((shade, i) => counts[i] * least(shade));
    if (!errors.some(Boolean)) break;
    centers.push(shades[firstOfMost(errors)]);
  }
  let sizes = [];
  for (let round = 0; round < KMEANS_ROUNDS; round++) {
    const nearest = shades.map((shade) => firstOfMost(centers.map((center) => -distance(shade, center))));
    const before = centers;
    ({ sizes, centers } = groupMeans(shades, counts, nearest));
    if (centers.flat().join() === before.flat().join()) break;
  }
  const order = [...centers.keys()].sort((a, b) => sizes[b] - sizes[a] || a - b);
  return order.map((i) => centers[i].map(rint));
}

/** Return the mean color and the number of pixels of each bin of 8 levels that is not empty. */
function colorBins({ data }) {
  const sizes = new Float64Array(1 << 15), sums = new Float64Array(3 << 15);
  for (let at = 0; at < data.length; at += 3) {
    const bin = ((data[at] >> 3) << 10) | ((data[at + 1] >> 3) << 5) | (data[at + 2] >> 3);
    sizes[bin]++;
    for (let c = 0; c < 3; c++) sums[3 * bin + c] += data[at + c];
  }
  const bins = [...sizes.keys()].filter((bin) => sizes[bin]);
  return {
    shades: bins.map((bin) => [0, 1, 2].map((c) => sums[3 * bin + c] / sizes[bin])),
    counts: bins.map((bin) => sizes[bin]),
  };
}

/** Return the size and the mean color of each group that is not empty. */
function groupMeans(shades, counts, group) {
  const found = new Map();
  shades.forEach((shade, i) => {
    const sums = found.get(group[i]) ?? [0, 0, 0, 0];
    sums[3] += counts[i];
    for (let c = 0; c < 3; c++) sums[c] += counts[i] * shade[c];
    found.set(group[i], sums);
  });
  const groups = [...found.keys()].sort((a, b) => a - b).map((number) => found.get(number));
  return {
    sizes: groups.map((sums) => sums[3]),
    centers: groups.map((sums) => [0, 1, 2].map((c) => sums[c] / sums[3])),
  };
}

function distance(a, b) {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}

function firstOfMost(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/** Lay out colors from left to right in blocks of equal width; narrow pictures lose some colors. */
export function paletteBlocks(colors, height, width) {
  const made = makeImage(height, width, 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      made.data.set(colors[Math.floor((x * colors.length) / width)], at);
    }
  }
  return made;
}
