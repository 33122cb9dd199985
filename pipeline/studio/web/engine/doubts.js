/**
 * What a model has not learned to use: doubts about a drawing, in a sentence each, as
 * pipeline/models/doubts.py.
 */

import { onWhite, resize, rint } from "./pixels.js";
import { isColored, isInverted } from "./scans.js";

const LOOKED_AT = 1024; // pixels of the longer side at which a drawing is judged
const BLANK =
  "The drawing is blank. If its lines are light on transparent ground, lay it on black, and turn on Invert.";
const COLORED = "The drawing has colors already: make a sketch of it first, by prep sketchify.";
const DARK = "The drawing is dark: lines must be black on white, so turn on Invert.";
const INK = "The drawing has no paper below its lines, so it lies on white here.";
const FAINT = 8; // levels between the brightest and the darkest pixel, below which a page is blank
const INK_SHARE = 0.9; // of the opaque pixels, from which a transparent drawing has lines and no paper

/**
 * Judge a drawing, uint8 RGBA.
 *
 * @returns {{doubts: string[], isInk: boolean}} `isInk`: it has lines and no paper below them
 */
export function doubtDrawing(pixels) {
  const scale = Math.min(1, LOOKED_AT / Math.max(pixels.height, pixels.width));
  const [height, width] = [pixels.height, pixels.width].map((side) => Math.max(1, rint(side * scale)));
  const drawing = resize(pixels, width, height), page = onWhite(drawing);
  const isInk = hasInkAlone(drawing);
  if (contrast(page) < FAINT) return { doubts: [BLANK], isInk: false };
  const doubts = [];
  if (isColored(page)) doubts.push(COLORED);
  else if (isInverted(page)) doubts.push(DARK);
  if (isInk) doubts.push(INK);
  return { doubts, isInk };
}

function contrast({ data }) {
  let least = 255, most = 0;
  for (const level of data) {
    if (level < least) least = level;
    if (level > most) most = level;
  }
  return most - least;
}

function hasInkAlone({ data }) {
  let opaque = 0, dark = 0, least = 255;
  for (let at = 0; at < data.length; at += 4) {
    least = Math.min(least, data[at + 3]);
    if (data[at + 3] < 128) continue;
    opaque++;
    if (data[at] + data[at + 1] + data[at + 2] < 3 * 128) dark++;
  }
  return least < 128 && opaque > 0 && dark / opaque > INK_SHARE;
}
