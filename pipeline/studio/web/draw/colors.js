/**
 * Colors as pixels: a number whose bytes in memory are red, green, blue and alpha. All machines that browsers
 * run on put the lowest byte first.
 */

const OPAQUE = 0xff000000;

/** Return the opaque pixel of a color of three levels. */
export function toPixel([red, green, blue]) {
  return (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Return the levels of a pixel: red, green, blue. */
export function toLevels(pixel) {
  return [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
}

/** Write a pixel as #rrggbb. */
export function toHex(pixel) {
  return `#${toLevels(pixel).map((level) => level.toString(16).padStart(2, "0")).join("")}`;
}

/** Read #rrggbb, rrggbb, #rgb or rgb, in small or capital letters; null for any other text. */
export function fromHex(text) {
  const digits = text.trim().replace(/^#/, "");
  if (!/^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(digits)) return null;
  const long = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  return toPixel([0, 2, 4].map((at) => parseInt(long.slice(at, at + 2), 16)));
}
