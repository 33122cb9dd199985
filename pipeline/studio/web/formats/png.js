/** PNG files (ISO/IEC 15948), written and read: exact pixels, also where they are transparent. */

import { makeImage } from "../engine/image.js";
import { isSrgbProfile } from "./profiles.js";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOR_TYPES = { 1: 0, 3: 2, 4: 6 }; // by channels
const BAND = 1 << 20; // bytes of rows that are filtered before they are compressed
const MOST = 100; // megapixels of a picture that is read
const PASSES = [ // of Adam7: the first column and row, and the steps from there
  [0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2],
];
const WHOLE = [[0, 0, 1, 1]];
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] }; // by color type
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PALETTE = 3;
const CRITICAL = ["IHDR", "PLTE", "IDAT", "IEND"];
const MOST_PROFILE = 1 << 20; // bytes of a color profile
const SRGB_GAMMA = 45455; // as gAMA writes it
const SRGB_CHROMATICITIES = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]; // as cHRM writes them

const CRCS = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** Return the CRC-32 of bytes, of which each part may be given by itself. */
export function crc32(...parts) {
  let crc = -1;
  for (const bytes of parts) {
    for (let at = 0; at < bytes.length; at++) crc = CRCS[(crc ^ bytes[at]) & 255] ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

/** Encode an image of uint8: gray, RGB or RGBA. */
export async function encodePng({ height, width, channels, data }) {
  const head = new Uint8Array(13);
  const view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([8, COLOR_TYPES[channels]], 8);
  const parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", head)];
  const rows = Math.max(1, Math.floor(BAND / (width * channels)));
  let top = 0;
  const bands = new ReadableStream({
    pull(controller) {
      if (top === height) return controller.close();
      const bottom = Math.min(height, top + rows);
      controller.enqueue(filterRows(data, top, bottom, width * channels, channels));
      top = bottom;
    },
  }, { highWaterMark: 0 });
  const packed = bands.pipeThrough(new CompressionStream("deflate"));
  for await (const bytes of read(packed)) parts.push(chunk("IDAT", bytes));
  parts.push(chunk("IEND", new Uint8Array()));
  return concat(parts);
}

async function* read(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // a broken stream refuses, and `read` has thrown its error
  }
}

/** Build a chunk: length, name, body, CRC. */
function chunk(name, body) {
  const made = new Uint8Array(12 + body.length);
  const view = new DataView(made.buffer);
  view.setUint32(0, body.length);
  made.set([...name].map((letter) => letter.charCodeAt(0)), 4);
  made.set(body, 8);
  view.setUint32(8 + body.length, crc32(made.subarray(4, 8 + body.length)));
  return made;
}

/** Put byte arrays behind each other. */
export function concat(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** Filter rows by the difference from the left or from above, whichever is smaller in sum. */
function filterRows(data, top, bottom, length, left) {
  const filtered = new Uint8Array((bottom - top) * (1 + length));
  const sub = new Uint8Array(length);
  const up = new Uint8Array(length);
  for (let y = top; y < bottom; y++) {
    const row = data.subarray(y * length, (y + 1) * length);
    let subs = 0;
    let ups = 0;
    for (let k = 0; k < length; k++) {
      sub[k] = row[k] - (k < left ? 0 : row[k - left]);
      up[k] = row[k] - (y ? data[(y - 1) * length + k] : 0);
      subs += sub[k] < 128 ? sub[k] : 256 - sub[k];
      ups += up[k] < 128 ? up[k] : 256 - up[k];
    }
    const start = (y - top) * (1 + length);
    filtered[start] = subs < ups ? 1 : 2;
    filtered.set(subs < ups ? sub : up, start + 1);
  }
  return filtered;
}

/**
 * Decode a PNG to RGBA, upright, with the levels that pipeline/images/codec.py reads: browsers multiply them
 * by alpha and lose some. Return null for what the browser should decode: another type, an animation, or a
 * color space that is not sRGB. Throw an Error with one sentence for a PNG that is broken, or larger than 100
 * megapixels.
 */
export async function decodePng(bytes) {
  if (!SIGNATURE.every((byte, at) => bytes[at] === byte)) return null;
  const chunks = listChunks(bytes);
  const head = readHead(chunks);
  if (find(chunks, "acTL") || !(await isSrgb(chunks))) return null;
  const passes = (head.interlaced ? PASSES : WHOLE).map((pass) => measure(pass, head));
  const rows = await inflate(chunks, passes.reduce((sum, { bytes: size }) => sum + size, 0));
  const image = makeImage(head.height, head.width, 4);
  const paint = painter(head, chunks);
  let start = 0;
  for (const pass of passes) {
    paintPass(image, rows.subarray(start, start + pass.bytes), pass, head, paint);
    start += pass.bytes;
  }
  return turn(image, readOrientation(chunks));
}

function fail(why) {
  throw new Error(`This PNG file cannot be read: ${why}.`);
}

/** List the chunks of a file: {name, body}; those that decide no pixels only if their CRC holds. */
function listChunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks = [];
  for (let start = SIGNATURE.length; start + 12 <= bytes.length; ) {
    const stop = start + 12 + view.getUint32(start);
    const name = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    if (stop > bytes.length) break;
    const holds = crc32(bytes.subarray(start + 4, stop - 4)) === view.getUint32(stop - 4);
    const decides = name[0] === name[0].toUpperCase() || name === "tRNS";
    if (!holds && decides) fail("a part of it is damaged");
    if (decides && !CRITICAL.includes(name) && name !== "tRNS") fail(`it needs ${name}`);
    if (holds) chunks.push({ name, body: bytes.subarray(start + 8, stop - 4) });
    if (name === "IEND") break;
    start = stop;
  }
  return chunks;
}

function find(chunks, name) {
  return chunks.find((each) => each.name === name)?.body;
}

function viewOf(body) {
  return new DataView(body.buffer, body.byteOffset, body.byteLength);
}

function readHead(chunks) {
  const { name, body } = chunks[0] ?? {};
  if (name !== "IHDR" || body.length !== 13) fail("it has no header");
  const view = viewOf(body);
  const [width, height, depth, kind] = [view.getUint32(0), view.getUint32(4), body[8], body[9]];
  if (!DEPTHS[kind]?.includes(depth) || body[10] || body[11] || body[12] > 1) fail("its header is damaged");
  if (!width || !height) fail("it has no pixels");
  const megapixels = (width * height) / 1e6;
  if (megapixels > MOST) fail(`it has ${Math.round(megapixels)} megapixels, and ${MOST} are the most`);
  return { width, height, depth, kind, bits: depth * CHANNELS[kind], interlaced: body[12] === 1 };
}

/**
 * Tell whether the colors of a file are sRGB, by the first of cICP, iCCP, sRGB and gAMA with cHRM that it
 * has.
 */
async function isSrgb(chunks) {
  if (find(chunks, "cICP")) return false;
  const packed = find(chunks, "iCCP");
  if (packed) return isSrgbProfile(await unpackProfile(packed));
  if (find(chunks, "sRGB")) return true;
  const gamma = find(chunks, "gAMA");
  const places = find(chunks, "cHRM");
  if (gamma?.length === 4) {
    const given = viewOf(gamma).getUint32(0) || SRGB_GAMMA;
    if (Math.abs(given / SRGB_GAMMA - 1) >= 0.011) return false;
  }
  if (places?.length !== 32) return true;
  return SRGB_CHROMATICITIES.every((place, k) => Math.abs(viewOf(places).getUint32(4 * k) - place) <= 500);
}

/**
 * Return {left, top, right, down, width, height, length, bytes} of a pass; `length` is of a row, in bytes.
 */
function measure([left, top, right, down], head) {
  const width = Math.max(0, Math.ceil((head.width - left) / right));
  const height = Math.max(0, Math.ceil((head.height - top) / down));
  const length = Math.ceil((width * head.bits) / 8);
  return { left, top, right, down, width, height, length, bytes: width ? height * (1 + length) : 0 };
}

/** Unpack the rows, and no more of them than the header says. */
async function inflate(chunks, size) {
  const packed = chunks.filter(({ name }) => name === "IDAT").map(({ body }) => body);
  const rows = await unpack(packed, size);
  if (rows.length < size) fail("it is cut off or damaged");
  return rows;
}

/** Unpack zlib's data, up to `size` bytes; fewer if it is broken. */
async function unpack(packed, size) {
  const made = new Uint8Array(size);
  let length = 0;
  try {
    const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
    for await (const bytes of read(stream)) {
      made.set(bytes.subarray(0, size - length), length);
      length += Math.min(bytes.length, size - length);
      if (length === size) break;
    }
  } catch {
    return made.subarray(0, length);
  }
  return made.subarray(0, length);
}

/** Unpack the ICC profile of an iCCP chunk: a name, 0, the method, and zlib's data. */
function unpackProfile(body) {
  return unpack([body.subarray(body.indexOf(0) + 2)], MOST_PROFILE);
}

/** Undo the filters of the rows of a pass, in place, and paint their pixels. */
function paintPass(image, rows, pass, head, paint) {
  const { left, top, right, down, width, height, length } = pass;
  const back = Math.max(1, head.bits >> 3);
  let above = new Uint8Array(length);
  for (let y = 0; width && y < height; y++) {
    const filter = rows[y * (1 + length)];
    const row = rows.subarray(y * (1 + length) + 1, (y + 1) * (1 + length));
    unfilter(filter, row, above, back);
    const to = ((top + y * down) * image.width + left) * 4;
    for (let x = 0; x < width; x++) paint(image.data, to + x * right * 4, row, x);
    above = row;
  }
}

function unfilter(filter, row, above, back) {
  if (filter > 4) fail("a row of it is damaged");
  if (filter === 1) for (let k = back; k < row.length; k++) row[k] += row[k - back];
  if (filter === 2) for (let k = 0; k < row.length; k++) row[k] += above[k];
  if (filter === 3) {
    for (let k = 0; k < row.length; k++) row[k] += ((k < back ? 0 : row[k - back]) + above[k]) >> 1;
  }
  if (filter === 4) {
    for (let k = 0; k < row.length; k++) {
      row[k] += k < back ? above[k] : nearest(row[k - back], above[k], above[k - back]);
    }
  }
}

/** Return which of left, above and corner is nearest to left + above - corner (Paeth). */
function nearest(left, above, corner) {
  const fromLeft = Math.abs(above - corner);
  const fromAbove = Math.abs(left - corner);
  const fromCorner = Math.abs(left + above - 2 * corner);
  if (fromLeft <= fromAbove && fromLeft <= fromCorner) return left;
  return fromAbove <= fromCorner ? above : corner;
}

/** Return the function that paints pixel `x` of a row, as RGBA at `to`. */
function painter({ depth, kind }, chunks) {
  const clear = find(chunks, "tRNS");
  if (kind === PALETTE) return palettePainter(depth, chunks, clear);
  const channels = CHANNELS[kind];
  const [colors, alpha] = [channels < 3 ? 1 : 3, channels % 2 === 0];
  const keys = clear && !alpha && clear.length >= 2 * colors ? readLevels(clear, colors) : null;
  const scale = depth === 16 ? narrow : (level) => (level * 255) / (2 ** depth - 1);
  return (data, to, row, x) => {
    let same = keys !== null;
    for (let k = 0; k < 3; k++) {
      const level = levelAt(row, x * channels + (colors === 3 ? k : 0), depth);
      if (same && level !== keys[colors === 3 ? k : 0]) same = false;
      data[to + k] = scale(level);
    }
    data[to + 3] = alpha ? scale(levelAt(row, x * channels + colors, depth)) : same ? 0 : 255;
  };
}

function palettePainter(depth, chunks, clear) {
  const palette = find(chunks, "PLTE");
  if (!palette) fail("it has no palette");
  return (data, to, row, x) => {
    const number = levelAt(row, x, depth);
    data.set(3 * number + 2 < palette.length ? palette.subarray(3 * number, 3 * number + 3) : [0, 0, 0], to);
    data[to + 3] = clear?.[number] ?? 255;
  };
}

function readLevels(body, count) {
  return Array.from({ length: count }, (_, k) => viewOf(body).getUint16(2 * k));
}

/** Return sample `k` of a row, of `depth` bits. */
function levelAt(row, k, depth) {
  if (depth === 8) return row[k];
  if (depth === 16) return (row[2 * k] << 8) | row[2 * k + 1];
  const bit = k * depth;
  return (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

/** Scale 16 bits to 8, rounded at the half. */
function narrow(level) {
  return Math.floor((Math.min(level, 65535 - 128) + 128) / 257);
}

/** Read the orientation from EXIF: 1 for upright, up to 8. */
function readOrientation(chunks) {
  const body = find(chunks, "eXIf");
  if (!body || body.length < 8) return 1;
  const view = viewOf(body);
  const little = body[0] !== 0x4d; // "MM" is for big
  try {
    const start = view.getUint32(4, little);
    for (let k = 0, at = start + 2; k < view.getUint16(start, little); k++, at += 12) {
      if (view.getUint16(at, little) !== 0x0112) continue;
      const kind = view.getUint16(at + 2, little);
      if (kind === 3) return view.getUint16(at + 8, little);
      if (kind === 4) return view.getUint32(at + 8, little);
      if (kind === 1) return body[at + 8];
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}

/** Turn an RGBA image that lies as EXIF says. */
function turn(image, orientation) {
  if (!(orientation > 1 && orientation <= 8)) return image;
  const sideways = orientation > 4;
  const { height, width } = image;
  const turned = makeImage(sideways ? width : height, sideways ? height : width, 4);
  const [from, to] = [image, turned].map(({ data }) => new Uint32Array(data.buffer));
  const fromRight = [2, 3, 7, 8].includes(orientation); // where the first column of the result is taken from
  const fromBottom = [3, 4, 6, 7].includes(orientation);
  for (let y = 0, at = 0; y < turned.height; y++) {
    for (let x = 0; x < turned.width; x++, at++) {
      const [u, v] = sideways ? [y, x] : [x, y];
      to[at] = from[(fromBottom ? height - 1 - v : v) * width + (fromRight ? width - 1 - u : u)];
    }
  }
  return turned;
}
