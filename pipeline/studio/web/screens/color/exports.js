/** The menu that saves what was made: pictures, layers, strokes and the palette. */

import { el, icon } from "../../dom.js";

/** Kind for `Client.export`, what the menu says, and the end of the file's name. */
const KINDS = [
  ["picture", "Colored picture", "-colored.png"],
  ["ora", "Layers, OpenRaster", ".ora"],
  ["flats", "Flats, without anti-aliasing", "-flats.png"],
  ["lines", "Lines alone", "-lines.png"],
  ["strokes", "Strokes, for prep colorize --cue", "-strokes.png"],
  ["palette", "Palette, GIMP", ".gpl"],
];

/** Make the button and its menu; `save(kind, ending)` writes one. */
export function makeExports(save) {
  const button = el("button.primary", {
    type: "button", disabled: true, "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => toggle(),
  }, icon("download"), el("span.wide", {}, "Export"));
  button.setAttribute("aria-label", "Export");
  const items = KINDS.map(([kind, title, ending]) => el("button", {
    type: "button", role: "menuitem", tabindex: "-1", data: { kind },
    onclick: () => {
      toggle(false);
      save(kind, ending);
    },
  }, el("span", {}, title), el("span.muted.small", {}, ending.replace(/^.*\./, "."))));
  const menu = el("div.menu.exports", { role: "menu", hidden: true, "aria-label": "Export" }, items);
  const element = el("div.exporting", { onkeydown: key, onfocusout: leave }, button, menu);

  function toggle(open = menu.hidden) {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) items[0].focus();
  }

  function key(event) {
    if (menu.hidden) return;
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") {
      toggle(false);
      button.focus();
    } else if (next !== undefined) {
      items.at(next % items.length).focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function leave(event) {
    if (!element.contains(event.relatedTarget)) toggle(false);
  }

  return { element, enable: (on) => (button.disabled = !on) };
}

export const ENDINGS = Object.fromEntries(KINDS.map(([kind, , ending]) => [kind, ending]));

/** Hand a file to the browser's downloads. */
export function download(blob, name) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
