/** A layer that is painted on: colors, or a mask, in tiles that exist only where something is painted. */

import { makeImage } from "../engine/image.js";
import { packRuns, unpackRuns } from "./runs.js";

export const TILE = 256; // pixels; the side of a tile
const KINDS = { 4: Uint32Array, 1: Uint8Array }; // of pixels, by channels
const NOTHING = 0; // the pixel of what is not painted

/**
 * Pixels of `channels` 4 are colors, opaque or `NOTHING`: colors never mix. Those of 1 are levels of a mask.
 * Methods that paint return the rectangle that they may have changed, [left, top, right, bottom], or null.
 */
export class Layer {
  constructor(height, width, channels = 4) {
    Object.assign(this, { height, width, channels });
    this.across = Math.ceil(width / TILE);
    this.tiles = new Map(); // by row * across + column
    this.versions = new Map(); // the version in which a tile changed last
    this.version = 0;
    this.before = null; // tiles as they were, packed, while a step is recorded
  }

  /** Return the pixel at a place. */
  at(x, y) {
    const tile = this.tiles.get(this.numberAt(x, y));
    return tile ? tile[(y % TILE) * TILE + (x % TILE)] : NOTHING;
  }

  numberAt(x, y) {
    return Math.floor(y / TILE) * this.across + Math.floor(x / TILE);
  }

  /** Paint runs of pixels [y, start, stop, ...]; `NOTHING` erases. */
  paint(runs, pixel) {
    const box = [this.width, this.height, 0, 0];
    this.version++;
    for (let k = 0; k < runs.length; k += 3) {
      const y = runs[k];
      const start = Math.max(0, runs[k + 1]);
      const stop = Math.min(this.width, runs[k + 2]);
      if (y < 0 || y >= this.height || start >= stop) continue;
      this.paintRun(y, start, stop, pixel);
      box[0] = Math.min(box[0], start);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], stop);
      box[3] = Math.max(box[3], y + 1);
    }
    return box[0] < box[2] ? box : null;
  }

  paintRun(y, start, stop, pixel) {
    for (let x = start; x < stop; ) {
      const end = Math.min(stop, x - (x % TILE) + TILE);
      const tile = this.openTile(this.numberAt(x, y), pixel !== NOTHING);
      const row = (y % TILE) * TILE - (x - (x % TILE));
      if (tile) tile.fill(pixel, row + x, row + end);
      x = end;
    }
  }

  /** Return a tile to change, as part of the step that is recorded; null if it is absent and not `needed`. */
  openTile(number, needed) {
    let tile = this.tiles.get(number);
    if (!tile && !needed) return null;
    if (this.before && !this.before.has(number)) this.before.set(number, tile ? packRuns(tile) : null);
    if (!tile) this.tiles.set(number, (tile = this.newTile()));
    this.versions.set(number, this.version);
    return tile;
  }

  newTile() {
    return new KINDS[this.channels](TILE * TILE);
  }

  /** Remove all that is painted. */
  clear() {
    this.version++;
    let box = null;
    for (const number of [...this.tiles.keys()]) {
      this.openTile(number, false);
      this.tiles.delete(number);
      box = join(box, this.boxOf(number));
    }
    return box;
  }

  /** Record what is painted from now on as one step. */
  begin() {
    this.before = new Map();
    this.start = this.version;
  }

  /** The version of the last whole step. */
  get settled() {
    return this.before ? this.start : this.version;
  }

  /** End a step: return its changes, a map from numbers of tiles to [before, after], packed or null. */
  end() {
    const changes = new Map();
    for (const [number, before] of this.before ?? []) {
      const after = this.packTile(number);
      if (!after) this.tiles.delete(number);
      if (!equal(before, after)) changes.set(number, [before, after]);
    }
    this.before = null;
    return changes;
  }

  /** Pack a tile; null if it is absent or empty. */
  packTile(number) {
    const tile = this.tiles.get(number);
    const packed = tile ? packRuns(tile) : null;
    return packed?.length === 2 && packed[1] === NOTHING ? null : packed;
  }

  /** Put packed tiles, null for empty ones, in the place of others: pairs of number and tile. */
  put(packed) {
    let box = null;
    this.version++;
    for (const [number, runs] of packed) {
      if (runs) this.tiles.set(number, unpackRuns(runs, this.newTile()));
      else this.tiles.delete(number);
      this.versions.set(number, this.version);
      box = join(box, this.boxOf(number));
    }
    return box;
  }

  /**
   * Return the tiles that changed after a version, as `put` takes them, without the step that is recorded.
   */
  settledTiles(since = 0) {
    return this.changedAfter(since).map((number) => {
      return [number, this.before?.has(number) ? this.before.get(number) : this.packTile(number)];
    });
  }

  /** Return the numbers of the tiles that changed after a version. */
  changedAfter(since) {
    return [...this.versions].filter(([, version]) => version > since).map(([number]) => number);
  }

  boxOf(number) {
    const left = (number % this.across) * TILE;
    const top = Math.floor(number / this.across) * TILE;
    return [left, top, Math.min(this.width, left + TILE), Math.min(this.height, top + TILE)];
  }

  /** Return the layer as an image. */
  toImage() {
    const image = makeImage(this.height, this.width, this.channels);
    const pixels = new KINDS[this.channels](image.data.buffer);
    for (const [number, tile] of this.tiles) {
      const [left, top, right, bottom] = this.boxOf(number);
      for (let y = top; y < bottom; y++) {
        const row = (y - top) * TILE;
        pixels.set(tile.subarray(row, row + right - left), y * this.width + left);
      }
    }
    return image;
  }
}

function equal(one, other) {
  return one?.length === other?.length && (!one || one.every((value, k) => value === other[k]));
}

/** Return the smallest rectangle around two, of which each may be null. */
export function join(one, other) {
  if (!one || !other) return one ?? other;
  const [least, most] = [Math.min, Math.max];
  return [least(one[0], other[0]), least(one[1], other[1]), most(one[2], other[2]), most(one[3], other[3])];
}
