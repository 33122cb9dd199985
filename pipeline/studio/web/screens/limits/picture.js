/** Pictures beside limits: strips of small ones, and a large one with its scores and what a person chose. */

import { formatNumber } from "../../charts.js";
import { chooser } from "../../choosing.js";
import { el, iconButton, replace } from "../../dom.js";
import { KEPT, droppedBy, isBroken } from "../../engine/limits.js";

const LARGE = 512; // pixels

/** Return where a small picture is: the original of a reject, since the dataset has it not. */
export function sourceOf({ keys, kept }, place, side) {
  const column = kept[place] ? "color" : "original";
  return `api/thumb?${new URLSearchParams({ column, key: keys[place], side })}`;
}

/**
 * Fill an element with pictures that open when they are pressed, unless it shows the same ones.
 *
 * @param {HTMLElement} element
 * @param {Array<{key: string, source: string, open: function(): void}>} pictures
 */
export function showStrip(element, pictures) {
  const shown = pictures.map(({ key, source }) => `${key} ${source}`).join("\n");
  if (element.dataset.shown === shown) return;
  element.dataset.shown = shown;
  const buttons = pictures.map(({ key, source, open }) => {
    const image = el("img", { src: source, alt: key, loading: "lazy", onerror: leaveKey });
    return el("button.picture", { type: "button", title: key, onclick: open }, image);
  });
  replace(element, buttons.length ? buttons : el("p.small.muted", {}, "None"));
}

/** A picture that cannot be read leaves its key. */
function leaveKey({ target }) {
  target.replaceWith(target.alt);
}

/** Show one picture of the screen of limits large. */
export function openPicture(screen, place) {
  const key = screen.pictures.keys[place];
  const verdict = el("p", { role: "status" });
  const rows = el("tbody");
  const tell = () => {
    replace(verdict, describeVerdict(screen, place));
    replace(
      rows,
      screen.answer.rules.map((rule) => scoreRow(screen, rule, place)),
    );
  };
  const onchange = (choices) => {
    screen.choose(choices);
    tell();
  };
  const heads = ["Limit", "Score", "Must be", "Verdict"].map((name) => el("th", { scope: "col" }, name));
  const table = el("table.small", {}, el("thead", {}, el("tr", {}, heads)), rows);
  const choice = chooser(key, { choices: screen.answer.choices, onchange });
  const image = el("img", { alt: "", src: sourceOf(screen.pictures, place, LARGE) });
  const close = iconButton("close", "Close", { onclick: () => dialog.close() });
  const dialog = el(
    "dialog.limits-picture",
    { "aria-label": key, onclose: () => dialog.remove() },
    el("header", {}, el("h2", {}, key), close),
    el("div.body", {}, image, el("div.judged", {}, verdict, choice, el("div.scroll", {}, table))),
  );
  tell();
  document.body.append(dialog);
  dialog.showModal();
}

function describeVerdict({ answer: { rules, choices }, decision, pictures }, place) {
  const verdict = decision.verdicts[place];
  const key = pictures.keys[place];
  if (verdict === KEPT)
    return Object.hasOwn(choices.keep, key) ? `Kept by hand: ${choices.keep[key]}` : "Kept";
  if (verdict <= rules.length) return `Rejected: ${rules[verdict - 1].reason}`;
  return verdict === droppedBy(rules) ? `Dropped by hand: ${choices.drop[key]}` : "Rejected: duplicate";
}

function scoreRow({ limits, pictures }, rule, place) {
  const value = pictures.scores[rule.score][place];
  const bound = limits[rule.limit];
  const broken = isBroken(rule, value, bound);
  return el(
    "tr",
    { data: { broken } },
    el("th", { scope: "row" }, rule.limit),
    el("td.number", {}, formatNumber(value)),
    el("td.number", {}, `${rule.least ? "≥" : "≤"} ${formatNumber(bound)}`),
    el("td", {}, broken ? rule.reason : "fine"),
  );
}
