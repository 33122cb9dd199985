/** Pictures whose colors are used: the reference, and what a palette is loaded from. */

import { toLevels } from "../../draw/colors.js";
import { dominantColors } from "../../engine/cues.js";
import { makeImage } from "../../engine/image.js";
import { readGpl } from "../../formats/gpl.js";

const SHOWN = 480; // longest side, in pixels, of a reference as it is shown
const COUNTED = 48; // longest side, in pixels, at which main colors are found, since no worker does it
const COLORS = 12;
const BROKEN = "The picture cannot be read: it is broken, or of a kind that this browser does not know.";

/** Decode a picture and reduce it to what is shown of it. @returns {Promise<ImageBitmap>} */
export async function readReference(blob) {
  let whole;
  try {
    whole = await createImageBitmap(blob);
  } catch {
    throw new Error(BROKEN);
  }
  const image = await reduce(whole, SHOWN);
  whole.close();
  return image;
}

/**
 * Read the colors of a .gpl file or of a picture.
 *
 * @returns {Promise<{colors: number[][], problem: string}>}
 */
export async function loadColors(file) {
  if (!/\.gpl$/i.test(file.name)) {
    return { colors: mainColors(await reduce(await readReference(file), COUNTED)), problem: "" };
  }
  const { colors, problem } = readGpl(await file.text());
  return { colors: colors.map(({ pixel }) => toLevels(pixel)), problem };
}

function reduce(bitmap, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const scaled = (length) => Math.max(1, Math.round(length * scale));
  const [resizeWidth, resizeHeight] = [scaled(bitmap.width), scaled(bitmap.height)];
  return createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "high" });
}

function mainColors(bitmap) {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const opaque = [];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] >= 128) opaque.push(data[at], data[at + 1], data[at + 2]);
  }
  if (!opaque.length) return [];
  return dominantColors(makeImage(1, opaque.length / 3, 3, Uint8Array.from(opaque)), COLORS);
}
