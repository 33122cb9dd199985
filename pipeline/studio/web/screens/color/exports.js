/** The menu that saves what was made: pictures, layers, strokes and the palette. */

import { el, icon } from "../../dom.js";
import { makeMenu } from "./menu.js";

/** Kind for `Client.export`, what the menu says, and the end of the file's name. */
const KINDS = [
  ["picture", "Colored picture", "-colored.png"],
  ["ora", "Layers, OpenRaster", ".ora"],
  ["flats", "Flats, without anti-aliasing", "-flats.png"],
  ["lines", "Lines alone", "-lines.png"],
  ["strokes", "Strokes, for prep colorize --cue", "-strokes.png"],
  ["palette", "Palette, GIMP", ".gpl"],
];

/** Make the button and its menu; `save(kind)` writes one. */
export function makeExports(save) {
  const button = el(
    "button.primary", { type: "button", disabled: true, "aria-label": "Export" },
    icon("download"), el("span.wide", {}, "Export"),
  );
  const menu = makeMenu(button, "Export");
  menu.fill(KINDS.map(([kind, title, ending]) => ({
    data: { kind }, run: () => save(kind),
    content: [el("span", {}, title), el("span.muted.small", {}, ending.replace(/^.*\./, "."))],
  })));
  return { element: menu.element, enable: (on) => (button.disabled = !on) };
}

export const ENDINGS = Object.fromEntries(KINDS.map(([kind, , ending]) => [kind, ending]));

/** Hand a file to the browser's downloads. */
export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
