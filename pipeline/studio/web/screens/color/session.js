/** The drawing that is open: a work of draw/work.js that is shown, saved and colored as it changes. */

import { radiusAt, sweep } from "../../draw/brush.js";
import { toLevels, toPixel } from "../../draw/colors.js";
import { join } from "../../draw/layer.js";
import { Saver, claim, parse } from "../../draw/saved.js";
import { Work } from "../../draw/work.js";
import { Coloring } from "./coloring.js";
import { Feed, optionsOf, optionsOfFlats } from "./feed.js";
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
    Object.assign(this, { soon: {}, frame: 0, version: 0, pen: null, opening: null });
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
  open(file) {
    return this.alone(() => this.openFile(file));
  }

  async openFile(file) {
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

  /** Open a saved work: that of an id, or that of this tab, or the last one; return whether there is one. */
  restore(id = sessionStorage.getItem(TAB)) {
    return this.alone(() => this.openSaved(id));
  }

  async openSaved(id) {
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

  /** Open one after the other, while nothing changes what is open: engine and storage would mix them up. */
  alone(open) {
    this.end();
    const before = this.opening?.catch(() => {});
    const mine = Promise.resolve(before).then(() => {
      this.coloring.drop();
      return open();
    }).finally(() => {
      if (this.opening === mine) this.opening = null;
    });
    this.opening = mine;
    return mine;
  }

  async show(work, { width, height, preview, doubts }) {
    const drawing = await Pyramid.of(preview);
    this.closeScene();
    const { strokes, mask } = work.layers;
    Object.assign(this, { work, doubts, preview: {}, last: null, soon: {} });
    this.feed = new Feed(this.client, work);
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

  /** Begin a stroke of a color, [r, g, b], or erase with null; with `line`, from where the last one ended. */
  begin(place, { color, size, pressure }, line) {
    if (this.opening) return;
    const { target, last } = this;
    const ink = target === "mask" ? IN_MASK : color && toPixel(color);
    const [pixel, name] = color ? [ink, "stroke"] : [NOTHING, "erasing"];
    this.pen = { target, size, pressure, pixel, name, at: line ? last : null };
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
      const box = this.work.layers[pen.target].paint(sweep(pen.at ?? next, next), pen.pixel);
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
    if (this.work.commit(pen.name)) {
      this.changed();
      this.scene.wet.end(this.version);
    } else {
      this.scene.wet.cancel();
    }
    this.afterPen?.();
  }

  /** Take back what the stroke has painted. */
  cancel() {
    if (!this.pen) return;
    this.pen = null;
    this.scene.wet.cancel();
    this.applied(this.work.cancel());
    this.afterPen?.();
  }

  /** Give the region at a place one color, by a dot in it instead of its strokes. Saving waits for it. */
  fill(place, brush) {
    this.listener.busy(true);
    const before = this.filling?.catch(() => {});
    const mine = Promise.resolve(before).then(() => this.fillRegion(place, brush)).finally(() => {
      if (this.filling === mine) this.filling = null;
      if (!this.filling && !this.coloring.running) this.listener.busy(false);
    });
    this.filling = mine;
    return mine;
  }

  async fillRegion({ x, y }, { color, size }) {
    const { scene, work, feed } = this;
    if (this.opening || !(x >= 0 && y >= 0 && x < scene.width && y < scene.height)) return;
    feed.sendTiles();
    const plan = await this.client.planFill(Math.floor(x), Math.floor(y), size, this.options());
    if (!plan || work !== this.work) return;
    if (this.pen) {
      await new Promise((resolve) => (this.afterPen = resolve)); // what it paints changes the plan
      return this.fillRegion({ x, y }, { color, size });
    }
    const { strokes } = work.layers;
    work.begin();
    const box = join(strokes.paint(plan.erase, NOTHING), strokes.paint(plan.paint, toPixel(color)));
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
    const go = () => this.pen || this.opening || step();
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
    if (this.opening) return;
    this.preview = { ...this.preview, ...change };
    this.apply();
    if (!this.work) return; // the first drawing gets it
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
    const { version, feed, settings } = this;
    feed.sendTiles();
    if (await feed.sendGuides(settings)) this.listener.changed();
    const answer = await this.client.color(this.options(), quality);
    return answer && { ...answer, version };
  }

  options() {
    return optionsOf(this.settings, this.guides);
  }

  /** The model did not color: say so, and show what the strokes alone fill. */
  async failed(error) {
    this.listener.failed(error, "color");
    if (this.settings.guide !== "cue") return;
    const { version } = this;
    const answer = await this.client.color(optionsOfFlats(this.settings), "full").catch(() => null);
    if (answer) await this.colored({ ...answer, version }, () => version === this.version);
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

  closeScene() {
    this.scene?.drawing.close();
    this.scene?.result?.close();
    this.scene = null;
  }

  close() {
    this.coloring.drop();
    this.client.close();
    this.closeScene();
  }
}

async function readFile(file) {
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) };
}
