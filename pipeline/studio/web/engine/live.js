/**
 * Quick pictures while the pen is down: strokes filled at a low resolution, and beyond them the colors that
 * the network had found before.
 */

import { fillStrokes, readOptions, Sheet } from "./colorize.js";
import { makeImage } from "./image.js";
import { TILE } from "./mirror.js";
import { toLevel } from "./pixels.js";

const OPAQUE = 128; // alpha from which a pixel is a hint

export class Live {
  /**
   * @param {Image} pixels the drawing, reduced, uint8 RGBA
   * @param {number} height of the whole drawing
   * @param {number} width
   */
  constructor(pixels, height, width) {
    Object.assign(this, { height, width, sheet: new Sheet(pixels), colors: null });
    this.hints = makeImage(pixels.height, pixels.width, 4);
    this.columns = Math.ceil(width / TILE);
    this.across = Uint16Array.from({ length: width }, (_, x) => Math.floor((x * pixels.width) / width));
    this.down = Uint16Array.from({ length: height }, (_, y) => Math.floor((y * pixels.height) / height));
  }

  /** Put tiles of the strokes, as of `Mirror.put`; of the pixels that fall on one, an opaque one counts. */
  put(tiles) {
    for (const { index, pixels } of tiles) {
      const top = Math.floor(index / this.columns) * TILE, left = (index % this.columns) * TILE;
      const bottom = Math.min(top + TILE, this.height), right = Math.min(left + TILE, this.width);
      this.clear(this.down[top], this.down[bottom - 1], this.across[left], this.across[right - 1]);
      if (pixels) this.paint(pixels, top, bottom, left, right);
    }
  }

  clear(top, bottom, left, right) {
    for (let y = top; y <= bottom; y++) {
      const row = y * this.hints.width;
      this.hints.data.fill(0, 4 * (row + left), 4 * (row + right + 1));
    }
  }

  paint(pixels, top, bottom, left, right) {
    const { data, width } = this.hints;
    for (let y = top; y < bottom; y++) {
      const row = this.down[y] * width;
      for (let x = left, at = 4 * (y - top) * TILE; x < right; x++, at += 4) {
        if (pixels[at + 3] < OPAQUE) continue;
        const to = 4 * (row + this.across[x]);
        for (let c = 0; c < 4; c++) data[to + c] = pixels[at + c];
      }
    }
  }

  /** Color by what is known, uint8 RGB; null where only the network can tell. */
  color(given) {
    const options = readOptions(given);
    if (options.kind === "gray" || options.lines === "redraw") return null;
    this.sheet.turn(options.invert);
    const scale = this.sheet.width / this.width;
    const gap = options.gap === null ? null : options.gap * scale;
    const layer = options.kind === "cue" ? fillStrokes(this.sheet, this.hints, gap) : null;
    return this.compose(layer, options.strength);
  }

  compose(layer, strength) {
    const { page } = this.sheet, { colors } = this;
    const made = makeImage(page.height, page.width, 3);
    for (let i = 0, at = 0; at < made.data.length; i++) {
      const isKnown = layer && layer.known.data[i];
      for (let c = 0; c < 3; c++, at++) {
        const far = colors ? 255 + strength * (colors.data[at] - 255) : 255;
        made.data[at] = toLevel(((isKnown ? layer.colors.data[at] : far) * page.data[at]) / 255);
      }
    }
    return made;
  }
}
