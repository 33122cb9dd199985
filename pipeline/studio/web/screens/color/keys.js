/** The keys of the screen: which do what, and the dialog that lists them. */

import { el, iconButton } from "../../dom.js";

/** Groups of [keys, what they do, name of the command]; keys are KeyboardEvent's, with Ctrl+ and Shift+. */
const GROUPS = [
  ["Tools", [
    [["b"], "Brush", "brush"],
    [["e"], "Eraser", "eraser"],
    [["g"], "Fill a region", "fill"],
    [["i"], "Pick a color; or hold Alt, or the right button", "picker"],
    [["h"], "Move the view; or hold Space, or the middle button", "hand"],
    [["["], "Smaller brush", "smaller"],
    [["]"], "Larger brush", "larger"],
    [["x"], "Back to the color before", "swap"],
    [["c"], "Type a color as hex", "hex"],
  ]],
  ["Undo", [
    [["Ctrl+z"], "Undo; or tap with two fingers", "undo"],
    [["Ctrl+Shift+z", "Ctrl+y"], "Redo; or tap with three fingers", "redo"],
  ]],
  ["View", [
    [["v"], "Strokes, both, slider or result", "mode"],
    [["m"], "Mirror", "mirror"],
    [["0"], "Fit the window", "fit"],
    [["1"], "One pixel for a pixel", "actual"],
    [["+", "="], "Zoom in; or turn the wheel", "zoomIn"],
    [["-"], "Zoom out", "zoomOut"],
  ]],
  ["Files", [
    [["Ctrl+o"], "Open a drawing; or drop or paste one", "open"],
    [["Ctrl+s"], "Save the colored picture", "save"],
    [["?"], "Show these keys", "help"],
  ]],
];

/** What the canvas itself hears while it has the focus. */
const CANVAS = [
  ["Arrows", "Move the crosshair; with Shift farther, with Alt by a pixel"],
  ["Enter", "Paint, erase, fill or pick at the crosshair"],
  ["Shift+Enter", "Paint a line from the last place, as Shift and a click do"],
];

const isMac = /mac/i.test(navigator.platform);

/** The command of a pressed key, if it is one of the screen and nobody is typing. */
export function commandOf(event) {
  if (event.altKey || isTyping(event.target)) return null;
  if (event.key === "Escape") return "close";
  const held = event.ctrlKey || event.metaKey;
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const key = `${held ? "Ctrl+" : ""}${event.shiftKey && letter ? "Shift+" : ""}${event.key.toLowerCase()}`;
  for (const [, rows] of GROUPS) {
    const row = rows.find(([keys]) => keys.includes(key));
    if (row) return row[2];
  }
  return null;
}

function isTyping(target) {
  return target.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
}

export function makeHelp() {
  const close = () => dialog.close();
  const group = (title, rows) => el("section", {}, el("h3", {}, title), el("dl.keys", {}, rows));
  const key = (name) => el("kbd", {}, named(name));
  const row = (keys, does) => [el("dt", {}, keys.map(key)), el("dd", {}, does)];
  const dialog = el(
    "dialog.keys-dialog",
    { "aria-label": "Keys" },
    el("header", {}, el("h2", {}, "Keys"), iconButton("close", "Close", { onclick: close })),
    el(
      "div.body.columns", {},
      GROUPS.map(([title, rows]) => group(title, rows.map(([keys, does]) => row(keys, does)))),
      group("On the canvas", CANVAS.map(([key, does]) => row([key], does))),
    ),
  );
  return dialog;
}

function named(key) {
  const short = key.replace(/(^|\+)[a-z]$/, (letter) => letter.toUpperCase());
  return isMac ? short.replace("Ctrl+", "⌘").replace("Shift+", "⇧") : short;
}
