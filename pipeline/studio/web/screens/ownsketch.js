/** A sketch of one's own: live parameters, and the entry of params.yaml that they make. */

import { getJson } from "../api.js";
import { el, icon, iconButton, notify, replace } from "../dom.js";
import { writeParams } from "../paramsdialog.js";
import {
  doubtName,
  drawsNumbers,
  entryOf,
  entryYaml,
  formatValue,
  isRange,
  nextValue,
  openPreset,
  parseValue,
  placeOf,
  readControls,
  suggestName,
  valueAt,
} from "../sketchparams.js";
import { View, formatPercent } from "./sketchview.js";

const STEPS = 1000; // of a slider
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class OwnSketch {
  constructor(screen) {
    this.screen = screen;
    this.values = { ...screen.defaults };
    this.view = new View(screen);
    this.title = el("h2", {}, "Your sketch");
    this.complexity = el("span.badge.number", { title: "Share of black at 256 pixels, before the pen" });
    this.drawn = el("p.small.muted", { hidden: true });
    this.original = el("img.original", { alt: "", hidden: true });
    this.view.element.append(this.original);
    this.method = this.makeMethods();
    this.fields = el("div.sketch-controls");
    this.pen = el("div.sketch-controls");
    this.penBox = el("details", {}, el("summary", {}, "Pen"), this.pen);
    this.name = el("input", {
      type: "text",
      "aria-label": "Name of the entry",
      spellcheck: "false",
      autocomplete: "off",
    });
    this.name.addEventListener("input", () => {
      this.named = true;
      this.write();
    });
    this.doubt = el("p.small.doubt", { role: "status" });
    this.yaml = el("pre.yaml", { tabindex: "0", "aria-label": "The entry as YAML" });
    this.copy = el("button", { type: "button", onclick: () => this.copyYaml() }, "Copy the YAML");
    this.add = el("button.primary", { type: "button", onclick: () => this.addEntry() }, "Add to params.yaml");
    this.element = this.lay();
  }

  lay() {
    const flip = el("button", { type: "button", "aria-pressed": "false" }, icon("eye"), "Picture");
    flip.addEventListener("click", () => {
      const shown = flip.getAttribute("aria-pressed") !== "true";
      flip.setAttribute("aria-pressed", shown);
      this.original.src = this.screen.choice.source ?? "";
      this.original.hidden = !shown;
    });
    this.flip = flip;
    const entry = el(
      "div.new-entry",
      {},
      el("h3", {}, "New entry of params.yaml"),
      el("label.field", {}, el("span", {}, "Name"), this.name),
      this.doubt,
      this.yaml,
      el("div.row", {}, this.add, this.copy),
    );
    return el(
      "section.panel.own-sketch",
      { "aria-label": "Your sketch" },
      el("header", {}, this.title, this.complexity, flip),
      this.view.element,
      this.drawn,
      el("label.field", {}, el("span", {}, "Method"), this.method),
      this.fields,
      this.penBox,
      entry,
    );
  }

  makeMethods() {
    const { controls, presets } = this.screen;
    const methods = controls.find(({ name }) => name === "method").names;
    const select = el(
      "select",
      { "aria-label": "Method" },
      el(
        "optgroup",
        { label: "Methods" },
        methods.map((each) => el("option", { value: `method ${each}` }, each)),
      ),
      el(
        "optgroup",
        { label: "Published presets of XDoG" },
        Object.keys(presets).map((each) => el("option", { value: `preset ${each}` }, each)),
      ),
    );
    select.addEventListener("change", () => {
      const [kind, name] = select.value.split(" ");
      this.set(
        kind === "preset" ? { method: this.screen.defaults.method, preset: name } : this.otherMethod(name),
        true,
      );
    });
    return select;
  }

  /** Return the values with which another method begins: those that it shares with the one before stay. */
  otherMethod(method) {
    const open = openPreset(this.values, this.screen.presets);
    const learned = this.screen.entries.find(({ sketch }) => sketch?.method === "learned")?.sketch;
    const weights =
      method === "learned" && learned ? { weights: learned.weights, sha256: learned.sha256 } : {};
    return { ...open, ...weights, method, preset: "none" };
  }

  /** Begin with the parameters of a tile. */
  take(tile, scroll = true) {
    if (!tile?.values) return;
    this.values = { ...tile.values };
    this.title.textContent = `From ${tile.title}`;
    for (const each of this.screen.groups.flatMap(({ tiles }) => tiles)) {
      each.element.setAttribute("aria-pressed", each === tile);
    }
    this.named = false;
    this.fill();
    this.redraw();
    const { top, bottom } = this.element.getBoundingClientRect();
    if (scroll && (bottom < 200 || top > innerHeight - 200))
      this.element.scrollIntoView({ behavior: "smooth", block: "start" });
  }

  /** Change values; with `refill`, other controls are needed. */
  set(values, refill = false) {
    this.values = { ...this.values, ...values };
    if (refill) this.fill();
    this.showSeed();
    this.write();
    this.redraw();
  }

  fill() {
    const { controls, presets } = this.screen;
    const { method, preset } = this.values;
    this.method.value = preset === "none" ? `method ${method}` : `preset ${preset}`;
    const own = readControls(controls, this.values).filter(({ methods }) => methods.length);
    const pen = controls.filter(({ kind, methods }) => kind !== "choice" && !methods.length);
    const rows = own.map((control) => this.makeRow(control));
    replace(this.fields, preset === "none" ? rows : this.presetRows(presets[preset]));
    replace(
      this.pen,
      pen.map((control) => this.makeRow(control)),
    );
    if (pen.some(({ name, default: initial }) => this.values[name] !== initial)) this.penBox.open = true;
    this.showSeed();
    this.write();
  }

  /** The seed matters only where the key of the picture decides something. */
  showSeed() {
    this.pen.querySelector("[data-name=seed]").hidden = !drawsNumbers(this.values);
  }

  presetRows(settings) {
    const { controls } = this.screen;
    const rows = Object.entries(settings).map(([name, value]) => {
      const control = controls.find((each) => each.name === name);
      return [el("dt", {}, name), el("dd.number", {}, formatValue(control, value))];
    });
    const change = () => this.set(openPreset(this.values, this.screen.presets), true);
    return [el("dl.settings", {}, rows), el("button", { type: "button", onclick: change }, "Change these")];
  }

  makeRow(control) {
    const { name, help, default: initial } = control;
    const id = `sketch-${name}`;
    const slider = el("input", { type: "range", min: 0, max: STEPS, "aria-label": `${name}, slider` });
    const input = el("input.number", {
      type: "text",
      id,
      inputmode: "decimal",
      autocomplete: "off",
      "aria-describedby": `${id}-help`,
    });
    const reset = iconButton("undo", `Set ${name} to ${initial}`, { onclick: () => change(initial, true) });
    const fault = el("span.small.wrong", { role: "status" });
    const present = (value, typed) => {
      if (!typed) input.value = formatValue(control, value);
      slider.disabled = isRange(value);
      if (!isRange(value)) slider.value = Math.round(STEPS * placeOf(control, value));
      slider.setAttribute("aria-valuetext", formatValue(control, value));
      reset.hidden = value === initial;
      input.removeAttribute("aria-invalid");
      fault.textContent = "";
    };
    const change = (value, shown = false) => {
      present(value, !shown);
      this.set({ [name]: value });
    };
    slider.addEventListener("input", () => change(valueAt(control, slider.value / STEPS), true));
    slider.addEventListener("keydown", (event) => {
      const steps = KEYS[event.key];
      if (!steps) return;
      event.preventDefault();
      change(nextValue(control, this.values[name], steps), true);
    });
    input.addEventListener("input", () => {
      const { value, fault: wrong } = parseValue(control, input.value);
      if (wrong) {
        input.setAttribute("aria-invalid", "true");
        fault.textContent = wrong;
      } else change(value);
    });
    input.addEventListener("change", () => present(this.values[name]));
    present(this.values[name]);
    return el(
      "div.sketch-control",
      { data: { name } },
      el("label.mono", { for: id }, name),
      reset,
      input,
      slider,
      el("p.small.muted", { id: `${id}-help` }, help),
      fault,
    );
  }

  write() {
    const taken = this.screen.entries.map(({ name }) => name);
    if (!this.named) this.name.value = suggestName(this.values, taken);
    const name = this.name.value.trim();
    this.doubt.textContent = doubtName(name, this.values, taken);
    this.add.disabled = Boolean(this.doubt.textContent);
    this.entry = entryOf(this.values, this.screen.controls);
    this.text = entryYaml(name || "name", this.entry, this.screen.controls);
    this.yaml.textContent = `sketches:\n${this.text}`;
  }

  /** Add the entry to params.yaml, once the person has seen the difference. */
  async addEntry() {
    const name = this.name.value.trim();
    try {
      const { sha256 } = await getJson("api/params");
      if (!(await writeParams("sketches", { [name]: this.entry }, sha256))) return;
      await this.screen.renew(name);
      notify(`params.yaml has the sketch ${name}. dvc repro draws it for all pictures.`, {
        kind: "news",
        key: "sketches",
      });
    } catch (error) {
      notify(error.message, { key: "sketches" });
    }
  }

  async redraw() {
    if (!this.screen.picture) return;
    if (!this.original.hidden) this.original.src = this.screen.choice.source;
    const facts = await this.view.draw(this.values);
    if (facts === undefined) return;
    this.complexity.textContent = facts ? formatPercent(facts.complexity) : "";
    const drawn = Object.entries(facts?.drawn ?? {}).map(([name, value]) => `${name} ${value}`);
    this.drawn.hidden = !drawn.length;
    const { key } = this.screen.picture;
    this.drawn.textContent = `For the key ${key}: ${drawn.join(", ")}. Other pictures get other numbers.`;
  }

  async copyYaml() {
    try {
      await navigator.clipboard.writeText(this.text);
      notify(`Copied. Paste it under "sketches:" in params.yaml.`, { kind: "news", key: "sketches" });
    } catch {
      getSelection().selectAllChildren(this.yaml);
      notify("The browser lets no page copy here: the YAML is selected, so press Ctrl+C.", {
        key: "sketches",
      });
    }
  }
}
