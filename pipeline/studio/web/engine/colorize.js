/**
 * Drawings of any size and a guide to their colors -> colored pictures, as `prep colorize` makes them:
 * mirrors pipeline/models/colorize.py within 1 level.
 */

import { CUE, drawCue, emptyCue, HINT_METHODS, paletteBlocks } from "./cues.js";
import { defaultGap, Drawing, numberColors, OPAQUE } from "./flats.js";
import { makeImage } from "./image.js";
import * as lineart from "./lineart.js";
import { grayscale, onWhite, resize, resizeNearest, rint, toLevel } from "./pixels.js";
import { levelPaper } from "./scans.js";

const TRUSTED = [0.15, 0.3]; // share that strokes reach: below, other regions are white; above, filled
const MOST_TRUST = 0.7; // of the colors of neighbors: more, and a stroke changes too much beyond its region
const FEWEST_COLORS = 3; // of strokes: with fewer, other regions are white
const MOST_PIXELS = 1 << 20; // at which a network colors: it takes gigabytes for more, or tiles
const LINES = ["keep", "redraw"];

/**
 * How to color.
 *
 * @typedef {object} Options
 * @property {string} kind of the guide: "cue", "palette", "reference", "gray" or "none"
 * @property {number} [size] short side at which the network colors; 0 is what it learned
 * @property {string} [lines] "keep" or "redraw"
 * @property {number|null} [gap] width of the gaps in lines that are closed, in pixels
 * @property {boolean} [invert] light lines on dark paper are made dark on light first
 * @property {number} [strength] how much of the network's colors lies over those of the strokes, 0 to 1
 */
export const OPTIONS = { kind: "none", size: 0, lines: "keep", gap: null, invert: false, strength: 1 };

/** Fill up and check options; throw RangeError for a value that cannot be. */
export function readOptions(given) {
  const options = { ...OPTIONS, ...given };
  const { lines, size, gap, strength } = options;
  if (!LINES.includes(lines)) throw new RangeError(`lines must be keep or redraw, got ${lines}`);
  if (!(size >= 0 && (gap ?? 0) >= 0)) throw new RangeError("size and gap must be 0 pixels or more");
  if (!(strength >= 0 && strength <= 1)) throw new RangeError("strength must be 0 to 1");
  return options;
}

/** A drawing, and what follows from it alone, computed once. */
export class Sheet {
  /**
   * @param {Image} pixels uint8 RGBA, or RGB
   * @param {number} most longest side, in pixels, at which colors settle
   */
  constructor(pixels, most = 2000) {
    Object.assign(this, { pixels, most, width: pixels.width, height: pixels.height });
    this.invert = false;
  }

  /** The drawing on white, uint8 RGB. */
  get drawing() {
    return (this.laid ??= this.pixels.channels === 4 ? onWhite(this.pixels) : this.pixels);
  }

  /** The drawing in dark lines on white paper, uint8 RGB; `invert` has an effect on it. */
  get page() {
    return (this.leveled ??= levelPaper(this.invert ? negative(this.drawing) : this.drawing));
  }

  /** The darkest channel of the page, uint8 (H, W). */
  get gray() {
    return (this.darkest ??= darkest(this.page));
  }

  /** Say whether the drawing has light lines on dark paper. */
  turn(invert) {
    if (this.invert === invert) return;
    this.invert = invert;
    this.leveled = this.darkest = this.lines = this.settling = null;
  }

  /** Where colors settle. */
  get ground() {
    const regions = () => this.closed(Math.min(this.height, this.width) * lineart.REGION_GAP).number();
    return (this.settling ??= new lineart.Ground(this.gray, regions(), this.most));
  }

  /** The drawing with gaps in its lines closed, up to `gap` pixels; null for those that flats close. */
  closed(given) {
    const gap = given ?? defaultGap(this.gray);
    this.lines ??= new Drawing(this.gray, gap);
    if (this.lines.gap !== gap) this.lines.closeGaps(gap);
    return this.lines;
  }
}

function negative(image) {
  return makeImage(image.height, image.width, 3, image.data.map((level) => 255 - level));
}

function darkest(page) {
  const gray = makeImage(page.height, page.width);
  for (let i = 0, at = 0; i < gray.data.length; i++, at += 3) {
    const red = page.data[at], green = page.data[at + 1], blue = page.data[at + 2];
    gray.data[i] = red < green ? (red < blue ? red : blue) : green < blue ? green : blue;
  }
  return gray;
}

const goOn = async () => {};

/**
 * Color a drawing.
 *
 * @param {Network} network
 * @param {Sheet} sheet
 * @param {Image|number[][]|null} guide uint8 RGB or RGBA of any size, or the colors of a palette
 * @param {Options} options
 * @param {(phase: string) => Promise<void>} [pause] is called between phases; what it throws ends the work
 * @returns {Promise<{picture: Image, layer: object|null, settled: object|null, colors: (() =>
 *   Promise<Image>)|null}>} the picture, uint8 RGB; what strokes fill; the network's colors as of
 *   `lineart.settle`; and the function that makes the colors without their lines, unless the network drew
 *   both
 */
export async function color(network, sheet, guide, options, pause = goOn) {
  const kind = guide || options.kind === "gray" ? options.kind : "none";
  if (options.strength > 0) checkKind(network, kind);
  if (kind === "gray") {
    const picture = await colorGray(network, sheet, guide, options, pause);
    return { picture, layer: null, settled: null, colors: null };
  }
  sheet.turn(options.invert);
  const { page, gray } = sheet;
  await pause("fill");
  const layer = kind === "cue" ? fillStrokes(sheet, guide, options.gap) : null;
  await pause("network");
  if (options.strength === 0) {
    const colors = async () => knownColors(layer, page);
    return { picture: layFlats(layer, page), layer, settled: null, colors };
  }
  const [height, width] = learnedSize(network.config, gray, options.size);
  const cue = trainedCue(network.config);
  const given = { sketch: lineart.reduceLines(gray, height, width) };
  const blurs = kind === "cue" && cue.method === "gaussian";
  const colors = layer && blurs ? lineart.multiply(layer.colors, page) : guide;
  Object.assign(given, fitGuide(network, kind, colors, height, width));
  const small = await network.infer(given);
  await pause("colors");
  if (options.lines === "redraw") {
    const whole = resize(small, page.width, page.height);
    const picture = options.strength === 1 ? whole : mix(layFlats(layer, page), whole, options.strength);
    return { picture, layer, settled: null, colors: null };
  }
  const { ground } = sheet;
  await pause("settle");
  const blur = blurs ? { cue: given.cue, sigma: cue.sigma } : null;
  const settled = await lineart.settle(lineart.clearLines(small, given.sketch), ground, blur, layer, pause);
  const faded = lineart.fade(settled, options.strength);
  const composeOn = (paper, wait) => lineart.compose(faded, ground.regions, paper, layer, wait);
  return { picture: await composeOn(page, pause), layer, settled, colors: () => composeOn(null, goOn) };
}

/** Throw RangeError unless a network takes a guide of this kind. */
function checkKind({ guides }, kind) {
  const names = { cue: "strokes", gray: "a mask" };
  const isTaken = guides.includes(kind) || (kind === "none" && guides.includes("cue"));
  if (isTaken) return;
  const wanted = guides.map((each) => names[each] ?? `a ${each}`).join(" or ");
  throw new RangeError(`This model colors by ${wanted}.`);
}

/** Color a gray picture where a guide, if there is one, is opaque and not black. */
async function colorGray(network, sheet, guide, options, pause) {
  const gray = grayscale(sheet.drawing);
  const [height, width] = learnedSize(network.config, gray, options.size);
  const small = resize(gray, width, height), area = drawArea(guide, gray.height, gray.width);
  const given = { sketch: small, color: repeat(small), mask: resizeNearest(area, width, height) };
  await pause("network");
  const colored = options.strength === 0 ? given.color : await network.infer(given);
  await pause("colors");
  if (options.lines === "keep") return lineart.colorGray(colored, small, gray, area, options.strength);
  const whole = resize(colored, gray.width, gray.height);
  return options.strength === 1 ? whole : mix(repeat(gray), whole, options.strength);
}

/** Return the height and width at which a picture is colored. Throw RangeError if that is too large. */
function learnedSize(config, { height, width }, size) {
  const sides = lineart.scaledSize(height, width, size || config.side || Math.min(height, width));
  if (sides[0] * sides[1] <= MOST_PIXELS) return sides;
  const found = `this drawing would be colored at ${sides[1]} x ${sides[0]} pixels`;
  throw new RangeError(`The page colors at up to a megapixel, and ${found}: use prep colorize for it.`);
}

function trainedCue(config) {
  return { ...CUE, ...config.columns?.cue };
}

/** Return a guide as the network takes it, by its name. */
function fitGuide(network, kind, guide, height, width) {
  if (!guide) return network.guides.includes("none") ? {} : { cue: emptyCue(height, width) };
  if (kind === "palette" && Array.isArray(guide)) return { palette: paletteBlocks(guide, height, width) };
  const cue = trainedCue(network.config);
  if (kind === "cue" && HINT_METHODS.includes(cue.method)) {
    const hints = resizeNearest(guide, width, height);
    return { cue: hints.channels === 4 ? onWhite(hints) : hints };
  }
  const colors = resize(guide.channels === 4 ? onWhite(guide) : guide, width, height);
  if (kind === "palette") return { palette: drawCue(colors, { method: "palette" }) };
  return { [kind]: kind === "reference" ? colors : drawCue(colors, cue) };
}

/** Fill the strokes or points of a guide up to the lines of a drawing; null if it has no transparency. */
export function fillStrokes(sheet, guide, gap) {
  if (guide?.channels !== 4) return null;
  if (!hasAlpha(guide, (alpha) => alpha < 255)) return null;
  const hints = resizeNearest(guide, sheet.width, sheet.height);
  if (!hasAlpha(hints, (alpha) => alpha >= OPAQUE)) return null;
  const { flats, reached } = sheet.closed(gap).spread(hints);
  let count = 0;
  for (const each of reached.data) count += each;
  const several = numberColors(hints).colors.length / 4 > FEWEST_COLORS; // the first is none
  return makeLayer(flats, reached, several ? trustOf(count / reached.data.length) : 0);
}

function hasAlpha({ data }, test) {
  for (let at = 3; at < data.length; at += 4) if (test(data[at])) return true;
  return false;
}

function trustOf(share) {
  const [least, most] = TRUSTED;
  return MOST_TRUST * Math.min(Math.max((share - least) / (most - least), 0), 1);
}

/** Make colors of regions without a stroke paler. */
function makeLayer(flats, known, trust) {
  const paler = Uint8Array.from({ length: 256 }, (_, level) => rint(255 - trust * (255 - level)));
  const colors = makeImage(flats.height, flats.width, 3);
  for (let i = 0; i < known.data.length; i++) {
    for (let c = 0; c < 3; c++) {
      const level = flats.data[4 * i + c];
      colors.data[3 * i + c] = known.data[i] ? level : paler[level];
    }
  }
  return { colors, known };
}

/** Multiply a page over the colors of a layer that are known; the others are white. */
function layFlats(layer, page) {
  return layer ? lineart.multiply(knownColors(layer, page), page) : page;
}

function knownColors(layer, { height, width }) {
  const made = emptyCue(height, width);
  for (let i = 0; layer && i < height * width; i++) {
    if (layer.known.data[i]) for (let c = 3 * i; c < 3 * i + 3; c++) made.data[c] = layer.colors.data[c];
  }
  return made;
}

function mix(plain, colored, strength) {
  const made = makeImage(plain.height, plain.width, 3);
  for (let i = 0; i < made.data.length; i++) {
    made.data[i] = toLevel(plain.data[i] + Math.fround(strength * (colored.data[i] - plain.data[i])));
  }
  return made;
}

/** Make a mask: 255 where a guide is opaque and not black, 0 elsewhere; without a guide, 255. */
function drawArea(guide, height, width) {
  if (!guide) return makeImage(height, width, 1, new Uint8Array(height * width).fill(255));
  const lit = grayscale(guide);
  for (let i = 0; guide.channels === 4 && i < lit.data.length; i++) {
    lit.data[i] = Math.min(lit.data[i], guide.data[4 * i + 3]);
  }
  const fitted = resizeNearest(lit, width, height);
  return makeImage(height, width, 1, fitted.data.map((level) => (level >= 128 ? 255 : 0)));
}

function repeat(gray) {
  const made = makeImage(gray.height, gray.width, 3);
  for (let i = 0; i < gray.data.length; i++) made.data.fill(gray.data[i], 3 * i, 3 * i + 3);
  return made;
}
