/** The screen that colors a drawing. Its parts are in color/: the canvas, the session, the panel, the menus. */

import { el, icon, iconButton, notify, replace, solve } from "../dom.js";
import { toPixel } from "../draw/colors.js";
import { openStorage } from "../draw/saved.js";
import { open as openEngine } from "../engine/client.js";
import { writeGpl } from "../formats/gpl.js";
import { listenForPictures } from "./color/arrivals.js";
import { makeCanvas } from "./color/canvas.js";
import { ENDINGS, download, makeExports } from "./color/exports.js";
import { commandOf, makeHelp } from "./color/keys.js";
import { makeMenu } from "./color/menu.js";
import { addUsed } from "./color/palette.js";
import { guidesOf, makePanel, radios } from "./color/panel.js";
import { loadColors, readReference } from "./color/references.js";
import { drawSample } from "./color/sample.js";
import { Session } from "./color/session.js";
import { MODES } from "./color/view.js";

const TOOLS = [
  ["brush", "Brush (B)"], ["eraser", "Eraser (E)"], ["fill", "Fill a region (G)"], ["picker", "Pick a color (I)"],
  ["hand", "Move the view (H)"],
];
const VIEWS = { strokes: "Strokes", both: "Both", split: "Slider", result: "Result" };
const STEPS = { guide: "where colors come from", gap: "closing of gaps", strength: "strength of the model" };
const REMEMBERED = "inkwash-brush"; // in the browser's own storage: the brush, the colors used last, the view
const FIRST = { tool: "brush", size: 24, color: [224, 122, 95], before: [61, 90, 128], pressure: true };

/** Fill the root of the screen; return a function that cleans up. */
export async function show(root, page) {
  const storage = await openStorage().catch(() => null); // a private window may have none
  const screen = new Screen(root, page, await openEngine(page), storage);
  await screen.begin();
  return () => screen.close();
}

class Screen {
  constructor(root, page, client, storage) {
    Object.assign(this, { root, page, client, ...recall(), reference: { of: null, image: null } });
    this.canvas = makeCanvas({
      tool: () => this.brush.tool,
      brush: () => this.brush,
      color: (place) => this.session.colorAt(place),
      start: (...given) => this.start(...given),
      move: (places) => this.move(places),
      end: () => this.end(),
      cancel: () => this.cancel(),
      undo: () => this.session.undo(),
      redo: () => this.session.redo(),
    });
    this.host = this.canvas.host;
    this.view = this.canvas.view;
    this.session = new Session(client, this.view, storage, guidesOf(page), {
      changed: () => this.refresh(),
      busy: (on) => this.showBusy(on),
      colored: (answer) => this.showColored(answer),
      failed: (error, key) => this.fail(error, key),
      saved: (problem) => (problem ? notify(problem, { key: "save" }) : solve("save")),
    });
    this.build();
  }

  build() {
    this.panel = makePanel(this.page, {
      pick: (color) => this.pick(color),
      brush: (change) => this.setBrush(change),
      settings: (change, done) => this.session.set(change, done),
      reference: (file) => this.setReference(file),
      palette: {
        load: (file) => this.loadPalette(file),
        save: () => this.save("palette"),
        edit: (palette) => this.session.set({ palette }),
      },
    });
    this.exports = makeExports((kind) => this.save(kind));
    this.help = makeHelp();
    this.files = el("input", {
      type: "file", accept: "image/*", hidden: true,
      onchange: () => {
        if (this.files.files[0]) this.open(this.files.files[0]);
        this.files.value = "";
      },
    });
    this.title = el("span.name");
    this.earlier = makeMenu(iconButton("chevron", "Earlier drawings"), "Earlier drawings");
    this.earlier.element.hidden = true;
    this.undo = iconButton("undo", "Undo (Ctrl+Z)", { onclick: () => this.session.undo() });
    this.redo = iconButton("redo", "Redo (Ctrl+Shift+Z)", { onclick: () => this.session.redo() });
    this.views = radios("View", Object.entries(VIEWS), (mode) => this.setMode(mode));
    this.tools = TOOLS.map(([name, title]) => iconButton(name, title, {
      data: { tool: name }, "aria-pressed": "false", onclick: () => this.setBrush({ tool: name }),
    }));
    this.current = el("button.current", {
      type: "button", title: "Color and settings", "aria-label": "Color and settings", "aria-expanded": "false",
      onclick: () => this.togglePanel(),
    }, el("span.before"), el("span.now"));
    this.empty = this.makeEmpty();
    this.hint = el("div.hint", { hidden: true, role: "status" });
    this.body = el(
      "div.color-body", {},
      el("div.tools", { role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" }, this.tools, this.current),
      el("div.stage", {}, this.host, this.empty, el("div.opening", {}, el("span.spinner"), "Opening"), this.hint),
      this.panel.element,
    );
    const bar = el(
      "div.color-bar", { role: "toolbar", "aria-label": "Drawing" },
      el("div.start", {},
        el("button.plain.opener", { type: "button", "aria-label": "Open a drawing", title: "Open a drawing (Ctrl+O)",
          onclick: () => this.files.click() }, icon("open"), el("span.wide", {}, "Open")),
        this.title, this.earlier.element),
      el("div.middle", {}, this.undo, this.redo, this.views.element),
      el("div.end", {}, iconButton("help", "Keys (?)", { onclick: () => this.help.showModal() }), this.exports.element),
    );
    this.root.append(el("div.color-screen", {}, bar, this.body, this.makeStatus(), this.files, this.help));
  }

  makeEmpty() {
    return el(
      "div.empty.inviting", {},
      icon("image"),
      el("h2", {}, "Color a line drawing"),
      el("p", {}, "Drop it here, paste it or open it: dark lines on light paper, of any size."),
      el("div.row", {},
        el("button.primary", { type: "button", onclick: () => this.files.click() }, "Open a drawing"),
        el("button", { type: "button", onclick: () => this.openSample() }, "Try a sample")),
    );
  }

  makeStatus() {
    const { model, why, mode } = this.page;
    this.seconds = el("span.number.seconds");
    this.work = el("span.work", { data: { state: "idle" } }, el("span.dot"));
    return el(
      "footer.color-status", {},
      this.work,
      el("span.model", { title: model ? `${model.system}, ${model.engine}` : why }, model ? model.title : "No model: flats alone"),
      this.seconds, el("span.says", {}, "Coloring"),
      el("span.private", {}, `Nothing leaves this ${mode === "static" ? "browser" : "machine"}`),
    );
  }

  async begin() {
    const { signal } = (this.stop = new AbortController());
    addEventListener("keydown", (event) => this.key(event), { signal });
    this.stopPictures = listenForPictures(this.root, {
      isOpen: () => this.session.isOpen,
      drawing: (file) => this.open(file),
      reference: (file) => this.setReference(file),
      palette: (file) => this.loadPalette(file),
    });
    this.setMode(this.mode ?? (this.root.clientWidth >= 900 ? "both" : "result"));
    this.setState("empty");
    this.refresh();
    await this.restore();
    if (!this.page.model && this.page.why) notify(this.page.why, { key: "model" });
  }

  close() {
    this.stop.abort();
    clearTimeout(this.waiting);
    this.stopPictures();
    this.session.close();
    this.canvas.close();
  }

  // Opening

  async openSample() {
    this.open(new File([await drawSample()], "sample.png", { type: "image/png" }));
  }

  /** Go on with the work that this tab had before it was loaded again, or with another one. */
  restore(id) {
    return this.load(async () => {
      const isThere = await this.session.restore(id);
      if (!isThere) this.setState("empty");
      return isThere;
    });
  }

  open(file) {
    return this.load(async () => {
      await this.session.open(file);
      const { width, height } = this.session.scene;
      this.setBrush({ size: Math.max(2, Math.round(Math.min(width, height) / 40)) });
      this.showDoubts();
      return true;
    });
  }

  /** Show another drawing; if that fails, the one that was open stays. */
  async load(show) {
    const before = this.host.dataset.state;
    this.setState("loading");
    try {
      if (!(await show())) return;
      solve("open");
      this.host.focus({ preventScroll: true });
      this.listEarlier();
    } catch (error) {
      this.setState(this.session.isOpen ? before : "empty");
      this.fail(error, "open");
    }
  }

  async listEarlier() {
    const works = await this.session.earlier();
    this.earlier.element.hidden = !works.length;
    this.earlier.fill(works.map(({ id, title }) => ({ content: title, run: () => this.restore(id) })));
  }

  // Painting

  start(tool, place, { line }) {
    this.using = tool;
    if (tool === "picker") return this.take(place);
    if (tool === "fill") return this.fillAt(place);
    this.warnUnused();
    this.session.begin(place, { ...this.brush, color: tool === "eraser" ? null : this.brush.color }, line);
    if (tool === "brush") this.use();
  }

  move(places) {
    if (this.using === "picker") this.take(places.at(-1));
    else if (this.using !== "fill") this.session.paint(places);
  }

  end() {
    if (this.using !== "picker" && this.using !== "fill") this.session.end();
    this.using = null;
  }

  cancel() {
    if (this.using !== "picker" && this.using !== "fill") this.session.cancel();
    this.using = null;
  }

  fillAt(place) {
    if (this.session.target === "mask") return this.note("A mask is painted with the brush.");
    this.warnUnused();
    this.session.fill(place, this.brush.color, this.brush.size).catch((error) => this.fail(error, "fill"));
    this.use();
  }

  take(place) {
    const color = this.session.colorAt(place);
    if (color) this.pick(color);
  }

  /** Strokes count only while colors come from them. */
  warnUnused() {
    const { guide } = this.session.settings;
    if (guide === "cue" || guide === "gray") return;
    const use = { title: "Use strokes", run: () => this.session.set({ guide: "cue" }) };
    this.note("The colors do not come from your strokes now.", this.session.guides.includes("cue") && use);
  }

  /** The color has been painted with: it is among those used last. */
  use() {
    this.used = addUsed(this.used, this.brush.color);
    this.refresh();
  }

  pick(color) {
    const { color: before } = this.brush;
    this.setBrush({ color, before });
  }

  setBrush(change) {
    Object.assign(this.brush, change);
    this.canvas.showBrush();
    this.refresh();
  }

  // Settings

  async setReference(file) {
    if (!this.session.isOpen) return this.note("Open a drawing first, then its reference.");
    try {
      if (file) await readReference(file);
      await this.session.setReference(file);
      solve("reference");
      if (file && this.session.settings.guide === "cue" && this.session.guides.includes("reference")) {
        const use = { title: "Use the reference", run: () => this.session.set({ guide: "reference" }) };
        this.note("The colors still come from your strokes.", use);
      }
    } catch (error) {
      this.fail(error, "reference");
    }
  }

  /** Show the reference of the settings, which undo may have changed. */
  async showReference() {
    const { reference } = this.session.settings;
    if (reference === this.reference.of) return;
    this.reference = { of: reference, image: null };
    if (!reference) return;
    const image = await readReference(this.session.reference);
    if (this.reference.of === reference) this.reference.image = image;
    this.refresh();
  }

  async loadPalette(file) {
    try {
      const { colors, problem } = await loadColors(file);
      this.session.set({ palette: colors });
      if (problem) notify(problem, { key: "palette" });
      else solve("palette");
    } catch (error) {
      this.fail(error, "palette");
    }
  }

  setMode(mode) {
    this.mode = mode;
    this.view.setMode(mode);
    this.views.set(mode);
    this.refresh();
  }

  /** On a narrow page the panel comes and goes; on a wide one it is always there. */
  togglePanel(open = !this.root.classList.contains("panel-open")) {
    this.root.classList.toggle("panel-open", open);
    this.current.setAttribute("aria-expanded", String(open));
    if (open) this.panel.element.querySelector("input").focus(); // a slider, which calls no keyboard up
  }

  // Keys

  key(event) {
    if (this.root.hidden || document.querySelector("dialog[open]")) return;
    const command = commandOf(event);
    if (!command) return;
    event.preventDefault();
    this.run(command);
  }

  run(command) {
    const { session, view, brush } = this;
    const size = (by) => this.setBrush({ size: Math.min(this.largest, Math.max(1, Math.round(brush.size * by))) });
    const commands = {
      close: () => this.togglePanel(false),
      undo: () => session.undo(),
      redo: () => session.redo(),
      smaller: () => size(0.8),
      larger: () => size(1.25),
      swap: () => this.setBrush({ color: brush.before, before: brush.color }),
      hex: () => this.panel.picker.focus(),
      mode: () => this.setMode(MODES[(MODES.indexOf(view.mode) + 1) % MODES.length]),
      mirror: () => view.setMirror(!view.mirror),
      fit: () => view.fit(),
      actual: () => view.setScale(1),
      zoomIn: () => view.zoomIn(),
      zoomOut: () => view.zoomOut(),
      open: () => this.files.click(),
      save: () => session.isOpen && this.save("picture"),
      help: () => this.help.showModal(),
    };
    if (commands[command]) commands[command]();
    else this.setBrush({ tool: command });
  }

  // What is seen

  get largest() {
    const { scene } = this.session;
    return scene ? Math.max(50, Math.round(Math.min(scene.width, scene.height) / 4)) : 300;
  }

  refresh() {
    if (this.refreshing) return;
    this.refreshing = requestAnimationFrame(() => {
      this.refreshing = 0;
      this.refreshNow();
    });
  }

  refreshNow() {
    const { session, brush, host } = this;
    const { scene } = session;
    const { undo, redo, back, forward } = session.steps;
    Object.assign(host.dataset, { undo, redo });
    this.undo.disabled = !undo;
    this.redo.disabled = !redo;
    this.undo.title = back ? `Undo: ${STEPS[back] ?? back} (Ctrl+Z)` : "Undo (Ctrl+Z)";
    this.redo.title = forward ? `Redo: ${STEPS[forward] ?? forward} (Ctrl+Shift+Z)` : "Redo (Ctrl+Shift+Z)";
    this.exports.enable(session.isOpen);
    this.empty.hidden = session.isOpen;
    this.root.classList.toggle("without-drawing", !session.isOpen);
    replace(this.title, session.isOpen ? [session.name, el("span.muted.number", {}, ` ${scene.width} × ${scene.height}`)] : []);
    for (const tool of this.tools) tool.setAttribute("aria-pressed", String(tool.dataset.tool === brush.tool));
    this.current.style.setProperty("--color", `rgb(${brush.color.join(" ")})`);
    this.current.style.setProperty("--before", `rgb(${brush.before.join(" ")})`);
    remember({ brush, used: this.used, mode: this.mode });
    this.showReference();
    this.panel.show({
      brush, settings: session.settings, used: this.used, referenceColors: session.referenceColors,
      referenceImage: this.reference.image, largest: this.largest,
      automaticGap: scene ? Math.min(scene.width, scene.height) / 128 : 4,
    });
  }

  setState(state) {
    this.host.dataset.state = state;
  }

  showBusy(on) {
    if (!this.session.isOpen) return;
    if (on) this.setState("busy");
    else if (this.host.dataset.state === "busy") this.setState("ready");
    this.work.dataset.state = on ? "busy" : "ready";
  }

  showColored({ seconds, quality }) {
    this.host.dataset.quality = quality;
    if (quality === "live") return;
    solve("color");
    this.seconds.textContent = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  }

  /** Say something over the canvas, with at most one thing to do about it. */
  note(text, action = null) {
    const close = () => (this.hint.hidden = true);
    const act = () => {
      close();
      action.run();
    };
    this.hint.hidden = !text;
    replace(
      this.hint, el("p", {}, text), action && el("button.plain", { type: "button", onclick: act }, action.title),
      iconButton("close", "Dismiss", { onclick: close }),
    );
  }

  showDoubts() {
    const [first] = this.session.doubts;
    const { invert } = this.session.settings;
    const isDark = first && /invert/.test(first);
    this.note(first, isDark && { title: invert ? "Do not invert" : "Invert", run: () => this.session.set({ invert: !invert }) });
  }

  fail(error, key) {
    if (key === "color") {
      this.setState("failed");
      if (error.status === 0) this.awaitServer();
    }
    notify(error.message, { key });
  }

  /** Color again once the server answers. */
  async awaitServer() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(async () => {
      const answer = await fetch("page.json").catch(() => null);
      if (answer?.ok) this.session.coloring.full();
      else this.awaitServer();
    }, 2000);
  }

  paletteFile() {
    const { name, settings } = this.session;
    return new Blob([writeGpl(name, settings.palette.map((color) => ({ pixel: toPixel(color) })))]);
  }

  async save(kind) {
    const { name } = this.session;
    await this.session.filling?.catch(() => {}); // fillAt says what went wrong
    try {
      const blob = kind === "palette" ? this.paletteFile() : await this.client.export(kind);
      download(blob, `${name}${ENDINGS[kind]}`);
      solve("export");
    } catch (error) {
      this.fail(error, "export");
    }
  }
}

function recall() {
  try {
    const { brush, used, mode } = JSON.parse(localStorage.getItem(REMEMBERED));
    return { brush: { ...FIRST, ...brush }, used, mode };
  } catch {
    return { brush: { ...FIRST }, used: [], mode: null };
  }
}

function remember(what) {
  try {
    localStorage.setItem(REMEMBERED, JSON.stringify(what));
  } catch {
    // without a storage, the next visit begins with the first brush
  }
}
