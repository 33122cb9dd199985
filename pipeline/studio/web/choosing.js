/** Keep or drop a picture by hand, with a reason: a line in clean.keep or clean.drop. */

import { getJson, sendJson } from "./api.js";
import { el, replace } from "./dom.js";

const PLACES = [
  { list: "none", title: "By the limits" },
  { list: "keep", title: "Keep" },
  { list: "drop", title: "Drop" },
];
let number = 0;

/**
 * @typedef {object} Choices the answer of GET api/choices
 * @property {Object<string, string>} keep reasons by key
 * @property {Object<string, string>} drop
 * @property {{keep?: string, drop?: string}} files
 * @property {string} sha256
 */

/**
 * Make the controls for one picture.
 *
 * @param {string} key
 * @param {object} [given]
 * @param {Choices} [given.choices] if they are at hand
 * @param {function(Choices): void} [given.onchange] gets the lists after each edit
 * @returns {HTMLElement}
 */
export function chooser(key, { choices = null, onchange = () => {} } = {}) {
  const name = `choice-${number++}`;
  const radios = PLACES.map(({ list }) =>
    el("input", { type: "radio", name, value: list, onchange: change }),
  );
  const labels = PLACES.map(({ title }, index) => el("label", {}, radios[index], title));
  const reason = el("input", { type: "text", maxlength: 500, autocomplete: "off", oninput: change });
  const save = el("button", { type: "submit" }, "Save");
  const said = el("p.small", { role: "status" });
  const words = el("label.field", {}, el("span", {}, "Reason"), reason);
  const element = el(
    "form.by-hand",
    { data: { state: "busy" }, onsubmit: submit },
    el("div.segmented", { role: "radiogroup", "aria-label": `Decide about ${key} by hand` }, labels),
    el("div.row", {}, words, save),
    said,
  );

  const chosen = () => radios.find(({ checked }) => checked)?.value ?? "none";
  const current = () => ["keep", "drop"].find((list) => Object.hasOwn(choices[list], key)) ?? "none";

  function change() {
    words.hidden = chosen() === "none";
    const same = chosen() === current() && (words.hidden || reason.value.trim() === choices[chosen()][key]);
    save.disabled = same || (!words.hidden && !reason.value.trim());
  }

  function tell(text, state) {
    replace(said, text);
    element.dataset.state = state;
  }

  function take(found) {
    choices = found;
    const list = current();
    for (const radio of radios) radio.checked = radio.value === list;
    reason.value = list === "none" ? "" : choices[list][key];
    change();
    tell(describe(list), "ready");
  }

  function describe(list) {
    return list === "none"
      ? "The limits decide about this picture."
      : `A line in ${choices.files[list]} decides.`;
  }

  async function submit(event) {
    event.preventDefault();
    if (save.disabled) return;
    element.dataset.state = "busy";
    save.disabled = true;
    const edit = { list: chosen(), key, reason: reason.value.trim(), sha256: choices.sha256 };
    try {
      take(await sendJson("PUT", "api/choices", edit));
      onchange(choices);
    } catch (error) {
      tell(error.message, "failed");
      save.disabled = false;
    }
  }

  if (choices) take(choices);
  else getJson("api/choices").then(take, (error) => tell(error.message, "failed"));
  return element;
}
