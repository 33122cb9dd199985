/**
 * Pictures and maps as flat arrays: rows from the top, channels interleaved.
 *
 * @typedef {object} Image
 * @property {number} height
 * @property {number} width
 * @property {number} channels 1 gray, 3 RGB, 4 RGBA
 * @property {Uint8Array|Int32Array|Float32Array|Float64Array} data `height * width * channels` values
 */

/**
 * Make an image; without `data`, one of zeros of a type.
 *
 * @param {number} height
 * @param {number} width
 * @param {number} channels
 * @param {object} [data] a typed array, or the constructor of one
 * @returns {Image}
 */
export function makeImage(height, width, channels = 1, data = Uint8Array) {
  const size = height * width * channels;
  if (typeof data === "function") data = new data(size);
  if (data.length !== size) {
    throw new RangeError(`${data.length} values are no ${height} x ${width} x ${channels}`);
  }
  return { height, width, channels, data };
}
