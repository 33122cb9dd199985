/** The screen that colors a drawing. Its parts are in color/: canvas, session, panel, frame and so on. */

import { notify, solve } from "../dom.js";
import { toPixel } from "../draw/colors.js";
import { openStorage } from "../draw/saved.js";
import { open as openEngine } from "../engine/client.js";
import { writeGpl } from "../formats/gpl.js";
import { listenForPictures } from "./color/arrivals.js";
import { makeCanvas } from "./color/canvas.js";
import { ENDINGS, download } from "./color/exports.js";
import { Frame } from "./color/frame.js";
import { commandOf } from "./color/keys.js";
import { addUsed } from "./color/palette.js";
import { guidesOf, makePanel } from "./color/panel.js";
import { loadColors, readReference } from "./color/references.js";
import { recall, remember } from "./color/remembered.js";
import { drawSample } from "./color/sample.js";
import { Session } from "./color/session.js";
import { MODES } from "./color/view.js";

const WIDE = 900; // CSS pixels from which strokes and result are shown side by side at first
const AGAIN = 2000; // milliseconds after which a lost server is asked again
const NOT_KEPT = "This browser keeps nothing: export your work before you close the tab.";

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
    this.panel = makePanel(page, {
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
    this.frame = new Frame(page, this.host, this.panel.element, {
      open: (file) => this.open(file),
      sample: () => this.openSample(),
      restore: (id) => this.restore(id),
      undo: () => this.session.undo(),
      redo: () => this.session.redo(),
      mode: (mode) => this.setMode(mode),
      tool: (tool) => this.setBrush({ tool }),
      panel: () => this.togglePanel(),
      save: (kind) => this.save(kind),
    });
    root.append(this.frame.element);
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
    this.setMode(this.mode ?? (this.root.clientWidth >= WIDE ? "both" : "result"));
    this.setState("empty");
    this.refresh();
    await this.restore();
    if (!this.page.model) notify(this.page.why, { key: "model" });
    if (!this.session.storage) notify(NOT_KEPT, { key: "save" });
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

  open(file) {
    return this.load(async () => {
      await this.session.open(file);
      const { width, height } = this.session.scene;
      this.setBrush({ size: Math.max(2, Math.round(Math.min(width, height) / 40)) });
      this.showDoubts();
      return true;
    });
  }

  /** Go on with a work: that of an id, or that of this tab before it was loaded again. */
  restore(id) {
    return this.load(() => this.session.restore(id));
  }

  /** Show another drawing; if there is none, or it cannot be read, what was there stays. */
  async load(show) {
    const stay = () => {
      this.setState(this.session.isOpen ? "ready" : "empty");
      if (this.session.isOpen) this.session.coloring.full();
    };
    this.setState("loading");
    try {
      if (!(await show())) return stay();
      solve("open");
      this.host.focus({ preventScroll: true });
      this.frame.showEarlier(await this.session.earlier());
    } catch (error) {
      stay();
      this.fail(error, "open");
    }
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
    if (this.session.target === "mask") return this.frame.note("A mask is painted with the brush.");
    this.warnUnused();
    this.session.fill(place, { ...this.brush }).catch((error) => this.fail(error, "fill"));
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
    const canUse = this.session.guides.includes("cue");
    this.frame.note("The colors do not come from your strokes now.", canUse && use);
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
    if (!this.session.isOpen) return this.frame.note("Open a drawing first, then its reference.");
    try {
      if (file) await readReference(file);
      await this.session.setReference(file);
      solve("reference");
      if (file && this.session.settings.guide === "cue" && this.session.guides.includes("reference")) {
        const use = { title: "Use the reference", run: () => this.session.set({ guide: "reference" }) };
        this.frame.note("The colors still come from your strokes.", use);
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
    this.frame.views.set(mode);
    this.refresh();
  }

  /** On a narrow page the panel comes and goes; on a wide one it is always there. */
  togglePanel(open = !this.root.classList.contains("panel-open")) {
    this.root.classList.toggle("panel-open", open);
    this.frame.current.setAttribute("aria-expanded", String(open));
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
    const fit = (size) => Math.min(this.largest, Math.max(1, Math.round(size)));
    const commands = {
      close: () => this.togglePanel(false),
      undo: () => session.undo(),
      redo: () => session.redo(),
      smaller: () => this.setBrush({ size: fit(brush.size * 0.8) }),
      larger: () => this.setBrush({ size: fit(brush.size * 1.25) }),
      swap: () => this.setBrush({ color: brush.before, before: brush.color }),
      hex: () => this.panel.picker.focus(),
      mode: () => this.setMode(MODES[(MODES.indexOf(view.mode) + 1) % MODES.length]),
      mirror: () => view.setMirror(!view.mirror),
      fit: () => view.fit(),
      actual: () => view.setScale(1),
      zoomIn: () => view.zoomIn(),
      zoomOut: () => view.zoomOut(),
      open: () => this.frame.pick(),
      save: () => session.isOpen && this.save("picture"),
      help: () => this.frame.help.showModal(),
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
    const { session, brush, used, mode, host, frame, reference, largest } = this;
    const { scene, settings, steps } = session;
    Object.assign(host.dataset, { undo: steps.undo, redo: steps.redo });
    this.root.classList.toggle("without-drawing", !session.isOpen);
    frame.show(session, brush);
    remember({ brush, used, mode });
    this.showReference();
    this.panel.show({
      brush, settings, used, largest, referenceImage: reference.image,
      referenceColors: session.feed?.referenceColors ?? [],
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
    this.frame.work.dataset.state = on ? "busy" : "ready";
  }

  showColored({ seconds, quality }) {
    this.host.dataset.quality = quality;
    if (quality === "live") return;
    solve("color");
    this.frame.showSeconds(seconds);
  }

  showDoubts() {
    const { doubts: [first], settings: { invert } } = this.session;
    const turn = { title: "Invert", run: () => this.session.set({ invert: !invert }) };
    this.frame.note(first, /invert/i.test(first) && turn);
  }

  fail(error, key) {
    notify(error.message, { key });
    if (key !== "color") return;
    this.setState("failed");
    if (this.page.mode === "studio") this.awaitServer();
  }

  /** If the server is lost, color again once it answers. */
  async awaitServer(isLost = false) {
    clearTimeout(this.waiting);
    const answer = await fetch("page.json").catch(() => null);
    if (!answer) this.waiting = setTimeout(() => this.awaitServer(true), AGAIN);
    else if (isLost) this.session.coloring.full();
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
