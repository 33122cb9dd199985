/** A copy of a layer of draw/layer.js in a worker: the whole picture, brought up to date tile by tile. */

import { makeImage } from "./image.js";

export const TILE = 256; // side of a tile in pixels, as in draw/layer.js

export class Mirror {
  constructor(height, width) {
    Object.assign(this, { height, width, painted: new Set(), version: 0, pixels: null });
    this.columns = Math.ceil(width / TILE);
  }

  /**
   * Put tiles.
   *
   * @param {{index: number, pixels: Uint8ClampedArray|null}[]} tiles RGBA; `index` counts along rows of
   *   tiles, and null is an empty tile
   */
  put(tiles) {
    this.version += 1;
    for (const { index, pixels } of tiles) {
      if (pixels && hasPaint(pixels)) this.painted.add(index);
      else if (!this.painted.delete(index)) continue;
      this.putTile(index, pixels);
    }
  }

  putTile(index, pixels) {
    this.pixels ??= makeImage(this.height, this.width, 4);
    const top = Math.floor(index / this.columns) * TILE, left = (index % this.columns) * TILE;
    const width = Math.min(TILE, this.width - left), height = Math.min(TILE, this.height - top);
    for (let y = 0; y < height; y++) {
      const at = 4 * ((top + y) * this.width + left);
      if (pixels) this.pixels.data.set(pixels.subarray(4 * y * TILE, 4 * (y * TILE + width)), at);
      else this.pixels.data.fill(0, at, at + 4 * width);
    }
  }

  /** The layer, uint8 RGBA; null while nothing is painted. */
  get image() {
    return this.painted.size ? this.pixels : null;
  }
}

/** A tile that an eraser passes over has pixels, and shows as little as an empty one. */
function hasPaint(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at]) return true;
  return false;
}
