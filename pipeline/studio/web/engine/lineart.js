/**
 * The colors of a small picture, brought to the full size of a drawing under the artist's own lines, as
 * pipeline/models/lineart.py, which says more.
 */

import { UNIT_SIDE } from "./cues.js";
import { makeImage } from "./image.js";
import { boxBlur, gaussianBlur, resize, resizeLinear, toLevel, wideBlur } from "./pixels.js";

const LINE_GAIN = 2; // thin lines turn gray when they are reduced, and are darkened by at most this factor
const CLEAR_POWER = 4, CLEAR_SIGMA = 1; // colors count by this power of the light, within this blur
export const REGION_GAP = 1 / 64; // of the short side: wider gaps join regions
const ROUNDS = 2, PROJECTIONS = 2; // of evening, and of back-projection after each
const EVEN = 0.5; // how far colors are moved to the mean of their region at last
const LEAST_LIGHT = 0.2; // of a blurred drawing, by which missing colors are divided
const GUIDE_RADIUS = 2, GUIDE_NOISE = 100; // of the guided filter: pixels, and squared levels of brightness
const ROWS_AT_ONCE = 256; // rows that are composed before a pause
const f = Math.fround;

/** A small map, float, enlarged linearly to a height and width: one row at a time. */
export class Enlarged {
  constructor(small, height, width) {
    Object.assign(this, { small, height, width });
    this.line = small.width * small.channels;
    this.columns = Array.from({ length: width }, (_, x) => neighbors(x, small.width, width));
    this.left = Int32Array.from(this.columns, ([first]) => first * small.channels);
    this.right = Int32Array.from(this.columns, ([, second]) => second * small.channels);
    this.way = Float64Array.from(this.columns, ([, , way]) => way);
    this.wide = new Map();
    this.made = new Float64Array(width * small.channels);
  }

  /** Return the values of a row; the next call overwrites them. */
  row(y) {
    const [first, second, way] = neighbors(y, this.small.height, this.height);
    const above = this.widen(first), below = this.widen(second), { made } = this;
    for (let i = 0; i < made.length; i++) made[i] = above[i] + (below[i] - above[i]) * way;
    return made;
  }

  widen(y) {
    if (this.wide.has(y)) return this.wide.get(y);
    const used = this.wide.size > 1 ? this.wide.keys().next().value : null;
    const row = used === null ? new Float64Array(this.made.length) : this.wide.get(used);
    this.wide.delete(used);
    const { data, channels } = this.small, start = y * this.line;
    for (let x = 0, at = 0; x < this.width; x++) {
      for (let c = 0; c < channels; c++, at++) {
        const first = data[start + this.left[x] + c];
        row[at] = first + (data[start + this.right[x] + c] - first) * this.way[x];
      }
    }
    this.wide.set(y, row);
    return row;
  }
}

/** Return the two of `few` pixels between which one of `many` lies, and its way from one to the other. */
function neighbors(x, few, many) {
  const place = (x + 0.5) * (few / many) - 0.5, before = Math.floor(place);
  return [Math.max(before, 0), Math.min(before + 1, few - 1), place - before];
}

/** Return height and width scaled so that the short side is `side` pixels. */
export function scaledSize(height, width, side) {
  const scale = side / Math.min(height, width);
  return [height, width].map((each) => Math.max(1, roundEven(each * scale)));
}

function roundEven(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

/** Resize a gray drawing, and darken lines that became gray as they were thinner than a pixel. */
export function reduceLines(gray, height, width) {
  const gain = Math.min(Math.max(Math.min(gray.height, gray.width) / Math.min(height, width), 1), LINE_GAIN);
  const small = resize(gray, width, height);
  const darken = (level) => toLevel(255 - Math.min((255 - level) * gain, 255));
  return makeImage(height, width, 1, small.data.map(darken));
}

/** Replace the colors of lines by those around them: uint8 (h, w, 3) and (h, w) -> float32 (h, w, 3). */
export function clearLines(picture, sketch) {
  const { height, width } = picture;
  const weighted = makeImage(height, width, 4, Float32Array);
  for (let i = 0; i < sketch.data.length; i++) {
    const light = f((sketch.data[i] / 255) ** CLEAR_POWER + 1e-3);
    for (let c = 0; c < 3; c++) weighted.data[4 * i + c] = picture.data[3 * i + c] * light;
    weighted.data[4 * i + 3] = light;
  }
  const { data } = gaussianBlur(weighted, CLEAR_SIGMA);
  const made = makeImage(height, width, 3, Float32Array);
  for (let i = 0; i < sketch.data.length; i++) {
    for (let c = 0; c < 3; c++) made.data[3 * i + c] = data[4 * i + c] / data[4 * i + 3];
  }
  return made;
}

/**
 * What of a drawing the colors settle on, kept for all colors: its regions, and their numbers and light at
 * the size at which colors settle.
 */
export class Ground {
  /**
   * @param {Image} gray uint8 (H, W)
   * @param {Image} regions their numbers, int32 (H, W), by REGION_GAP
   * @param {number} most pixels of the longer side at which colors settle
   */
  constructor(gray, regions, most = 2000) {
    Object.assign(this, { gray, regions });
    const step = Math.ceil(Math.max(gray.height, gray.width) / most);
    this.step = step;
    this.near = pick(regions, step);
    const { height, width } = this.near;
    const small = resize(gray, width, height);
    this.light = makeImage(height, width, 1, Float32Array.from(small.data, (level) => level / 255));
    this.count = 1 + this.near.data.reduce((most, each) => Math.max(most, each), 0);
    for (const number of regions.data) if (number >= this.count) this.count = number + 1;
    this.sure = new Map();
    this.lit = new Map();
  }

  /** Say how sure the colors of a network are that made them at a size: beside a line, they are not. */
  sureOf(height, width) {
    const key = `${height} ${width}`;
    if (!this.sure.has(key)) {
      this.sure.clear();
      const small = resize(this.gray, width, height);
      const light = makeImage(height, width, 1, Float32Array.from(small.data, (level) => level / 255));
      const near = resizeLinear(light, this.near.width, this.near.height);
      this.sure.set(key, near.data.map((each) => each ** CLEAR_POWER));
    }
    return this.sure.get(key);
  }

  /** Blur the light. */
  litBy(sigma) {
    if (!this.lit.has(sigma)) {
      this.lit.clear();
      this.lit.set(sigma, wideBlur(this.light, sigma).data.map((each) => Math.max(each, LEAST_LIGHT)));
    }
    return this.lit.get(sigma);
  }
}

/** Keep each `step`th pixel of each `step`th row. */
export function pick(image, step) {
  if (step === 1) return image;
  const height = Math.ceil(image.height / step), width = Math.ceil(image.width / step), { channels } = image;
  const made = makeImage(height, width, channels, image.data.constructor);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * step * image.width + x * step) * channels;
      for (let c = 0; c < channels; c++) made.data[at++] = image.data[from + c];
    }
  }
  return made;
}

/**
 * Make the colors (h, w, 3) of a network, of any size, even within the regions of a drawing and true to
 * their cue.
 *
 * @param {Image} colors float32
 * @param {Ground} ground
 * @param {{cue: Image, sigma: number}|null} blur a cue, uint8, and the sigma of its blur at a short side of
 *   256
 * @param {{colors: Image, known: Image}|null} layer colors (H, W, 3) that are laid as they are where known
 *   (H, W) is 1
 * @param {() => Promise<void>} pause is called between phases
 * @returns {Promise<{means: Float32Array, rest: Image}>} mean colors by number of region, and a map of the
 *   rest
 */
export async function settle(colors, ground, blur, layer, pause) {
  const { near, light } = ground;
  const { height, width } = near;
  const sure = ground.sureOf(colors.height, colors.width);
  const [fixed, known] = layer ? [layer.colors, layer.known].map((each) => pick(each, ground.step).data) : [];
  const pinned = layer && { colors: fixed, known };
  let data = resizeLinear(colors, width, height).data;
  if (blur) {
    const sigma = Math.max(1, (blur.sigma * Math.min(height, width)) / UNIT_SIDE);
    const cue = resize(blur.cue, width, height);
    const lit = ground.litBy(sigma);
    for (let round = 0; round < ROUNDS; round++) {
      await pause();
      data = pin(spread(regionMeans(data, sure, ground), near), pinned);
      for (let step = 0; step < PROJECTIONS; step++) {
        await pause();
        data = projectBack(data, light, lit, cue, sigma);
      }
      data = pin(data, pinned);
    }
  }
  await pause();
  data = clearEdges(data, sure, ground);
  const means = regionMeans(data, sure, ground);
  const rest = makeImage(height, width, 3, Float32Array);
  for (let i = 0; i < near.data.length; i++) {
    for (let c = 0; c < 3; c++) rest.data[3 * i + c] = data[3 * i + c] - means[3 * near.data[i] + c];
  }
  return { means, rest };
}

/** Move colors to the mean of their region: by half, and more where a line made them unsure. */
function clearEdges(colors, sure, ground) {
  const means = regionMeans(colors, sure, ground), { near } = ground;
  const made = new Float32Array(colors.length);
  for (let i = 0; i < sure.length; i++) {
    const kept = (1 - EVEN) * sure[i];
    for (let c = 0; c < 3; c++) {
      const mean = means[3 * near.data[i] + c];
      made[3 * i + c] = mean + kept * (colors[3 * i + c] - mean);
    }
  }
  return made;
}

/** Put the colors that are known back. */
function pin(colors, layer) {
  if (!layer) return colors;
  for (let i = 0; i < layer.known.length; i++) {
    if (layer.known[i]) for (let c = 0; c < 3; c++) colors[3 * i + c] = layer.colors[3 * i + c];
  }
  return colors;
}

function spread(means, near) {
  const made = new Float32Array(3 * near.data.length);
  for (let i = 0; i < near.data.length; i++) {
    for (let c = 0; c < 3; c++) made[3 * i + c] = means[3 * near.data[i] + c];
  }
  return made;
}

/** Return the mean color of each region by number, float32 (3 n). */
function regionMeans(colors, sure, { near, count }) {
  const total = new Float64Array(count), sums = new Float64Array(3 * count);
  for (let i = 0; i < sure.length; i++) {
    const weight = f(sure[i] + 1e-6), number = near.data[i];
    total[number] += weight;
    sums[3 * number] += f(weight * colors[3 * i]);
    sums[3 * number + 1] += f(weight * colors[3 * i + 1]);
    sums[3 * number + 2] += f(weight * colors[3 * i + 2]);
  }
  return Float32Array.from(sums, (sum, i) => sum / (total[Math.floor(i / 3)] + 1e-9));
}

/** Add to colors what their blur, under the lines, lacks of the cue (van Cittert, 1931). */
function projectBack(colors, { height, width, data: light }, lit, { data: cue }, sigma) {
  const lined = new Float32Array(colors.length);
  for (let i = 0, at = 0; i < light.length; i++, at += 3) {
    lined[at] = colors[at] * light[i];
    lined[at + 1] = colors[at + 1] * light[i];
    lined[at + 2] = colors[at + 2] * light[i];
  }
  const blurred = wideBlur(makeImage(height, width, 3, lined), sigma).data;
  const made = lined; // which is not needed any more
  for (let i = 0, at = 0; i < lit.length; i++) {
    const gain = lit[i];
    for (const stop = at + 3; at < stop; at++) {
      const level = colors[at] + (cue[at] - blurred[at]) / gain;
      made[at] = level < 0 ? 0 : level > 255 ? 255 : level;
    }
  }
  return made;
}

/** Make the colors of a network paler: at a strength of 0 they are white. */
export function fade({ means, rest }, strength) {
  if (strength === 1) return { means, rest };
  return {
    means: means.map((level) => 255 + strength * (level - 255)),
    rest: makeImage(rest.height, rest.width, 3, rest.data.map((each) => strength * each)),
  };
}

/** Multiply a page over colors, both uint8 (H, W, 3). */
export function multiply(colors, page) {
  const made = makeImage(page.height, page.width, 3);
  for (let i = 0; i < made.data.length; i++) {
    made.data[i] = toLevel(f(colors.data[i] * f(page.data[i] / 255)));
  }
  return made;
}

/**
 * Multiply a page (H, W, 3) over the mean colors of its regions and a map of the rest.
 *
 * @param {{means: Float32Array, rest: Image}} settled
 * @param {Image} regions int32 (H, W)
 * @param {Image} page uint8 (H, W, 3); null leaves the colors without lines
 * @param {object|null} layer as of `settle`
 * @param {() => Promise<void>} pause is called between bands
 * @returns {Promise<Image>} uint8 (H, W, 3)
 */
export async function compose({ means, rest }, regions, page, layer, pause) {
  const { height, width } = regions;
  const made = makeImage(height, width, 3), extra = new Enlarged(rest, height, width);
  for (let top = 0; top < height; top += ROWS_AT_ONCE) {
    await pause();
    composeBand(made, top, Math.min(top + ROWS_AT_ONCE, height), { means, extra, regions, page, layer });
  }
  return made;
}

function composeBand(made, top, bottom, { means, extra, regions, page, layer }) {
  const { width, data } = made, numbers = regions.data, paper = page?.data;
  const known = layer?.known.data, fixed = layer?.colors.data;
  for (let y = top; y < bottom; y++) {
    const row = extra.row(y);
    for (let x = 0, i = y * width, at = 3 * i; x < width; x++, i++) {
      const isKnown = known !== undefined && known[i] > 0, mean = 3 * numbers[i];
      for (let c = 0; c < 3; c++, at++) {
        const mixed = means[mean + c] + row[3 * x + c];
        const color = isKnown ? fixed[at] : mixed < 0 ? 0 : mixed > 255 ? 255 : mixed;
        data[at] = toLevel(paper ? f(f(color) * f(paper[at] / 255)) : color);
      }
    }
  }
}

/** Bring the hues of a small picture (h, w, 3) of a small gray (h, w) to the full gray (H, W), in an area. */
export function colorGray(colored, small, gray, area, strength) {
  const { height, width } = small;
  const size = height * width;
  const guide = makeImage(height, width, 1, Float32Array.from(small.data));
  const hue = makeImage(height, width, 3, Float32Array);
  const product = makeImage(height, width, 3, Float32Array);
  for (let i = 0; i < size; i++) {
    for (let c = 3 * i; c < 3 * i + 3; c++) {
      hue.data[c] = strength * (colored.data[c] - small.data[i]);
      product.data[c] = hue.data[c] * small.data[i];
    }
  }
  const mean = (image) => boxBlur(image, GUIDE_RADIUS).data;
  const middle = mean(guide), average = mean(hue), both = mean(product);
  const squares = mean(makeImage(height, width, 1, guide.data.map((level) => level * level)));
  const slope = makeImage(height, width, 3, Float32Array), offset = makeImage(height, width, 3, Float32Array);
  for (let i = 0; i < size; i++) {
    const spread = squares[i] - middle[i] ** 2 + GUIDE_NOISE;
    for (let c = 3 * i; c < 3 * i + 3; c++) {
      slope.data[c] = (both[c] - middle[i] * average[c]) / spread;
      offset.data[c] = average[c] - slope.data[c] * middle[i];
    }
  }
  const slopes = new Enlarged(boxBlur(slope, GUIDE_RADIUS), gray.height, gray.width);
  const offsets = new Enlarged(boxBlur(offset, GUIDE_RADIUS), gray.height, gray.width);
  const made = makeImage(gray.height, gray.width, 3);
  for (let y = 0, i = 0; y < gray.height; y++) {
    const a = slopes.row(y), b = offsets.row(y);
    for (let x = 0; x < gray.width; x++, i++) {
      const level = gray.data[i], isIn = area.data[i] > 0;
      for (let c = 0; c < 3; c++) {
        made.data[3 * i + c] = toLevel(isIn ? level + a[3 * x + c] * level + b[3 * x + c] : level);
      }
    }
  }
  return made;
}
