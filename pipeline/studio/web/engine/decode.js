/** Decode a picture of any type that the browser reads to sRGB with its alpha, upright; in a worker. */

import { decodePng } from "../formats/png.js";
import { makeImage } from "./image.js";

const MAX_PIXELS = 100e6;
const TOO_LARGE = "This picture has more than 100 megapixels. Reduce it, then open it again.";
const BROKEN = "This file is no picture that the browser can read. Save it as a PNG, then open that.";

/**
 * Decode a picture.
 *
 * @param {Blob} blob
 * @returns {Promise<import("./image.js").Image>} uint8 RGBA
 */
export async function decodePicture(blob) {
  const exact = await readPng(blob);
  if (exact) return exact;
  const size = readSize(new DataView(await blob.slice(0, 1 << 20).arrayBuffer()));
  if (size && size[0] * size[1] > MAX_PIXELS) throw new Error(TOO_LARGE);
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none" }).catch(() => null);
  if (!bitmap) throw new Error(BROKEN);
  const { width, height } = bitmap;
  if (width * height > MAX_PIXELS) throw new Error(TOO_LARGE);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return makeImage(height, width, 4, context.getImageData(0, 0, width, height).data);
}

/**
 * Decode a PNG by ourselves, since browsers multiply colors by alpha; null for what the browser should
 * decode.
 */
async function readPng(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return decodePng(bytes);
}

/**
 * Read width and height from the first bytes of a file, before anything is decoded.
 *
 * @param {DataView} view
 * @returns {number[]|null} null for another type than PNG, JPEG, GIF, BMP and WebP
 */
export function readSize(view) {
  if (view.byteLength < 30) return null;
  const first = view.getUint32(0);
  if (first === 0x89504e47) return [view.getUint32(16), view.getUint32(20)];
  if (first === 0x47494638) return [view.getUint16(6, true), view.getUint16(8, true)];
  if (first >>> 16 === 0x424d) return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  if (first === 0x52494646 && view.getUint32(8) === 0x57454250) return readWebp(view);
  return first >>> 8 === 0xffd8ff ? readJpeg(view) : null;
}

function readWebp(view) {
  const kind = view.getUint32(12);
  const three = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  if (kind === 0x56503858) return [three(24) + 1, three(27) + 1]; // VP8X
  if (kind === 0x5650384c) {
    const bits = view.getUint32(21, true); // VP8L
    return [(bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1];
  }
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
}

/** Look for the marker that starts a frame: SOF0 to SOF15, but for DHT, JPG and DAC. */
function readJpeg(view) {
  for (let at = 2; at + 9 < view.byteLength; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) at += 1;
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.getUint16(at + 7), view.getUint16(at + 5)];
    } else at += 2 + view.getUint16(at + 2);
  }
  return null;
}
