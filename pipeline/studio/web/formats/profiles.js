/** ICC profiles (ICC.1:2010), as far as to tell whether colors are sRGB. */

const COLORANTS = { // of sRGB, for the white of profiles: X, Y and Z
  rXYZ: [0.4361, 0.2225, 0.0139], gXYZ: [0.3851, 0.7169, 0.0971], bXYZ: [0.1431, 0.0606, 0.7141],
};
const CURVES = { "RGB ": ["rTRC", "gTRC", "bTRC"], "GRAY": ["kTRC"] };
const NEAR = 0.002; // by which colorants may differ
const LEVEL = 1 / 255; // by which curves may differ
const COUNTS = [1, 3, 4, 5, 7]; // of parameters, by the type of a parametric curve

/** Tell whether a profile means sRGB, within about a level; false if it is broken or of another kind. */
export function isSrgbProfile(profile) {
  try {
    const view = new DataView(profile.buffer, profile.byteOffset, profile.byteLength);
    const curves = CURVES[textAt(view, 16)];
    if (!curves) return false;
    const tags = listTags(view);
    if (tags.has("A2B0")) return false; // a table, which comes before the rest
    const colorants = curves.length === 3 ? Object.entries(COLORANTS) : [];
    return colorants.every(([name, wanted]) => isColorant(view, tags.get(name), wanted))
      && curves.every((name) => isSrgbCurve(readCurve(view, tags.get(name))));
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return false; // cut off, or without a tag
    throw error;
  }
}

function textAt(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((k) => view.getUint8(at + k)));
}

/** Return where the tags are, by name. */
function listTags(view) {
  const tags = new Map();
  for (let k = 0, at = 132; k < view.getUint32(128); k++, at += 12) {
    tags.set(textAt(view, at), view.getUint32(at + 4));
  }
  return tags;
}

function isColorant(view, at, wanted) {
  return wanted.every((part, k) => Math.abs(fixedAt(view, at + 8 + 4 * k) - part) <= NEAR);
}

function fixedAt(view, at) {
  return view.getInt32(at) / 65536;
}

/** Return a curve as a function of levels from 0 to 1 to light. */
function readCurve(view, at) {
  const count = view.getUint32(at + 8);
  if (textAt(view, at) === "curv") {
    if (count === 0) return (level) => level;
    if (count === 1) return (level) => level ** (view.getUint16(at + 12) / 256);
    return (level) => {
      const place = level * (count - 1);
      const low = Math.min(Math.floor(place), count - 2);
      const [one, other] = [0, 1].map((k) => view.getUint16(at + 12 + 2 * (low + k)) / 65535);
      return one + (other - one) * (place - low);
    };
  }
  const kind = view.getUint16(at + 8);
  const [g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from(
    { length: COUNTS[kind] }, (_, k) => fixedAt(view, at + 12 + 4 * k),
  );
  if (kind === 0) return (level) => level ** g;
  if (kind < 3) return (level) => (level >= -b / a ? (a * level + b) ** g : 0) + (kind === 2 ? c : 0);
  return (level) => (level >= d ? (a * level + b) ** g + e : c * level + f);
}

function isSrgbCurve(curve) {
  return Array.from({ length: 256 }, (_, level) => level / 255).every((level) => {
    const light = curve(level);
    const shown = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
    return Math.abs(shown - level) <= LEVEL;
  });
}
