/** What was colored, as files. */

import { encodePng } from "../formats/png.js";
import { writeOra } from "../formats/ora.js";
import { makeImage } from "./image.js";

/**
 * Write what was colored last.
 *
 * @param {string} kind
 * @param {import("./full.js").Full} easel
 * @param {object} made what `color` of colorize.js returned
 * @returns {Promise<Blob>}
 */
export async function exportPicture(kind, easel, made) {
  const { alpha, sheet, layers } = easel, strokes = layers.strokes.image;
  if (kind === "picture") return asPng(withAlpha(made.picture, alpha));
  if (kind === "lines") return asPng(makeLines(sheet.page));
  if (kind === "strokes") return asPng(strokes ?? makeImage(sheet.height, sheet.width, 4));
  if (kind === "flats") return asPng(makeFlats(made.layer, sheet));
  if (kind === "ora") return writeLayers(easel, made);
  throw new RangeError(`There is no export ${kind}.`);
}

async function asPng(image) {
  return new Blob([await encodePng(image)], { type: "image/png" });
}

/**
 * Write layers that together make the picture; one that the network drew with its lines is a layer by
 * itself.
 */
async function writeLayers({ alpha, sheet, layers }, made) {
  const picture = withAlpha(made.picture, alpha);
  const images = {
    lines: made.colors && (alpha ? makeLines(sheet.page) : sheet.page),
    color: made.colors ? withAlpha(await made.colors(), alpha) : picture,
    flats: made.layer && makeFlats(made.layer, sheet),
    strokes: layers.strokes.image,
  };
  return new Blob([await writeOra(images, picture)], { type: "image/openraster" });
}

/** Give RGB pixels an alpha, if there is one. */
function withAlpha(image, alpha) {
  if (!alpha) return image;
  const made = makeImage(image.height, image.width, 4);
  for (let i = 0; i < alpha.length; i++) {
    for (let c = 0; c < 3; c++) made.data[4 * i + c] = image.data[3 * i + c];
    made.data[4 * i + 3] = alpha[i];
  }
  return made;
}

/** The colors that strokes reach, RGBA, transparent elsewhere. */
function makeFlats(layer, { height, width }) {
  const made = makeImage(height, width, 4);
  if (!layer) return made;
  for (let i = 0; i < layer.known.data.length; i++) {
    if (!layer.known.data[i]) continue;
    for (let c = 0; c < 3; c++) made.data[4 * i + c] = layer.colors.data[3 * i + c];
    made.data[4 * i + 3] = 255;
  }
  return made;
}

/**
 * The lines without their paper: what lies under them shows through white, as if they were multiplied over
 * it.
 */
function makeLines(page) {
  const made = makeImage(page.height, page.width, 4);
  for (let i = 0, from = 0, to = 0; i < page.height * page.width; i++, from += 3, to += 4) {
    const least = Math.min(page.data[from], page.data[from + 1], page.data[from + 2]);
    made.data[to + 3] = 255 - least;
    for (let c = 0; c < 3 && least < 255; c++) {
      made.data[to + c] = ((page.data[from + c] - least) * 255) / (255 - least);
    }
  }
  return made;
}
