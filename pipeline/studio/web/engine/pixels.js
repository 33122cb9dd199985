/**
 * Resize, blur and convert pixels, as pipeline/images/pixels.py, and what it takes from OpenCV.
 *
 * Values of uint8 come out exactly as in Python: areas are summed in float32 in OpenCV's order, and what is
 * enlarged is computed in float64 and rounded once, as `lineart.fit` does.
 */

import { makeImage } from "./image.js";

const HALVES = 6755399441055744; // 1.5 * 2 ** 52: above it, float64 has no fractions
const LEAST = 1e-3; // of a pixel: a smaller part does not count for an area
const A = -0.75; // of the cubic
const f = Math.fround;

/** Round a number below 2 ** 51, halves to even. */
export function rint(value) {
  return value + HALVES - HALVES;
}

/** Round and clip to a level. */
export function toLevel(value) {
  return value <= 0 ? 0 : value >= 255 ? 255 : value + HALVES - HALVES;
}

/**
 * Resize: the mean of the covered area when shrinking, bicubic when enlarging. Of uint8 make uint8, else
 * float32.
 *
 * @param {import("./image.js").Image} image
 * @param {number} width
 * @param {number} height
 * @returns {import("./image.js").Image} the image itself if it has this size
 */
export function resize(image, width, height) {
  if (image.width === width && image.height === height) return image;
  if (width <= image.width && height <= image.height) return shrink(image, width, height);
  return weigh(image, cubicTaps(image.width, width), cubicTaps(image.height, height));
}

/** Enlarge or shrink float32 linearly, without a mean. */
export function resizeLinear(image, width, height) {
  if (image.width === width && image.height === height) return image;
  return weigh(image, linearTaps(image.width, width), linearTaps(image.height, height));
}

/** Take the nearest pixels; mix nothing. */
export function resizeNearest(image, width, height) {
  if (image.width === width && image.height === height) return image;
  const { channels, data } = image;
  const made = makeImage(height, width, channels, data.constructor);
  const columns = nearestPlaces(image.width, width), rows = nearestPlaces(image.height, height);
  let at = 0;
  for (let y = 0; y < height; y++) {
    const row = rows[y] * image.width;
    for (let x = 0; x < width; x++) {
      for (let c = 0, from = (row + columns[x]) * channels; c < channels; c++) made.data[at++] = data[from++];
    }
  }
  return made;
}

/** Say which of `few` pixels each of `many` takes, or the other way round, as OpenCV rounds it. */
function nearestPlaces(few, many) {
  const scale = 1 / (many / few);
  return Int32Array.from({ length: many }, (_, x) => Math.min(Math.floor(x * scale), few - 1));
}

function emptyLike(image, height, width) {
  const isLevel = image.data.BYTES_PER_ELEMENT === 1;
  return makeImage(height, width, image.channels, isLevel ? Uint8Array : Float32Array);
}

function shrink(image, width, height) {
  const across = image.width / width, down = image.height / height;
  if (Number.isInteger(across) && Number.isInteger(down)) return shrinkEvenly(image, width, height);
  const { channels, data } = image;
  const made = emptyLike(image, height, width);
  const isLevel = made.data instanceof Uint8Array;
  const columns = areaTaps(image.width, width), rows = areaTaps(image.height, height);
  const line = width * channels;
  const narrow = new Float32Array(line), total = new Float32Array(line);
  let read = -1;
  for (let y = 0; y < height; y++) {
    for (let tap = rows.start[y]; tap < rows.start[y + 1]; tap++) {
      if (rows.place[tap] !== read) {
        read = rows.place[tap];
        narrowRow(data, read * image.width * channels, channels, columns, narrow);
      }
      const weight = rows.weight[tap];
      if (tap === rows.start[y]) for (let i = 0; i < line; i++) total[i] = f(weight * narrow[i]);
      else for (let i = 0; i < line; i++) total[i] = f(total[i] + f(weight * narrow[i]));
    }
    const at = y * line;
    if (isLevel) for (let i = 0; i < line; i++) made.data[at + i] = toLevel(total[i]);
    else made.data.set(total, at);
  }
  return made;
}

function narrowRow(data, row, channels, { start, place, weight }, narrow) {
  const width = start.length - 1;
  for (let x = 0; x < width; x++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let tap = start[x]; tap < start[x + 1]; tap++) {
        sum = f(sum + f(data[row + place[tap] * channels + c] * weight[tap]));
      }
      narrow[x * channels + c] = sum;
    }
  }
}

/** Take the mean of whole pixels. OpenCV rounds the mean of four of them up. */
function shrinkEvenly(image, width, height) {
  const { channels, data } = image;
  const across = image.width / width, down = image.height / height;
  const made = emptyLike(image, height, width);
  const isLevel = made.data instanceof Uint8Array, isFour = across === 2 && down === 2;
  const share = f(1 / (across * down));
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let v = 0; v < down; v++) {
          const row = ((y * down + v) * image.width + x * across) * channels + c;
          for (let u = 0; u < across; u++) sum += data[row + u * channels];
        }
        made.data[at++] = !isLevel ? sum * share : isFour ? (sum + 2) >> 2 : toLevel(f(sum * share));
      }
    }
  }
  return made;
}

/** Say which pixels a smaller one covers, and by which shares: those of x are start[x] to start[x + 1]. */
function areaTaps(many, few) {
  const scale = 1 / (few / many);
  const start = new Int32Array(few + 1), place = [], weight = [];
  for (let x = 0; x < few; x++) {
    const from = x * scale, to = from + scale, size = Math.min(scale, many - from);
    const last = Math.min(Math.floor(to), many - 1), first = Math.min(Math.ceil(from), last);
    const add = (at, share) => (place.push(at), weight.push(f(share)));
    if (first - from > LEAST) add(first - 1, (first - from) / size);
    for (let at = first; at < last; at++) add(at, 1 / size);
    if (to - last > LEAST) add(last, Math.min(Math.min(to - last, 1), size) / size);
    start[x + 1] = place.length;
  }
  return { start, place: Int32Array.from(place), weight: Float32Array.from(weight) };
}

/** Give each pixel a place before it and its way to the next: float32, as OpenCV computes them. */
function places(few, many) {
  const scale = 1 / (many / few);
  return Array.from({ length: many }, (_, x) => {
    const place = f((x + 0.5) * scale - 0.5);
    return [Math.floor(place), f(place - Math.floor(place))];
  });
}

function cubicTaps(few, many) {
  return spreadTaps(few, places(few, many), cubicWeights);
}

/** Compute the weights in float32, each operation rounded as OpenCV rounds it. */
function cubicWeights(x) {
  const times = (a, b) => f(a * b), plus = (a, b) => f(a + b);
  const far = plus(x, 1), rest = f(1 - x);
  const w0 = plus(times(plus(times(plus(times(A, far), -5 * A), far), 8 * A), far), -4 * A);
  const near = (way) => plus(times(times(plus(times(A + 2, way), -(A + 3)), way), way), 1);
  const w1 = near(x), w2 = near(rest);
  return [w0, w1, w2, f(f(f(1 - w0) - w1) - w2)];
}

function linearTaps(few, many) {
  const exact = Array.from({ length: many }, (_, x) => {
    const place = ((x + 0.5) * few) / many - 0.5;
    return [Math.floor(place), f(place - Math.floor(place))];
  });
  return spreadTaps(few, exact, (x) => [0, f(1 - x), x, 0]);
}

function spreadTaps(few, spots, weights) {
  const place = new Int32Array(4 * spots.length), weight = new Float64Array(4 * spots.length);
  spots.forEach(([before, way], x) => {
    weights(way).forEach((each, k) => {
      place[4 * x + k] = Math.min(Math.max(before + k - 1, 0), few - 1);
      weight[4 * x + k] = each;
    });
  });
  return { place, weight };
}

/** Mix four pixels across and four down for each pixel, in float64. */
function weigh(image, columns, rows) {
  const { channels, data } = image;
  const width = columns.place.length / 4, height = rows.place.length / 4, line = width * channels;
  const made = emptyLike(image, height, width);
  const isLevel = made.data instanceof Uint8Array;
  const kept = new Map();
  const wide = (row) => {
    if (!kept.has(row)) {
      if (kept.size > 4) kept.delete(kept.keys().next().value);
      kept.set(row, widenRow(data, row * image.width * channels, channels, columns));
    }
    return kept.get(row);
  };
  for (let y = 0; y < height; y++) {
    const [a, b, c, d] = [0, 1, 2, 3].map((k) => wide(rows.place[4 * y + k]));
    const [p, q, r, s] = rows.weight.subarray(4 * y, 4 * y + 4);
    const at = y * line;
    for (let i = 0; i < line; i++) {
      const sum = a[i] * p + b[i] * q + c[i] * r + d[i] * s;
      made.data[at + i] = isLevel ? toLevel(sum) : sum;
    }
  }
  return made;
}

function widenRow(data, row, channels, { place, weight }) {
  const wide = new Float64Array((place.length / 4) * channels);
  for (let x = 0; x < place.length; x += 4) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let tap = x; tap < x + 4; tap++) sum += data[row + c + place[tap] * channels] * weight[tap];
      wide[(x / 4) * channels + c] = sum;
    }
  }
  return wide;
}

/** Return the luma (H, W) of RGB or RGBA pixels, as OpenCV rounds it. */
export function grayscale(image) {
  const { height, width, channels, data } = image;
  const gray = makeImage(height, width);
  for (let i = 0, at = 0; i < gray.data.length; i++, at += channels) {
    gray.data[i] = (data[at] * 9798 + data[at + 1] * 19235 + data[at + 2] * 3735 + 16384) >> 15;
  }
  return gray;
}

/**
 * Lay RGBA pixels on white as RGB, as `codec.on_white`; Pillow composites in these integers.
 *
 * @param {import("./image.js").Image} image uint8 (H, W, 4)
 * @returns {import("./image.js").Image} uint8 (H, W, 3)
 */
export function onWhite(image) {
  const made = makeImage(image.height, image.width, 3);
  const { data } = image, out = made.data;
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3];
    if (alpha === 255) {
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    } else if (alpha === 0) {
      out[to] = out[to + 1] = out[to + 2] = 255;
    } else {
      for (let c = 0; c < 3; c++) out[to + c] = blendOnWhite(data[from + c], alpha);
    }
  }
  return made;
}

function blendOnWhite(level, alpha) {
  const sum = 128 * (level * alpha + 255 * (255 - alpha) + 128);
  return ((sum >> 8) + sum) >> 15;
}

/** Blur float32 with a Gaussian cut at 4 `sigma` pixels; reflect the border. */
export function gaussianBlur(image, sigma) {
  const reach = Math.floor(4 * sigma + 0.5);
  const gauss = (_, i) => Math.exp(-((i - reach) ** 2) / (2 * sigma * sigma));
  const weights = Float64Array.from({ length: 2 * reach + 1 }, gauss);
  const total = weights.reduce((sum, each) => sum + each);
  return blurBy(image, weights.map((each) => each / total), mirror);
}

/** Take the mean of squares of pixels, float32; mirror the border around its last pixel. */
export function boxBlur(image, reach) {
  const side = 2 * reach + 1;
  return blurBy(image, new Float64Array(side).fill(1 / side), mirrorAround);
}

function mirror(at, side) {
  while (at < 0 || at >= side) at = at < 0 ? -1 - at : 2 * side - 1 - at;
  return at;
}

function mirrorAround(at, side) {
  if (side === 1) return 0;
  while (at < 0 || at >= side) at = at < 0 ? -at : 2 * side - 2 - at;
  return at;
}

function blurBy(image, weights, border) {
  const { height, width, channels, data } = image;
  const reach = (weights.length - 1) / 2, line = width * channels;
  const across = new Float32Array(data.length), made = makeImage(height, width, channels, Float32Array);
  const column = (_, x) => border(x - reach, width) * channels;
  const columns = Int32Array.from({ length: width + 2 * reach }, column);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[y * line + columns[x + k] + c];
        across[y * line + x * channels + c] = sum;
      }
    }
  }
  const sums = new Float64Array(line);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const row = border(y + k - reach, height) * line, weight = weights[k];
      for (let i = 0; i < line; i++) sums[i] += weight * across[row + i];
    }
    made.data.set(sums, y * line);
  }
  return made;
}

/**
 * Blur to float64 with a Gaussian of 1 pixel or more; reflect the border.
 *
 * With this border, a blur only scales the cosines of the DCT, and a wide blur leaves few of them.
 */
export function wideBlur(image, sigma) {
  const { height, width, channels, data } = image;
  const down = cosineBasis(height, sigma), across = cosineBasis(width, sigma);
  const few = down.length / height, line = width * channels;
  const rows = project(data, down, few, height, line);
  const turned = new Float64Array(few * line);
  for (let n = 0; n < few; n++) {
    const row = rows.subarray(n * line, (n + 1) * line);
    const waves = project(row, across, across.length / width, width, channels);
    turned.set(expand(waves, across, across.length / width, width, channels), n * line);
  }
  return makeImage(height, width, channels, expand(turned, down, few, height, line));
}

/**
 * Multiply waves (n, side) and values (side, line). Even waves see sums of mirrored rows, odd ones
 * differences; four rows at once take half the time.
 */
function project(values, waves, count, side, line) {
  const made = new Float64Array(count * line), half = (side + 1) >> 1;
  const sums = new Float64Array(4 * line), differences = new Float64Array(4 * line);
  for (let top = 0; top < half; top += 4) {
    for (let k = 0; k < 4; k++) fold(values, top + k, side, line, sums, differences, k * line);
    for (let n = 0; n < count; n++) {
      const [a, b, c, d] = [0, 1, 2, 3].map((k) => (top + k < half ? waves[n * side + top + k] : 0));
      const part = n & 1 ? differences : sums;
      for (let i = 0, at = n * line; i < line; i++, at++) {
        made[at] += a * part[i] + b * part[line + i] + c * part[2 * line + i] + d * part[3 * line + i];
      }
    }
  }
  return made;
}

/** Add a row and its mirrored one, and subtract them; the row in the middle is its own mirror. */
function fold(values, y, side, line, sums, differences, at) {
  const top = y * line, bottom = (side - 1 - y) * line;
  if (bottom < top) return;
  const half = top === bottom ? 0.5 : 1;
  for (let i = 0; i < line; i++) {
    sums[at + i] = half * (values[top + i] + values[bottom + i]);
    differences[at + i] = values[top + i] - values[bottom + i];
  }
}

/** Multiply the transposed waves (n, side) and values (n, line). */
function expand(values, waves, count, side, line) {
  const made = new Float64Array(side * line);
  const even = new Float64Array(line), odd = new Float64Array(line);
  for (let y = 0; 2 * y < side; y++) {
    even.fill(0);
    odd.fill(0);
    for (let n = 0; n < count; n += 8) {
      addWaves(even, values, waves, n, y, count, side, line);
      addWaves(odd, values, waves, n + 1, y, count, side, line);
    }
    const top = y * line, bottom = (side - 1 - y) * line;
    for (let i = 0; i < line; i++) {
      made[bottom + i] = even[i] - odd[i];
      made[top + i] = even[i] + odd[i];
    }
  }
  return made;
}

/** Add every second one of eight waves. */
function addWaves(total, values, waves, first, y, count, side, line) {
  const numbers = [first, first + 2, first + 4, first + 6];
  const [a, b, c, d] = numbers.map((n) => (n < count ? waves[n * side + y] : 0));
  const [p, q, r, s] = numbers.map((n) => (n < count ? n : 0) * line);
  for (let i = 0; i < line; i++) {
    total[i] += a * values[p + i] + b * values[q + i] + c * values[r + i] + d * values[s + i];
  }
}

const bases = new Map();

/** Return the cosines (n, side) that a Gaussian keeps, each times the square root of its gain. */
function cosineBasis(side, sigma) {
  const key = `${side} ${sigma}`;
  if (!bases.has(key)) {
    if (bases.size > 8) bases.clear();
    bases.set(key, makeBasis(side, sigma));
  }
  return bases.get(key);
}

function makeBasis(side, sigma) {
  const count = Math.min(side, Math.floor((4.8 * side) / (Math.PI * sigma)) + 1);
  const waves = new Float64Array(count * side);
  for (let n = 0; n < count; n++) {
    const angle = (Math.PI * n) / side;
    const gain = Math.sqrt((n ? 2 : 1) / side) * Math.exp(-((sigma * angle) ** 2) / 4);
    for (let x = 0; x < side; x++) waves[n * side + x] = Math.cos(angle * (x + 0.5)) * gain;
  }
  return waves;
}
