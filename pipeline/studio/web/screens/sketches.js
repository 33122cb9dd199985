/**
 * Sketches: one picture drawn by the entries of params.yaml, by every method and by the published presets, and a
 * sketch of one's own with live parameters, to be copied as a new entry.
 */

import { getJson, request } from "../api.js";
import { segmented, sentence } from "../controls.js";
import { el, icon, iconButton, notify, replace, solve } from "../dom.js";
import { writeParams } from "../paramsdialog.js";
import { columnAddress, isPicture } from "../shards.js";
import {
  doubtName, drawsNumbers, entryOf, entryYaml, formatValue, isRange, nextValue, openPreset, parseValue, placeOf,
  readControls, suggestName, valueAt,
} from "../sketchparams.js";

const AT_ONCE = 3; // sketches that the server draws
const STRIP = 12; // pictures to choose from
const CHUNK = 1 << 16; // bytes of an index to read at once
const STEPS = 1000; // of a slider
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
const FACTS = "X-Inkwash-Sketch";
const METHOD_TITLES = {
  threshold: "Threshold, Gaussian mean", mean: "Threshold, plain mean", "xdog-a": "XDoG, form A",
  "xdog-p": "XDoG, form P", canny: "Canny", dog: "Difference of Gaussians", pencil: "Pencil",
  learned: "Learned", own: "The artist's own",
};

export async function show(root) {
  root.dataset.state = "busy";
  let rules, project;
  try {
    [rules, project] = await Promise.all([getJson("api/sketch"), getJson("api/project")]);
  } catch (error) {
    root.dataset.state = "failed";
    return replace(root, el("div.empty", {}, el("h2", {}, "No sketches"), el("p", {}, sentence(error))));
  }
  const screen = new Screen(root, rules, project.columns);
  root.addEventListener("enter", ({ detail }) => screen.enter(detail));
}

/** Calls `work` with the newest value, one call at a time; values that came in between are skipped. */
function newest(work) {
  let running = false;
  let waiting = null;
  return async (value) => {
    waiting = { value };
    if (running) return;
    running = true;
    while (waiting) {
      const { value: next } = waiting;
      waiting = null;
      await work(next);
    }
    running = false;
  };
}

/** Lets `most` calls run at once; the others wait in their order. */
function gate(most) {
  let open = 0;
  const waiting = [];
  return async (work) => {
    if (open >= most) await new Promise((go) => waiting.push(go));
    open++;
    try {
      return await work();
    } finally {
      open--;
      waiting.shift()?.();
    }
  };
}

class Screen {
  constructor(root, rules, columns) {
    Object.assign(this, rules);
    this.root = root;
    this.picture = null; // {key, column} or {key, file, square}
    this.busy = 0;
    this.through = gate(AT_ONCE);
    this.defaults = Object.fromEntries(rules.controls.map((control) => [control.name, control.default]));
    this.chooser = new Chooser(this, columns.filter(hasPictures));
    this.groups = this.makeGroups();
    this.draft = new Draft(this);
    this.compared = el("div.tiles-side", {}, this.groups.map(({ element }) => element));
    const body = el("div.sketching", {}, this.compared, this.draft.element);
    const title = el("h1.visually-hidden", {}, "Sketches");
    replace(root, el("div.page.sketches", {}, title, this.chooser.element, body));
    this.listenForFiles();
  }

  /** Show the picture that the address names; without one the first, if none was shown yet. */
  async enter([column, key] = []) {
    if (column && key) this.chooser.choose(column, key);
    if (this.entered) return;
    this.entered = true;
    this.draft.take(this.groups[0].tiles[0] ?? this.groups[1].tiles[0], false);
    await this.chooser.begin();
    this.settle(0);
  }

  makeGroups() {
    const entries = this.entries.map(({ name, sketch, fault }) => {
      const note = sketch && (sketch.preset === "none" ? sketch.method : sketch.preset);
      return new Tile(this, name, sketch ? note : "", sketch ?? null, fault);
    });
    const methods = this.controls.find(({ name }) => name === "method").names.map((method) => {
      const known = this.entries.find(({ sketch }) => sketch?.method === "learned");
      const values = method === "learned" && known ? known.sketch : { ...this.defaults, method };
      return new Tile(this, METHOD_TITLES[method] ?? method, method, values);
    });
    const presets = Object.keys(this.presets).map((preset) => new Tile(this, preset, "", { ...this.defaults, preset }));
    return [
      new Group("In params.yaml", entries, true, "params.yaml has no sketches yet."),
      new Group("Methods, with their defaults", methods, true),
      new Group("Published presets of XDoG", presets, false),
    ];
  }

  /** Show the entries of params.yaml as they are now, and choose one of them. */
  async renew(name) {
    const open = this.groups.map(({ element }) => element.open);
    Object.assign(this, await getJson("api/sketch"));
    this.groups = this.makeGroups();
    this.groups.forEach(({ element }, index) => (element.open = open[index]));
    replace(this.compared, this.groups.map(({ element }) => element));
    for (const group of this.groups) group.outdate();
    this.draft.take(this.groups[0].tiles.find(({ title }) => title === name), false);
  }

  /** Show another picture, in every tile. */
  show(picture) {
    this.picture = picture;
    solve("sketches");
    for (const group of this.groups) group.outdate();
    this.draft.redraw();
  }

  /** Say in a sentence why the picture cannot be drawn in this way; "" if nothing is known to speak against it. */
  doubt(values) {
    if (values.preset !== "none") return "";
    if (values.method === "learned" && !values.weights) {
      return "A learned method needs weights: name them in an entry of params.yaml, with its method.";
    }
    const { members } = this.chooser.columns.find(({ path }) => path === this.picture.column) ?? { members: {} };
    const own = members["sketch.png"] ?? members["sketch-own.png"];
    return values.method === "own" && !own ? "This picture came without a sketch by its artist." : "";
  }

  /** Draw the picture; return the PNG and what the server tells of it. */
  async draw(values, picture = this.picture) {
    const { key, column, file, square } = picture;
    const given = { sketch: JSON.stringify(entryOf(values, this.controls)), key };
    if (column) given.column = column;
    if (square) given.square = 1;
    const path = `api/sketch?${new URLSearchParams(given)}`;
    const answer = await this.through(() => request(path, { method: "POST", body: file ?? null }));
    return { blob: await answer.blob(), facts: JSON.parse(answer.headers.get(FACTS)) };
  }

  settle(change) {
    this.busy += change;
    this.root.dataset.state = this.busy ? "busy" : "ready";
  }

  listenForFiles() {
    const { root } = this;
    const take = (files) => {
      const file = [...(files ?? [])].find((each) => each.type.startsWith("image/")) ?? files?.[0];
      if (file) this.chooser.takeFile(file);
      return Boolean(file);
    };
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.dataset.drop = "";
    });
    root.addEventListener("dragleave", () => delete root.dataset.drop);
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      delete root.dataset.drop;
      take(event.dataTransfer?.files);
    });
    addEventListener("paste", (event) => {
      if (!root.hidden && take(event.clipboardData?.files)) event.preventDefault();
    });
  }
}

function hasPictures({ members }) {
  return Object.keys(members ?? {}).some(isPicture);
}

// ---------------------------------------------------------------- the picture

/** Chooses the picture: from a column by its key, or a file. */
class Chooser {
  constructor(screen, columns) {
    this.screen = screen;
    this.columns = [...columns].sort((a, b) => rankColumn(a) - rankColumn(b));
    this.column = this.columns[0]?.path;
    this.image = el("img", { alt: "" });
    this.image.addEventListener("load", () => (this.image.hidden = false));
    this.image.addEventListener("error", () => (this.image.hidden = true)); // of a type that browsers cannot show
    this.name = el("p.picture-name.mono");
    const shapes = { square: `Square of ${screen.side}, as in the dataset`, whole: "As it is" };
    this.shape = "square";
    this.shapes = segmented("shape", Object.keys(shapes), this.shape, (shape) => this.showFile(shape), "Shape",
      (shape) => shapes[shape]);
    this.strip = el("div.choice-strip", { role: "group", "aria-label": "Pictures of the column" });
    this.key = el("input", { type: "search", placeholder: "Key", "aria-label": "Key of a picture", spellcheck: "false" });
    this.key.addEventListener("change", () => this.key.value && this.choose(this.column, this.key.value.trim()));
    const options = this.columns.map(({ path, samples }) => el("option", { value: path }, `${path} (${samples})`));
    this.select = el("select", { "aria-label": "Column" }, options);
    this.select.addEventListener("change", () => this.openColumn(this.select.value));
    this.picker = el("input", { type: "file", accept: "image/*", hidden: true });
    this.picker.addEventListener("change", () => this.picker.files[0] && this.takeFile(this.picker.files[0]));
    this.element = this.lay();
  }

  lay() {
    const open = el("button", { type: "button", onclick: () => this.picker.click() }, icon("open"), "Open a picture");
    const shuffle = el("button", { type: "button", onclick: () => this.fillStrip(true) }, "Others");
    const choices = this.columns.length
      ? el("div.from", {}, el("div.row", {}, this.select, this.key, shuffle, open, this.shapes), this.strip)
      : el("div.from", {}, el("p.muted", {}, "No dataset is here: open, drop or paste a picture."), el("div.row", {}, open, this.shapes));
    const chosen = el("div.chosen-picture", {}, el("div.thumb", {}, this.image), this.name);
    this.shapes.hidden = true;
    return el("section.panel.picture-choice", { "aria-label": "The picture" }, chosen, choices, this.picker);
  }

  async begin() {
    if (!this.column) return;
    const keys = await this.fillStrip(false);
    if (!this.screen.picture && keys.length) this.choose(this.column, keys[0]);
  }

  async openColumn(path) {
    this.column = path;
    const keys = await this.fillStrip(false);
    if (keys.length) this.choose(path, keys[0]);
  }

  /** Offer some pictures of the column: the first, or those from a random place on. */
  async fillStrip(random) {
    try {
      const keys = await readKeys(this.column, random);
      const member = colorMember(this.columns.find(({ path }) => path === this.column));
      replace(this.strip, keys.slice(0, STRIP).map((key) => {
        const image = el("img", { alt: "", src: thumb(this.column, key, member, 96), loading: "lazy" });
        return el("button", { type: "button", title: key, "aria-label": key, data: { key }, onclick: () => this.choose(this.column, key) }, image);
      }));
      this.mark();
      return keys;
    } catch (error) {
      notify(sentence(error), { key: "sketches" });
      return [];
    }
  }

  choose(column, key) {
    if (!this.columns.some(({ path }) => path === column)) {
      return notify(`The dataset has no pictures in a column ${column}.`, { key: "sketches" });
    }
    this.column = this.select.value = column;
    const member = colorMember(this.columns.find(({ path }) => path === column));
    this.present(thumb(column, key, member, 512), key, false);
    this.screen.show({ column, key });
    this.mark();
  }

  /** Show a file, if the server can draw it; else say why not, and stay with the picture before. */
  async takeFile(file) {
    this.screen.settle(1);
    try {
      await this.screen.draw(this.screen.defaults, { file, key: keyOf(file), square: this.shape === "square" });
    } catch (error) {
      return notify(`${file.name}: ${error.message}.`, { key: "sketches" });
    } finally {
      this.screen.settle(-1);
    }
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.file = file;
    this.showFile();
    this.mark();
  }

  showFile(shape = this.shape) {
    this.shape = shape;
    this.present(this.address, this.file.name, true);
    this.element.dataset.shape = shape;
    this.screen.show({ file: this.file, key: keyOf(this.file), square: shape === "square" });
  }

  present(source, name, isFile) {
    this.image.src = this.source = source;
    this.name.textContent = name;
    this.shapes.hidden = !isFile;
    delete this.element.dataset.shape;
    if (!isFile) this.file = null;
  }

  mark() {
    const { picture } = this.screen;
    for (const button of this.strip.children) {
      button.setAttribute("aria-pressed", Boolean(picture && !picture.file && button.dataset.key === picture.key));
    }
  }
}

/** Return the key that `prep sketchify` gives to a file. */
function keyOf(file) {
  return file.name.replace(/(?<=.)\.[^.]*$/, "");
}

/** Prefer what sketches are drawn from: color pictures, then those that are packed. */
function rankColumn({ path, members }) {
  if (/(^|\/)color$/.test(path)) return 0;
  return members["color.png"] ? 1 : 2;
}

function colorMember(column) {
  return column?.members["color.png"] ? "color.png" : "";
}

function thumb(column, key, member, side) {
  return `api/thumb?${new URLSearchParams({ column, key, member, side })}`;
}

/** Read keys of a column from a part of its index: from the first line, or from some line in its midst. */
async function readKeys(column, random) {
  const read = (start) => request(`${columnAddress(column)}/index.tsv`, { headers: { Range: `bytes=${start}-${start + CHUNK - 1}` } });
  let answer = await read(0);
  const size = Number(answer.headers.get("Content-Range")?.split("/")[1] ?? 0);
  const start = random && size > CHUNK ? Math.floor(Math.random() * (size - CHUNK)) : 0;
  if (start) answer = await read(start);
  const lines = (await answer.text()).split("\n").slice(1, -1); // the first is the heading, or broken
  const keys = lines.map((line) => line.split("\t")[0]).filter(Boolean);
  const from = random ? Math.floor(Math.random() * Math.max(1, keys.length - STRIP + 1)) : 0;
  return keys.slice(from);
}

// ---------------------------------------------------------------- tiles

/** Sketches under a heading; those of a closed group are drawn when it is opened. */
class Group {
  constructor(title, tiles, open, empty = "") {
    this.tiles = tiles;
    const grid = tiles.length ? el("div.tiles", {}, tiles.map(({ element }) => element)) : el("p.muted", {}, empty);
    this.element = el("details.tile-group", { open }, el("summary", {}, el("h2", {}, title)), grid);
    this.element.addEventListener("toggle", () => this.shown && this.redraw());
  }

  get shown() {
    return this.element.open;
  }

  outdate() {
    for (const tile of this.tiles) tile.outdated = true;
    if (this.shown) this.redraw();
  }

  redraw() {
    for (const tile of this.tiles) if (tile.outdated) tile.redraw();
  }
}

/** A sketch with fixed parameters. */
class Tile {
  constructor(screen, title, note, values, fault = "") {
    Object.assign(this, { screen, title, values, fault, outdated: true });
    this.view = new View(screen);
    this.complexity = el("span.badge.number");
    const words = el("span.tile-words", {}, el("strong", {}, title), note && note !== title ? el("span.muted", {}, note) : null);
    this.element = el(
      "button.tile",
      { type: "button", disabled: !values, onclick: () => screen.draft.take(this) },
      this.view.element,
      el("span.tile-foot", {}, words, this.complexity),
    );
    if (fault) this.view.fail(fault);
  }

  async redraw() {
    this.outdated = false;
    if (!this.values || !this.screen.picture) return;
    const facts = await this.view.draw(this.values);
    if (facts !== undefined) this.complexity.textContent = facts ? formatPercent(facts.complexity) : "";
  }
}

function formatPercent(value) {
  return `${value.toFixed(1)} %`;
}

/** A place for a drawn sketch: the newest wins. */
class View {
  constructor(screen) {
    this.screen = screen;
    this.image = el("img", { alt: "", hidden: true });
    this.words = el("span.sketch-words.small", { hidden: true });
    this.element = el("span.sketch-view", {}, this.image, this.words);
    this.ask = newest((job) => this.work(job));
  }

  /** Draw; return what the server tells, null if it refused, undefined if a newer drawing took the place. */
  draw(values) {
    return new Promise((told) => {
      this.last?.(undefined);
      this.last = told;
      this.screen.settle(1);
      this.ask({ values, told, picture: this.screen.picture });
    }).finally(() => this.screen.settle(-1));
  }

  async work({ values, told, picture }) {
    const doubt = this.screen.doubt(values);
    if (doubt) {
      this.fail(doubt);
      return told(null);
    }
    this.element.dataset.state = "busy";
    try {
      const { blob, facts } = await this.screen.draw(values);
      if (picture !== this.screen.picture) return told(undefined);
      if (this.address) URL.revokeObjectURL(this.address);
      this.image.src = this.address = URL.createObjectURL(blob);
      this.image.hidden = false;
      this.words.hidden = true;
      this.element.dataset.state = "ready";
      told(facts);
    } catch (error) {
      this.fail(sentence(error));
      told(null);
    }
  }

  fail(sentence) {
    this.image.hidden = true;
    this.words.hidden = false;
    this.words.textContent = sentence;
    this.element.dataset.state = "failed";
  }
}

// ---------------------------------------------------------------- one's own sketch

class Draft {
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
    this.name = el("input", { type: "text", "aria-label": "Name of the entry", spellcheck: "false", autocomplete: "off" });
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
      this.original.src = this.screen.chooser.source ?? "";
      this.original.hidden = !shown;
    });
    this.flip = flip;
    const entry = el("div.new-entry", {}, el("h3", {}, "New entry of params.yaml"),
      el("label.field", {}, el("span", {}, "Name"), this.name), this.doubt, this.yaml,
      el("div.row", {}, this.add, this.copy));
    return el("section.panel.own-sketch", { "aria-label": "Your sketch" },
      el("header", {}, this.title, this.complexity, flip), this.view.element, this.drawn,
      el("label.field", {}, el("span", {}, "Method"), this.method), this.fields, this.penBox, entry);
  }

  makeMethods() {
    const { controls, presets } = this.screen;
    const methods = controls.find(({ name }) => name === "method").names;
    const select = el("select", { "aria-label": "Method" },
      el("optgroup", { label: "Methods" }, methods.map((each) => el("option", { value: `method ${each}` }, each))),
      el("optgroup", { label: "Published presets of XDoG" },
        Object.keys(presets).map((each) => el("option", { value: `preset ${each}` }, each))));
    select.addEventListener("change", () => {
      const [kind, name] = select.value.split(" ");
      this.set(kind === "preset" ? { method: this.screen.defaults.method, preset: name } : this.otherMethod(name), true);
    });
    return select;
  }

  /** Return the values with which another method begins: those that it shares with the one before stay. */
  otherMethod(method) {
    const open = openPreset(this.values, this.screen.presets);
    const learned = this.screen.entries.find(({ sketch }) => sketch?.method === "learned")?.sketch;
    const weights = method === "learned" && learned ? { weights: learned.weights, sha256: learned.sha256 } : {};
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
    if (scroll && (bottom < 200 || top > innerHeight - 200)) this.element.scrollIntoView({ behavior: "smooth", block: "start" });
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
    replace(this.pen, pen.map((control) => this.makeRow(control)));
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
    const input = el("input.number", { type: "text", id, inputmode: "decimal", autocomplete: "off", "aria-describedby": `${id}-help` });
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
    return el("div.sketch-control", { data: { name } },
      el("label.mono", { for: id }, name), reset, input, slider,
      el("p.small.muted", { id: `${id}-help` }, help), fault);
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
      notify(`params.yaml has the sketch ${name}. dvc repro draws it for all pictures.`, { kind: "news", key: "sketches" });
    } catch (error) {
      notify(sentence(error), { key: "sketches" });
    }
  }

  async redraw() {
    if (!this.screen.picture) return;
    if (!this.original.hidden) this.original.src = this.screen.chooser.source;
    const facts = await this.view.draw(this.values);
    if (facts === undefined) return;
    this.complexity.textContent = facts ? formatPercent(facts.complexity) : "";
    const drawn = Object.entries(facts?.drawn ?? {}).map(([name, value]) => `${name} ${value}`);
    this.drawn.hidden = !drawn.length;
    this.drawn.textContent = `For the key ${this.screen.picture.key}: ${drawn.join(", ")}. Others get other numbers.`;
  }

  async copyYaml() {
    try {
      await navigator.clipboard.writeText(this.text);
      notify(`Copied. Paste it under "sketches:" in params.yaml.`, { kind: "news", key: "sketches" });
    } catch {
      getSelection().selectAllChildren(this.yaml);
      notify("The browser lets no page copy here: the YAML is selected, so press Ctrl+C.", { key: "sketches" });
    }
  }
}
