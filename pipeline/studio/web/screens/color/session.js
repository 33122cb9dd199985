/** The drawing that is open: a work of draw/work.js that is shown, saved and colored as it changes. */

import { radiusAt, sweep } from "../../draw/brush.js";
import { toLevels, toPixel } from "../../draw/colors.js";
import { join } from "../../draw/layer.js";
import { Saver, claim, parse } from "../../draw/saved.js";
import { Work } from "../../draw/work.js";
import { Coloring } from "./coloring.js";
import { Pyramid } from "./pyramid.js";
import { TileCanvas } from "./tilecanvas.js";
import { Wet } from "./wet.js";

const PALETTE = [
  "f6d7c3", "e3a884", "a9694b", "5b3a2e", "f2c14e", "e07a5f", "b83b4b", "e7a1b0",
  "81b29a", "3f7d5c", "8ec5e8", "3d5a80", "6d5a9c", "f4f1e8", "9aa0a8", "3a3d45",
].map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
const NOTHING = 0; // the pixel of what is not painted
const IN_MASK = 255;
const DRAWING = "drawing"; // name of its file in the work
const TAB = "inkwash-work"; // in the tab's own storage: the name of the work that it shows

/** What a work can set, each with undo: `reference` names a file of the work. */
const SETTINGS = {
  guide: "cue", gap: null, strength: 1, lines: "keep", invert: false, palette: PALETTE, reference: null,
};
const OF_ONE_DRAWING = { gap: null, invert: false }; // the other settings stay for the next drawing

export class Session {
  /**
   * @param {Client} client of engine/client.js
   * @param {View} view
   * @param {object|null} storage of draw/saved.js
   * @param {string[]} guides of the model; none without one
   * @param {object} listener changed(): steps, settings or the drawing; busy(on); colored(answer);
   *   failed(error, key); saved(problem)
   */
  constructor(client, view, storage, guides, listener) {
    Object.assign(this, { client, view, storage, guides, listener, work: null, scene: null, preview: {} });
    Object.assign(this, { soon: {}, frame: 0, version: 0, pen: null, referenceColors: [] });
    this.coloring = new Coloring((quality) => this.color(quality), {
      busy: (on) => listener.busy(on),
      done: async (answer, isNewest) => {
        await this.colored(answer, isNewest);
        if (isNewest()) listener.colored(answer);
      },
      failed: (error) => this.failed(error),
    });
  }

  get isOpen() {
    return Boolean(this.scene);
  }

  get settings() {
    const settings = { ...SETTINGS, ...this.work?.settings, ...this.preview };
    const [first = "cue"] = this.guides; // a saved work may have one that this model does not take
    return this.guides.includes(settings.guide) ? settings : { ...settings, guide: first };
  }

  /** How many steps can be undone and redone, and the names of the next ones. */
  get steps() {
    const { steps, position } = this.work?.history ?? { steps: [], position: 0 };
    const names = { back: steps[position - 1]?.name, forward: steps[position]?.name };
    return { undo: position, redo: steps.length - position, ...names };
  }

  // Opening

  /** Open a drawing without strokes. Throw if it cannot be read; the one that was open then stays. */
  async open(file) {
    const info = await this.client.setDrawing(file);
    const title = file.name.replace(/\.[^.]*$/, "") || "drawing";
    const work = new Work(info.height, info.width, { ...this.settings, ...OF_ONE_DRAWING, title });
    work.files.set(DRAWING, await readFile(file));
    const { reference } = work.settings;
    if (reference) work.files.set(reference, this.work.files.get(reference));
    await this.show(work, info);
    this.startSaving(crypto.randomUUID());
    this.save();
  }

  /** Open a saved work: the one of an id, or the one that this tab had, or the last; return whether there is one. */
  async restore(id = sessionStorage.getItem(TAB)) {
    await this.saver?.running;
    const saved = await this.storage?.read(id);
    const work = saved && parse(saved.records);
    const drawing = work?.files.get(DRAWING);
    if (!drawing) return false;
    await this.show(work, await this.client.setDrawing(new Blob([drawing.bytes])));
    const isOwn = saved.id === id && (await claim(id)); // another tab may still save it: this is a copy then
    this.startSaving(isOwn ? id : crypto.randomUUID());
    if (isOwn) this.saver.assumeSaved(work);
    else this.save();
    return true;
  }

  /** The other works that are saved. @returns {Promise<{id: string, title: string}[]>} */
  async earlier() {
    const saved = (await this.storage?.list()) ?? [];
    const others = saved.filter(({ id }) => id !== this.saver?.id);
    return others.map(({ id, settings }) => ({ id, title: settings.title ?? "drawing" }));
  }

  async show(work, { width, height, preview, doubts }) {
    this.coloring.drop();
    const drawing = await Pyramid.of(preview);
    this.scene?.drawing.close();
    this.scene?.result?.close();
    const { strokes, mask } = work.layers;
    Object.assign(this, { work, doubts, preview: {}, pen: null, last: null, soon: {}, referenceColors: [] });
    this.sent = { strokes: 0, mask: 0, reference: null, palette: null };
    await this.client.setReference(null);
    this.scene = {
      width, height, drawing, result: null, wet: new Wet(),
      strokes: new TileCanvas(strokes), mask: new TileCanvas(mask),
    };
    for (const layer of [this.scene.strokes, this.scene.mask]) layer.updateAll();
    this.view.show(this.scene);
    this.apply();
    this.coloring.full();
  }

  get name() {
    return this.settings.title;
  }

  startSaving(id) {
    claim(id);
    sessionStorage.setItem(TAB, id);
    this.saver = this.storage && new Saver(this.storage, id, ({ problem }) => this.listener.saved(problem));
  }

  save() {
    this.saver?.save(this.work);
  }

  // Painting

  /** The layer that a brush paints on: the mask while the model colors by one. */
  get target() {
    return this.settings.guide === "gray" ? "mask" : "strokes";
  }

  /** Begin a stroke of a color, [r, g, b], or erase with null; `line` goes on from where the last one ended. */
  begin(place, { color, size, pressure }, line) {
    const { target, last } = this;
    const ink = target === "mask" ? IN_MASK : color && toPixel(color);
    this.pen = { target, size, pressure, ink: color ? ink : NOTHING, at: line ? last : null, name: color ? "stroke" : "erasing" };
    this.work.begin();
    this.scene.wet.begin(color);
    this.paint([place]);
  }

  /** Go on with the stroke to these places. */
  paint(places) {
    const { pen } = this;
    if (!pen) return;
    for (const { x, y, pressure } of places) {
      const next = { x, y, radius: radiusAt(pen.size, pen.pressure ? pressure ?? 1 : 1) };
      const box = this.work.layers[pen.target].paint(sweep(pen.at ?? next, next), pen.ink);
      pen.at = next;
      this.scene.wet.add(x, y, next.radius);
      this.showSoon(pen.target, box);
    }
    this.coloring.live();
  }

  end() {
    const { pen } = this;
    if (!pen) return;
    Object.assign(this, { pen: null, last: pen.at });
    this.showNow();
    if (!this.work.commit(pen.name)) return this.scene.wet.cancel();
    this.changed();
    this.scene.wet.end(this.version);
  }

  /** Take back what the stroke has painted. */
  cancel() {
    if (!this.pen) return;
    this.pen = null;
    this.scene.wet.cancel();
    this.applied(this.work.cancel());
  }

  /** Give the region at a place one color, by strokes in it; null takes its strokes away. Saving waits for it. */
  fill(place, color, radius) {
    this.listener.busy(true);
    this.filling = this.fillRegion(place, color, radius).finally(() => {
      this.filling = null;
      if (!this.coloring.running) this.listener.busy(false);
    });
    return this.filling;
  }

  async fillRegion({ x, y }, color, radius) {
    const { width, height } = this.scene;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return;
    await this.sendTiles();
    const { work } = this;
    const plan = await this.client.planFill(Math.floor(x), Math.floor(y), color ? radius : 0, this.options());
    if (!plan || work !== this.work || this.pen) return;
    const layer = work.layers.strokes;
    work.begin();
    const box = join(layer.paint(plan.erase, NOTHING), layer.paint(plan.paint, color ? toPixel(color) : NOTHING));
    if (!work.commit("fill")) return;
    this.showSoon("strokes", box);
    this.changed();
  }

  // Steps

  /** A step is done: show, save and color what it changed. */
  changed() {
    this.version += 1;
    this.save();
    this.listener.changed();
    this.coloring.full();
  }

  undo() {
    this.afterFill(() => this.applied(this.work?.undo()));
  }

  redo() {
    this.afterFill(() => this.applied(this.work?.redo()));
  }

  /** Step unless a pen is down; a fill that is still computed is a step before this one. */
  afterFill(step) {
    const go = () => this.pen || step();
    if (this.filling) this.filling.then(go, go);
    else go();
  }

  applied(step) {
    if (!step) return;
    this.scene.wet.dry(Infinity);
    for (const [target, box] of Object.entries(step.boxes)) this.showSoon(target, box);
    if (step.settings.length) this.apply();
    this.changed();
  }

  /** Change settings: at once, and as one step when the change is done. */
  set(change, done = true) {
    this.preview = { ...this.preview, ...change };
    this.apply();
    if (!this.work) return;
    if (!done) return this.coloring.live();
    const step = this.work.set(this.preview, Object.keys(this.preview)[0]);
    this.preview = {};
    if (step) this.changed();
  }

  /** Take the colors of a picture, or no longer of one; without strokes the model colors by it, if it can. */
  async setReference(file) {
    const name = file && `reference-${crypto.randomUUID()}`;
    if (file) this.work.files.set(name, await readFile(file));
    const isFirst = file && this.guides.includes("reference") && !this.work.layers.strokes.tiles.size;
    this.set({ reference: name, ...(isFirst && { guide: "reference" }) });
  }

  /** The reference, or null. @returns {Blob|null} */
  get reference() {
    const file = this.work?.files.get(this.settings.reference);
    return file ? new Blob([file.bytes]) : null;
  }

  apply() {
    this.view.masked = this.target === "mask";
    this.view.invalidate();
    this.listener.changed();
  }

  // What is seen

  /** Show a changed box of a layer at the next frame, together with what else changes until then. */
  showSoon(target, box) {
    if (!box) return;
    this.soon[target] = join(this.soon[target] ?? null, box);
    this.frame ||= requestAnimationFrame(() => this.showNow());
  }

  showNow() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    for (const [target, [left, top, right, bottom]] of Object.entries(this.soon)) {
      this.scene[target].update({ left, top, right, bottom });
      this.view.invalidate({ left, top, right, bottom });
    }
    this.soon = {};
  }

  /** The color at a place, [r, g, b]: of the result there, of a stroke, or of the drawing; null outside. */
  colorAt({ x, y, pane }) {
    const { width, height, result, drawing } = this.scene;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return null;
    if (pane === "result" && result) return result.colorAt(x / width, y / height);
    const pixel = this.work.layers.strokes.at(Math.floor(x), Math.floor(y));
    return pixel === NOTHING ? drawing.colorAt(x / width, y / height) : toLevels(pixel);
  }

  // The engine

  async color(quality) {
    this.showNow();
    const { version } = this;
    await this.sendTiles();
    await this.sendGuides();
    const answer = await this.client.color(this.options(), quality);
    return answer && { ...answer, version };
  }

  /** The engine's options; without a model, or without what the guide needs, for the flats alone. */
  options() {
    const { guide, gap, lines, invert, strength, reference, palette } = this.settings;
    const lacks = (guide === "reference" && !reference) || (guide === "palette" && !palette.length);
    if (lacks || !this.guides.length) return this.optionsOfFlats();
    return { kind: guide, size: 0, gap, lines, invert, strength };
  }

  optionsOfFlats() {
    const { gap, invert } = this.settings;
    return { kind: "cue", size: 0, gap, lines: "keep", invert, strength: 0 };
  }

  /** The model did not color: say so, and show what the strokes alone fill. */
  async failed(error) {
    this.listener.failed(error, "color");
    if (this.settings.guide !== "cue") return;
    const { version } = this;
    const answer = await this.client.color(this.optionsOfFlats(), "full").catch(() => null);
    if (answer) await this.colored({ ...answer, version }, () => version === this.version);
  }

  async sendTiles() {
    const { client } = this;
    const { strokes, mask } = this.work.layers;
    const changed = { strokes: this.changedTiles("strokes", strokes), mask: this.changedTiles("mask", mask) };
    if (changed.strokes.length) client.setTiles(changed.strokes);
    if (changed.mask.length) client.setMaskTiles(changed.mask);
  }

  changedTiles(name, layer) {
    const since = this.sent[name];
    this.sent[name] = layer.version;
    return layer.changedAfter(since).map((index) => ({ index, pixels: copyTile(layer.tiles.get(index)) }));
  }

  async sendGuides() {
    const { reference, palette } = this.settings;
    const { sent } = this;
    if (reference !== sent.reference) {
      sent.reference = reference;
      const facts = await this.client.setReference(this.reference);
      this.referenceColors = facts?.colors ?? [];
      this.listener.changed();
    }
    if (palette !== sent.palette) {
      sent.palette = palette;
      await this.client.setPalette(palette.length ? palette : null);
    }
  }

  async colored(answer, isNewest) {
    const result = await Pyramid.of(answer.picture);
    answer.flats?.close();
    if (!isNewest()) return result.close();
    this.scene.result?.close();
    this.scene.result = result;
    this.scene.wet.dry(answer.version);
    this.view.invalidate(null, "result");
  }

  close() {
    this.coloring.drop();
    this.client.close();
    this.scene?.drawing.close();
    this.scene?.result?.close();
    this.scene = null;
  }
}

async function readFile(file) {
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}

/** A tile as RGBA for the engine; of a mask, white is where to color. */
function copyTile(tile) {
  if (!tile) return null;
  const pixels = tile instanceof Uint32Array ? tile.slice() : Uint32Array.from(tile, (level) => (level ? 0xffffffff : 0));
  return new Uint8ClampedArray(pixels.buffer);
}
