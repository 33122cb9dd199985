/** Controls that several screens have, made of the components of app.css. */

import { el, notify, solve } from "./dom.js";

/** Make a group of radio buttons that looks like one control. */
export function segmented(name, values, chosen, choose, label, title = (value) => value) {
  return el(
    "div.segmented",
    { role: "radiogroup", "aria-label": label },
    values.map((value) =>
      el(
        "label",
        {},
        el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => choose(value) }),
        title(value),
      ),
    ),
  );
}

/**
 * Make checkboxes that look like buttons. At least one stays checked.
 *
 * @param {string[]} values
 * @param {Set<string>} chosen is changed, and keeps the order of `values`
 * @param {() => void} changed
 * @param {(value: string) => string} [title]
 */
export function toggles(values, chosen, changed, title = (value) => value) {
  const boxes = values.map((value) =>
    el("input", { type: "checkbox", value, checked: chosen.has(value), onchange }),
  );
  function onchange({ target }) {
    if (!boxes.some((box) => box.checked)) target.checked = true;
    chosen.clear();
    for (const box of boxes) if (box.checked) chosen.add(box.value);
    changed();
  }
  return boxes.map((box) => el("label.toggle", {}, box, title(box.value)));
}

/** Make a sentence of what an error says. */
export function sentence({ message }) {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** Say above the screen why pictures do not arrive, and with null that they do. */
export function tellFault(error) {
  if (error) notify(sentence(error), { key: "pictures" });
  else solve("pictures");
}
