/** A large bitmap with copies of half the size, so that a zoomed-out view draws from few pixels. */

const LEAST = 384; // longest side, in pixels, that is not halved again

const PIXEL = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

const worker = new Worker(new URL("./reduce.js", import.meta.url), { type: "module" });
const waiting = new Map();
let count = 0;

worker.onmessage = ({ data: { id, levels } }) => {
  waiting.get(id)(levels);
  waiting.delete(id);
};

export class Pyramid {
  /** @param {ImageBitmap[]} levels each half as large as the one before */
  constructor(levels) {
    this.levels = levels;
    [{ width: this.width, height: this.height }] = levels;
  }

  /** Reduce a bitmap in a worker, which takes it away from the caller. */
  static async of(bitmap) {
    const id = (count += 1);
    const levels = await new Promise((resolve) => {
      waiting.set(id, resolve);
      worker.postMessage({ id, bitmap, least: LEAST }, [bitmap]);
    });
    return new Pyramid(levels);
  }

  /**
   * Draw the part of a `width` x `height` picture within a rectangle; this pyramid may be smaller than it.
   *
   * @param {number} scale device pixels for a pixel of the picture
   */
  draw(context, width, height, { left, top, right, bottom }, scale) {
    const own = this.width / width;
    let level = 0;
    while (level + 1 < this.levels.length && this.levels[level + 1].width >= width * scale) level += 1;
    const bitmap = this.levels[level];
    const [across, down] = [bitmap.width / width, bitmap.height / height];
    context.imageSmoothingEnabled = scale < 3 * own || own < 1;
    context.drawImage(
      bitmap, left * across, top * down, (right - left) * across, (bottom - top) * down,
      left, top, right - left, bottom - top,
    );
  }

  /** The color, [r, g, b], at shares of the width and the height. */
  colorAt(across, down) {
    const [x, y] = [Math.floor(across * this.width), Math.floor(down * this.height)];
    PIXEL.clearRect(0, 0, 1, 1);
    PIXEL.drawImage(this.levels[0], x, y, 1, 1, 0, 0, 1, 1);
    return [...PIXEL.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }

  close() {
    for (const level of this.levels) level.close();
  }
}
