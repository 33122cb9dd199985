/** Controls that several screens have, made of the components of app.css. */

import { el, notify, solve } from "./dom.js";

/**
 * Make a group of radio buttons that looks like one control.
 *
 * @param {object} given
 * @param {string} given.name of the buttons in the page
 * @param {string} given.label of the group
 * @param {Record<string, string>} given.titles of the buttons, by value
 * @param {string} given.chosen value
 * @param {(value: string) => void} given.choose
 */
export function segmented({ name, label, titles, chosen, choose }) {
  return el(
    "div.segmented",
    { role: "radiogroup", "aria-label": label },
    Object.entries(titles).map(([value, title]) =>
      el(
        "label",
        {},
        el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => choose(value) }),
        title,
      ),
    ),
  );
}

/**
 * Make checkboxes that look like buttons. At least one stays checked.
 *
 * @param {Record<string, string>} titles of the boxes, by value
 * @param {Set<string>} chosen values; it is changed, and keeps the order of `titles`
 * @param {() => void} changed
 */
export function toggles(titles, chosen, changed) {
  const boxes = Object.keys(titles).map((value) =>
    el("input", { type: "checkbox", value, checked: chosen.has(value), onchange }),
  );
  function onchange({ target }) {
    if (!boxes.some((box) => box.checked)) target.checked = true;
    chosen.clear();
    for (const box of boxes) if (box.checked) chosen.add(box.value);
    changed();
  }
  return boxes.map((box) => el("label.toggle", {}, box, titles[box.value]));
}

/** Say above the screen why pictures do not arrive, and with null that they do. */
export function tellFault(error) {
  if (error) notify(error.message, { key: "pictures" });
  else solve("pictures");
}
