/** Palettes of GIMP, which Krita, Inkscape and others read and write too. */

import { toLevels, toPixel } from "../draw/colors.js";

const HEADER = "GIMP Palette";

/**
 * Read a palette: {name, colors, problem}; colors are {pixel, name}, see draw/colors.js. `problem` is one
 * sentence on lines that are no colors, or "". Throw an Error with one sentence for another file, or one
 * without colors.
 */
export function readGpl(text) {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  if (lines[0].trim() !== HEADER) throw new Error(`This is no palette: a .gpl file begins with "${HEADER}".`);
  let name = "";
  const colors = [];
  const bad = [];
  lines.slice(1).forEach((line, k) => {
    if (/^\s*(#|$)/.test(line) || /^Columns:/i.test(line)) return;
    const titled = /^Name:(.*)$/i.exec(line);
    if (titled) name ||= titled[1].trim();
    else {
      const color = readColor(line);
      if (color) colors.push(color);
      else bad.push(k + 2);
    }
  });
  if (!colors.length) throw new Error("This palette has no colors.");
  return { name, colors, problem: tell(bad) };
}

function readColor(line) {
  const found = /^\s*(\d+)\s+(\d+)\s+(\d+)(?:\s+(.*))?$/.exec(line);
  const levels = found?.slice(1, 4).map(Number);
  if (!levels || Math.max(...levels) > 255) return null;
  return { pixel: toPixel(levels), name: (found[4] ?? "").trim() };
}

function tell(bad) {
  if (!bad.length) return "";
  if (bad.length === 1) return `Line ${bad[0]} of the palette is no color, and was left out.`;
  return `${bad.length} lines of the palette are no colors, and were left out; the first is line ${bad[0]}.`;
}

/** Write a palette of colors, {pixel, name}. */
export function writeGpl(name, colors) {
  const inLine = (text) => text.replace(/\s+/g, " ").trim();
  const listed = colors.map(({ pixel, name: called = "" }) => {
    const levels = toLevels(pixel).map((level) => String(level).padStart(3)).join(" ");
    return `${levels}\t${inLine(called) || "Untitled"}`;
  });
  return [HEADER, `Name: ${inLine(name)}`, "#", ...listed, ""].join("\n");
}
