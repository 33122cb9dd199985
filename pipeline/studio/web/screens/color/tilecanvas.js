/** A painted layer as canvases, one for each tile, and a reduced copy of it for zoomed-out views. */

import { toPixel } from "../../draw/colors.js";
import { TILE } from "../../draw/layer.js";

const MASK = toPixel([226, 62, 148]); // a mask is seen through it, over a gray picture
const LARGEST = 1400; // longest side, in pixels, of the reduced copy

export class TileCanvas {
  /** @param {Layer} layer colors, or a mask */
  constructor(layer) {
    this.layer = layer;
    this.tiles = new Map();
    this.step = 1; // a power of two, so that a tile is whole pixels of the copy
    while (Math.max(layer.width, layer.height) / this.step > LARGEST) this.step *= 2;
    this.small = makeContext(Math.ceil(layer.width / this.step), Math.ceil(layer.height / this.step));
  }

  /** Show what the layer has within a rectangle of it now. */
  update({ left, top, right, bottom }) {
    for (let row = Math.floor(top / TILE); row * TILE < bottom; row += 1) {
      for (let column = Math.floor(left / TILE); column * TILE < right; column += 1) {
        const [x, y] = [column * TILE, row * TILE];
        this.updateTile(row * this.layer.across + column, x, y, {
          left: Math.max(left, x), top: Math.max(top, y),
          right: Math.min(right, x + TILE), bottom: Math.min(bottom, y + TILE),
        });
      }
    }
  }

  /** Show all that is painted. */
  updateAll() {
    for (const number of this.layer.tiles.keys()) {
      const [left, top, right, bottom] = this.layer.boxOf(number);
      this.update({ left, top, right, bottom });
    }
  }

  updateTile(number, left, top, clip) {
    const pixels = this.layer.tiles.get(number);
    if (!pixels) {
      this.tiles.delete(number);
    } else {
      if (!this.tiles.has(number)) this.tiles.set(number, makeContext(TILE, TILE));
      const context = this.tiles.get(number);
      const [width, height] = [clip.right - clip.left, clip.bottom - clip.top];
      context.putImageData(toImageData(pixels), 0, 0, clip.left - left, clip.top - top, width, height);
    }
    this.reduce(this.tiles.get(number)?.canvas, left, top, clip);
  }

  reduce(canvas, left, top, clip) {
    const { step, small: context } = this;
    const [x, y] = [clip.left, clip.top].map((side) => Math.floor(side / step));
    const [width, height] = [Math.ceil(clip.right / step) - x, Math.ceil(clip.bottom / step) - y];
    context.clearRect(x, y, width, height);
    if (!canvas) return;
    context.imageSmoothingEnabled = false;
    const [across, down] = [x * step - left, y * step - top];
    context.drawImage(canvas, across, down, width * step, height * step, x, y, width, height);
  }

  /** Draw a part of the layer; the context has the coordinates of the drawing. */
  draw(context, { left, top, right, bottom }, scale, opacity = 1) {
    context.globalAlpha = opacity;
    const { step } = this;
    if (scale * step <= 1.01) {
      context.imageSmoothingEnabled = true;
      const [x, y] = [Math.floor(left / step), Math.floor(top / step)];
      const [width, height] = [Math.ceil(right / step) - x, Math.ceil(bottom / step) - y];
      const place = [x, y, width, height];
      context.drawImage(this.small.canvas, ...place, ...place.map((side) => side * step));
    } else {
      context.imageSmoothingEnabled = false;
      for (let row = Math.floor(top / TILE); row * TILE < bottom; row += 1) {
        for (let column = Math.floor(left / TILE); column * TILE < right; column += 1) {
          const tile = this.tiles.get(row * this.layer.across + column);
          if (tile) context.drawImage(tile.canvas, column * TILE, row * TILE);
        }
      }
    }
    context.globalAlpha = 1;
  }
}

/** Colors as they are; the levels of a mask as one color. */
function toImageData(pixels) {
  const isMask = pixels instanceof Uint8Array;
  const colors = isMask ? Uint32Array.from(pixels, (level) => (level ? MASK : 0)) : pixels;
  return new ImageData(new Uint8ClampedArray(colors.buffer), TILE, TILE);
}

function makeContext(width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  return canvas.getContext("2d");
}
