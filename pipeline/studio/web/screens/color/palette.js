/** The strip of colors: last used, the main ones of the reference, and a palette to load, edit and save. */

import { el, iconButton, replace } from "../../dom.js";
import { toHex, toPixel } from "../../draw/colors.js";

const MOST_USED = 14;

/**
 * Make the strip.
 *
 * @param {object} actions pick(color); load(file): read a .gpl or a picture; save(); edit(colors)
 * @returns {{element, show: (given) => void}} `show` takes {color, used, reference, palette}: [r, g, b] each
 */
export function makePalette(actions) {
  const groups = el("div.swatch-groups");
  const input = el("input", {
    type: "file", accept: ".gpl,image/*", hidden: true,
    onchange: () => {
      if (input.files[0]) actions.load(input.files[0]);
      input.value = "";
    },
  });
  const change = el("button.plain.icon-button", { type: "button", onclick: toggle });
  const save = iconButton("download", "Save the palette as .gpl", { onclick: () => actions.save() });
  const load = iconButton("open", "Load a palette: .gpl, or the colors of a picture", {
    onclick: () => input.click(),
  });
  let now = { color: [0, 0, 0], used: [], reference: [], palette: [] };

  function toggle() {
    const at = now.palette.findIndex((each) => same(each, now.color));
    actions.edit(at < 0 ? [...now.palette, now.color] : now.palette.toSpliced(at, 1));
  }

  function group(title, colors, buttons = []) {
    if (!colors.length && !buttons.length) return null;
    return el(
      "div.swatches", { role: "group", "aria-label": title },
      el("div.swatches-head", {}, el("span.label", {}, title), buttons),
      colors.length ? el("div.dabs", {}, colors.map((color) => swatch(color, title))) : null,
    );
  }

  function swatch(color, title) {
    const hex = toHex(toPixel(color));
    const remove = (event) => {
      event.preventDefault();
      if (title === "Palette") actions.edit(now.palette.filter((each) => !same(each, color)));
    };
    return el("button.swatch", {
      type: "button", title: hex, "aria-label": `${hex}, ${title.toLowerCase()}`, css: { "--color": hex },
      "aria-pressed": String(same(color, now.color)), onclick: () => actions.pick(color),
      oncontextmenu: remove, onkeydown: (event) => event.key === "Delete" && remove(event),
    });
  }

  function show(given) {
    const focused = groups.contains(document.activeElement) && labelOf(document.activeElement);
    now = { ...now, ...given };
    const isIn = now.palette.some((each) => same(each, now.color));
    const label = isIn ? "Take the color out of the palette" : "Add the color to the palette";
    replace(change, iconButton(isIn ? "minus" : "plus", label).firstChild);
    change.title = label;
    change.setAttribute("aria-label", label);
    save.disabled = !now.palette.length;
    replace(
      groups,
      group("Used", now.used),
      group("Reference", now.reference),
      group("Palette", now.palette, [change, load, save]),
    );
    if (focused) [...groups.querySelectorAll("button")].find((each) => labelOf(each) === focused)?.focus();
  }

  return { element: el("div.palette", {}, groups, input), show };
}

function labelOf(button) {
  return button.getAttribute("aria-label");
}

function same(one, other) {
  return one.every((value, at) => value === other[at]);
}

/** The colors used last, with a newer one in front. */
export function addUsed(used, color) {
  return [color, ...used.filter((each) => !same(each, color))].slice(0, MOST_USED);
}
