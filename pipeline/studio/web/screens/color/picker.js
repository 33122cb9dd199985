/** The color that is painted with: a field of its hue, three sliders, and a field for hex. */

import { el } from "../../dom.js";
import { fromHex, toHex, toLevels, toPixel } from "../../draw/colors.js";

/** Hue from 0 to 360, saturation and value from 0 to 100. */
export function toHsv([red, green, blue]) {
  const most = Math.max(red, green, blue);
  const range = most - Math.min(red, green, blue);
  let hue = 0;
  if (range && most === red) hue = ((green - blue) / range + 6) % 6;
  else if (range && most === green) hue = (blue - red) / range + 2;
  else if (range) hue = (red - green) / range + 4;
  return [hue * 60, most ? (100 * range) / most : 0, most / 2.55];
}

export function fromHsv([hue, saturation, value]) {
  const channel = (shift) => {
    const place = (shift + hue / 60) % 6;
    const part = Math.max(0, Math.min(place, 4 - place, 1));
    return Math.round(2.55 * value * (1 - (saturation / 100) * part));
  };
  return [channel(5), channel(3), channel(1)];
}

/**
 * Make the controls; `onPick` hears of a color, [r, g, b], whenever it is changed here.
 *
 * @returns {{element: HTMLElement, set: (color: number[]) => void, focus: () => void}}
 */
export function makePicker(onPick) {
  let hsv = [0, 0, 0];
  const knob = el("span.knob", { "aria-hidden": "true" });
  const box = el("div.hue-field", { onpointerdown: start, onpointermove: drag }, knob);
  const sliders = [
    slider("Hue", 360, "hue"), slider("Saturation", 100, "saturation"), slider("Brightness", 100, "value"),
  ];
  const hex = el("input.hex", {
    "aria-label": "Color as hex", spellcheck: "false", autocomplete: "off", maxlength: "7", size: "8",
    oninput: typed, onchange: () => show(), onkeydown: (event) => event.key === "Enter" && hex.blur(),
  });
  const chip = el("span.chip", { "aria-hidden": "true" });
  const rows = el("div.sliders", {}, sliders.map(({ label }) => label));
  const element = el("div.picker", {}, box, rows, el("div.row", {}, chip, hex));

  function slider(name, most, kind) {
    const input = el("input", {
      type: "range", min: "0", max: most, step: "1", data: { kind }, "aria-label": name,
      oninput: () => change(sliders.map((each) => Number(each.input.value))),
    });
    return { input, label: el("label.slider", { title: name }, input) };
  }

  function start(event) {
    box.setPointerCapture(event.pointerId);
    drag(event);
  }

  function drag(event) {
    if (!event.buttons) return;
    const { left, top, width, height } = box.getBoundingClientRect();
    const share = (value) => 100 * Math.min(1, Math.max(0, value));
    change([hsv[0], share((event.clientX - left) / width), share(1 - (event.clientY - top) / height)]);
  }

  function typed() {
    const pixel = fromHex(hex.value);
    hex.setAttribute("aria-invalid", String(pixel === null));
    if (pixel === null) return;
    const color = toLevels(pixel);
    hsv = toHsv(color);
    show(true);
    onPick(color);
  }

  function change(next) {
    hsv = next;
    show();
    onPick(fromHsv(hsv));
  }

  function show(isTyping = false) {
    const color = fromHsv(hsv);
    const [hue, saturation, value] = hsv;
    sliders.forEach(({ input }, at) => (input.value = Math.round(hsv[at])));
    for (const [name, each] of Object.entries({
      "--hue": `rgb(${fromHsv([hue, 100, 100]).join(" ")})`,
      "--pale": `rgb(${fromHsv([hue, 0, value]).join(" ")})`,
      "--full": `rgb(${fromHsv([hue, 100, value]).join(" ")})`,
      "--bright": `rgb(${fromHsv([hue, saturation, 100]).join(" ")})`,
      "--color": `rgb(${color.join(" ")})`,
      "--x": `${saturation}%`,
      "--y": `${100 - value}%`,
    })) element.style.setProperty(name, each);
    if (isTyping) return;
    hex.value = toHex(toPixel(color));
    hex.removeAttribute("aria-invalid");
  }

  show();
  return {
    element,
    set(color) {
      if (toPixel(fromHsv(hsv)) === toPixel(color)) return; // gray has no hue: keep the one that is there
      hsv = toHsv(color);
      show();
    },
    focus: () => hex.select(),
  };
}
