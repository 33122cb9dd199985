/** A drawing on the easel, with its strokes, mask and guides: colored in full, and exported. */

import { planFill } from "../draw/fill.js";
import { color, readOptions, Sheet } from "./colorize.js";
import { decodePicture } from "./decode.js";
import { doubtDrawing } from "./doubts.js";
import { exportPicture } from "./exports.js";
import { makeImage } from "./image.js";
import { compose } from "./lineart.js";
import { Mirror } from "./mirror.js";
import { dominantColors } from "./cues.js";
import { onWhite, resize, resizeNearest, rint } from "./pixels.js";

const LIVE_SIDE = 512; // longest side, in pixels, of quick pictures
const SWATCHES = 8; // colors of a reference that the page offers

/** Work that is not done, since there is a newer one. */
export class Superseded extends Error {}

export class Full {
  /**
   * @param {() => Promise<Network>} open loads the network: now, and again when it is needed if that failed
   */
  constructor(open) {
    this.opening = open();
    this.opening.catch(() => {});
    Object.assign(this, { open, network: null, kept: null, last: null });
    Object.assign(this, { reference: null, palette: null, guides: 0 }); // `guides` counts their changes
  }

  /** Take a drawing; return what the page shows of it, and a small copy for quick pictures. */
  async setDrawing(blob) {
    const pixels = await decodePicture(blob);
    const { doubts, isInk } = doubtDrawing(pixels);
    const { height, width } = pixels;
    const laid = onWhite(pixels);
    this.alpha = isInk ? null : readAlpha(pixels);
    this.sheet = new Sheet(laid);
    this.layers = { strokes: new Mirror(height, width), mask: new Mirror(height, width) };
    this.last = this.kept = null;
    const small = reduce(laid);
    return { height, width, hasAlpha: this.alpha !== null, doubts, pixels: laid, small };
  }

  /** Take a reference, or null; return its size and main colors. */
  async setReference(blob) {
    this.reference = blob && await decodePicture(blob);
    this.guides += 1;
    if (!blob) return null;
    const { height, width } = this.reference;
    const colors = dominantColors(onWhite(reduce(this.reference)), SWATCHES);
    return { height, width, colors };
  }

  /** Take a palette: colors, [r, g, b] in levels, or a picture whose main colors to use, or null. */
  async setPalette(given) {
    this.palette = given instanceof Blob ? await decodePicture(given) : given?.length ? given : null;
    this.guides += 1;
  }

  /** Plan to fill the region at a pixel: see draw/fill.js. */
  planFill(x, y, radius, given) {
    const { invert, gap } = readOptions(given);
    this.sheet.turn(invert);
    const { height, width } = this.sheet;
    const hints = this.layers.strokes.image ?? makeImage(height, width, 4);
    return planFill(this.sheet.closed(gap), hints, x, y, radius);
  }

  put(layer, tiles) {
    this.layers[layer].put(tiles);
  }

  /**
   * Color in full, unless nothing has changed.
   *
   * @param {(phase: string) => Promise<void>} pause is called between phases, and may throw Superseded
   */
  async color(given, pause) {
    const options = readOptions(given), { sheet, layers } = this;
    if (!sheet) throw new Error("There is no drawing: open one first.");
    const key = JSON.stringify([options, layers.strokes.version, layers.mask.version, this.guides]);
    if (this.last?.key === key) return this.last;
    const guide = this.guideOf(options.kind);
    if (options.strength > 0) this.network ??= this.remember(await this.opening.catch(this.open));
    const made = await color(this.network, sheet, guide, options, pause);
    return (this.last = { key, options, guide, ...made });
  }

  /** Answer at once if a network gets the same pictures as before, as when only the strength changes. */
  remember(network) {
    const infer = async (given) => {
      if (!this.kept || !isSame(this.kept.given, given)) {
        this.kept = { given, picture: await network.infer(given) };
      }
      return this.kept.picture;
    };
    return { config: network.config, guides: network.guides, infer };
  }

  guideOf(kind) {
    const { strokes, mask } = this.layers, { palette, reference } = this;
    return { cue: strokes.image, gray: mask.image, palette, reference }[kind] ?? null;
  }

  /** The colors of the network without lines, small, for quick pictures; null if there are none. */
  async under() {
    const { settled } = this.last;
    if (!settled) return null;
    const regions = resizeNearest(this.sheet.ground.near, ...smallSize(this.sheet));
    return compose(settled, regions, null, null, async () => {});
  }

  /** Export what was colored last. */
  async export(kind) {
    return exportPicture(kind, this, this.last);
  }
}

function isSame(one, other) {
  const names = Object.keys(one);
  if (names.join() !== Object.keys(other).join()) return false;
  return names.every((name) => {
    const [a, b] = [one[name], other[name]];
    return a.height === b.height && a.width === b.width && isEqual(a.data, b.data);
  });
}

function isEqual(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

function readAlpha({ data }) {
  const alpha = new Uint8Array(data.length / 4);
  let least = 255;
  for (let i = 0; i < alpha.length; i++) {
    alpha[i] = data[4 * i + 3];
    if (alpha[i] < least) least = alpha[i];
  }
  return least < 255 ? alpha : null;
}

function smallSize({ height, width }) {
  const scale = Math.min(1, LIVE_SIDE / Math.max(height, width));
  return [Math.max(1, rint(width * scale)), Math.max(1, rint(height * scale))];
}

function reduce(image) {
  const small = resize(image, ...smallSize(image));
  return small === image ? { ...image, data: image.data.slice() } : small;
}
