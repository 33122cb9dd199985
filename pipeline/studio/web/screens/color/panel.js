/** The panel beside the canvas: color, palette, brush, guide of the model, and how the result is made. */

import { el, iconButton } from "../../dom.js";
import { makePalette } from "./palette.js";
import { makePicker } from "./picker.js";

const THUMB = 480; // pixels of the longer side of the reference as it is shown

const GUIDES = {
  cue: ["Strokes", "Your strokes fill their regions; the model colors the others."],
  reference: ["Reference", "The model takes the colors of the reference. Strokes are kept, but not used."],
  palette: ["Palette", "The model uses the colors of the palette, anywhere. Strokes are kept, but not used."],
  gray: ["Mask", "The model colors a gray picture where you paint the mask, or all of it without one."],
  none: ["Nothing", "The model decides. Strokes are kept, but not used."],
};

const LACKING = {
  reference: "Choose a picture below, or drop one: the model takes its colors.",
  palette: "Add colors to the palette above: the model uses them, anywhere.",
};

/** The guides that the model takes and that the page offers; none without a model. */
export function guidesOf({ model }) {
  return Object.keys(GUIDES).filter((name) => model?.guides.includes(name));
}

/**
 * Make the panel.
 *
 * `actions` has pick(color), brush(change), settings(change, done): a slider that still moves is not done;
 * reference(file or null), and palette: the actions of `makePalette`.
 *
 * @param {object} page of page.json
 * @returns {{element, show: (state) => void, picker}}
 */
export function makePanel(page, actions) {
  const picker = makePicker(actions.pick);
  const palette = makePalette({ ...actions.palette, pick: actions.pick });
  const guides = guidesOf(page);
  const { brush: setBrush, settings: set } = actions;
  const size = slider("Brush size", 100, (at) => setBrush({ size: toSize(at) }));
  const pressure = check("Pressure sets the width", (on) => setBrush({ pressure: on }));
  const gap = slider("Close gaps", 40, (at, done) => set({ gap: at }, done));
  const strength = slider("Strength of the model", 100, (at, done) => set({ strength: at / 100 }, done));
  const redraw = check("Let the model redraw the lines", (on) => set({ lines: on ? "redraw" : "keep" }));
  const invert = check("Lines are light on dark", (on) => set({ invert: on }));
  const says = el("p.small.muted");
  const choices = guides.map((name) => [name, GUIDES[name][0]]);
  const choice = radios("Colors come from", choices, (guide) => set({ guide }));
  const reference = makeReference(actions);
  const byModel = section("Colors come from", choice.element, says);
  const result = section("Result", strength.element, gap.element, redraw.element, invert.element);
  byModel.hidden = !guides.length;
  choice.element.hidden = guides.length < 2;
  redraw.element.hidden = !page.model;
  let limits = { largest: 300 };

  /** Sizes of the brush grow by a power of the slider's place, so that small ones are chosen finely. */
  function toSize(at) {
    return Math.max(1, Math.round(limits.largest ** (at / 100)));
  }

  function show({ brush, settings, used, referenceColors, referenceImage, largest, automaticGap }) {
    limits = { largest };
    picker.set(brush.color);
    palette.show({ color: brush.color, used, reference: referenceColors, palette: settings.palette });
    size.set((100 * Math.log(brush.size)) / Math.log(largest), `${brush.size} px`);
    pressure.set(brush.pressure);
    const closed = settings.gap ?? automaticGap;
    gap.input.max = Math.max(40, Math.ceil(4 * automaticGap));
    gap.set(closed, `${Math.round(closed)} px${settings.gap === null ? ", automatic" : ""}`);
    strength.set(100 * settings.strength, `${Math.round(100 * settings.strength)} %`);
    strength.element.hidden = !page.model;
    gap.element.hidden = settings.guide !== "cue";
    redraw.set(settings.lines === "redraw");
    invert.set(settings.invert);
    invert.element.hidden = settings.guide === "gray";
    choice.set(settings.guide);
    const { guide, palette: colors } = settings;
    const lacks = (guide === "reference" && !settings.reference) || (guide === "palette" && !colors.length);
    says.textContent = lacks ? LACKING[guide] : GUIDES[guide][1];
    reference.show(referenceImage);
  }

  const element = el(
    "aside.color-panel", { "aria-label": "Color and settings" },
    section("Color", picker.element, palette.element),
    el("section", { "aria-label": "Brush" }, size.element, pressure.element),
    byModel,
    result,
    section("Reference", reference.element),
  );
  return { element, show, picker };
}

function section(title, ...content) {
  return el("section", { "aria-label": title }, el("h3", {}, title), content);
}

function slider(title, max, onMove) {
  const value = el("span.number.value", { "aria-hidden": "true" });
  const input = el("input", {
    type: "range", min: "0", max, step: "1", "aria-label": title,
    oninput: () => onMove(Number(input.value), false), onchange: () => onMove(Number(input.value), true),
  });
  const element = el("label.field", {}, el("span.between", {}, title, value), input);
  const set = (at, text) => {
    if (Number(input.value) !== Math.round(at)) input.value = Math.round(at);
    value.textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  return { element, input, set };
}

function check(title, onChange) {
  const input = el("input", { type: "checkbox", onchange: () => onChange(input.checked) });
  return { element: el("label.choice", {}, input, title), set: (on) => (input.checked = on) };
}

/** Radio buttons that look like one control. */
export function radios(name, choices, onChange) {
  const inputs = choices.map(([value]) => el("input", {
    type: "radio", name, value, onchange: () => onChange(value),
  }));
  const labels = choices.map(([value, title], at) => el("label", { data: { value } }, inputs[at], title));
  const element = el("div.segmented", { role: "radiogroup", "aria-label": name }, labels);
  return { element, set: (value) => inputs.forEach((input) => (input.checked = input.value === value)) };
}

/** The reference: a picture to take colors from, by the model or by a click. */
function makeReference(actions) {
  const input = el("input", {
    type: "file", accept: "image/*", hidden: true,
    onchange: () => {
      if (input.files[0]) actions.reference(input.files[0]);
      input.value = "";
    },
  });
  const canvas = el("canvas", { title: "Click to take a color", onclick: take });
  const choose = el("button", { type: "button", onclick: () => input.click() }, "Choose a picture");
  const remove = iconButton("close", "Take the reference away", { onclick: () => actions.reference(null) });
  const frame = el("div.reference", { hidden: true }, canvas, remove);
  const invite = el("div.invite", {}, choose, el("p.small.muted", {}, "or drop one here"));
  const element = el("div.drop-reference", {}, frame, invite, input);
  let shown = null;

  function take({ clientX, clientY }) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const x = Math.floor(((clientX - left) / width) * canvas.width);
    const y = Math.floor(((clientY - top) / height) * canvas.height);
    const { data } = canvas.getContext("2d").getImageData(x, y, 1, 1);
    if (data[3]) actions.pick([...data.slice(0, 3)]);
  }

  function show(image) {
    if (image === shown) return;
    shown = image;
    frame.hidden = !image;
    invite.hidden = Boolean(image);
    if (!image) return;
    const scale = Math.min(1, THUMB / Math.max(image.width, image.height));
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
  }

  return { element, show };
}
