/**
 * OpenRaster files (https://www.openraster.org): the layers of a colored drawing, for Krita, GIMP, MyPaint,
 * ...
 */

import { makeImage } from "../engine/image.js";
import { encodePng } from "./png.js";
import { packZip } from "./zip.js";

const THUMBNAIL = 256; // pixels of its longest side
const LAYERS = ["lines", "color", "flats", "strokes"]; // from the top down

/**
 * Write images, {lines, color, flats, strokes}, of which some may be missing, as layers, and beside them
 * `merged`, the picture that the visible layers make. All are of one size.
 *
 * Opaque lines are multiplied over the colors. Lines with alpha lie only on colors, which then have the alpha
 * of the drawing; what is below these is hidden, or it would fill what is transparent.
 */
export async function writeOra(images, merged) {
  const names = LAYERS.filter((name) => images[name]);
  const members = [["mimetype", new TextEncoder().encode("image/openraster")]];
  members.push(["stack.xml", new TextEncoder().encode(describe(names, images, merged))]);
  for (const name of names) members.push([`data/${name}.png`, await encodePng(images[name])]);
  members.push(["mergedimage.png", await encodePng(merged)]);
  members.push(["Thumbnails/thumbnail.png", await encodePng(shrink(toRgba(merged)))]);
  return packZip(members);
}

function describe(names, { lines, color }, { height, width }) {
  const onLines = lines?.channels === 4 ? "svg:src-atop" : "svg:multiply";
  const listed = names.map((name) => {
    const operation = name === "lines" ? onLines : "svg:src-over";
    const isBelow = names.indexOf(name) > names.indexOf("color");
    const visibility = isBelow && color?.channels === 4 ? "hidden" : "visible";
    const place = `x="0" y="0" opacity="1.0" visibility="${visibility}"`;
    return `    <layer name="${name}" src="data/${name}.png" composite-op="${operation}" ${place}/>`;
  });
  return [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<image version="0.0.3" w="${width}" h="${height}">`,
    `  <stack>`,
    ...listed,
    `  </stack>`,
    `</image>`,
    ``,
  ].join("\n");
}

function toRgba(image) {
  if (image.channels === 4) return image;
  const made = makeImage(image.height, image.width, 4);
  const green = image.channels === 3 ? 1 : 0;
  for (let from = 0, to = 0; to < made.data.length; from += image.channels, to += 4) {
    for (let k = 0; k < 3; k++) made.data[to + k] = image.data[from + k * green];
    made.data[to + 3] = 255;
  }
  return made;
}

/**
 * Shrink an RGBA image to the size of a thumbnail, by means over what each pixel covers; alpha weighs colors.
 */
function shrink(image) {
  const scale = Math.max(1, Math.max(image.height, image.width) / THUMBNAIL);
  const fit = (side) => Math.max(1, Math.floor(side / scale));
  const small = makeImage(fit(image.height), fit(image.width), 4);
  for (let y = 0, at = 0; y < small.height; y++) {
    for (let x = 0; x < small.width; x++, at += 4) small.data.set(meanOver(image, x, y, small), at);
  }
  return small;
}

function meanOver({ height, width, data }, x, y, small) {
  const sums = [0, 0, 0, 0];
  const [left, right] = [x, x + 1].map((edge) => Math.floor((edge * width) / small.width));
  const [top, bottom] = [y, y + 1].map((edge) => Math.floor((edge * height) / small.height));
  for (let v = top; v < bottom; v++) {
    for (let at = 4 * (v * width + left); at < 4 * (v * width + right); at += 4) {
      for (let k = 0; k < 3; k++) sums[k] += data[at + k] * data[at + 3];
      sums[3] += data[at + 3];
    }
  }
  const alpha = sums[3] / ((right - left) * (bottom - top));
  return [...sums.slice(0, 3).map((sum) => (sums[3] ? sum / sums[3] : 0)), alpha].map(Math.round);
}
