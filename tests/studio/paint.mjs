// Plays actions on a work of the page, and tells after each what there is: sums of pixels, settings, position.

import { planFill } from "../../pipeline/studio/web/draw/fill.js";
import { Layer } from "../../pipeline/studio/web/draw/layer.js";
import { Saver, parse } from "../../pipeline/studio/web/draw/saved.js";
import { Work } from "../../pipeline/studio/web/draw/work.js";
import { Drawing } from "../../pipeline/studio/web/engine/flats.js";
import { crc32 } from "../../pipeline/studio/web/formats/png.js";

/** A storage that keeps copies of records, as a browser does; `failing` throws, and keeps nothing. */
class Storage {
  constructor() {
    Object.assign(this, { records: new Map(), failing: "", written: [] });
  }

  async write(id, records, whole) {
    const copy = structuredClone(records);
    await null;
    if (this.failing) throw new DOMException("no", this.failing);
    if (!whole && !this.records.size) return false;
    if (whole) this.records.clear();
    this.written.push([...copy.keys()]);
    for (const [key, value] of copy) {
      if (value === null) this.records.delete(key);
      else this.records.set(key, value);
    }
    return true;
  }
}

const ACTIONS = {
  paint(work, layer, runs, pixel) {
    work.begin();
    const box = work.layers[layer].paint(runs, pixel);
    const step = work.commit("stroke");
    return { box, step: step?.name ?? null };
  },
  clear(work, layer) {
    work.begin();
    work.layers[layer].clear();
    return { step: work.commit("clear")?.name ?? null };
  },
  cancel(work, layer, runs, pixel) {
    work.begin();
    work.layers[layer].paint(runs, pixel);
    work.cancel();
    return {};
  },
  set: (work, values) => ({ step: work.set(values)?.name ?? null }),
  undo: (work) => ({ undone: work.undo() !== null }),
  redo: (work) => ({ redone: work.redo() !== null }),
};

export async function play(height, width, actions) {
  const work = new Work(height, width, { gap: 4 });
  const mirror = new Layer(height, width);
  const storage = new Storage();
  const saver = new Saver(storage, "one");
  const told = [];
  let seen = 0;
  for (const [name, ...given] of actions) {
    if (name === "fail") storage.failing = given[0];
    const did = ACTIONS[name]?.(work, ...given) ?? {};
    mirror.put(work.layers.strokes.settledTiles(seen));
    seen = work.layers.strokes.version;
    await saver.save(work);
    const written = storage.written.at(-1) ?? [];
    told.push({ ...did, ...tell(work), mirror: sum(mirror), problem: saver.problem, written });
  }
  const restored = parse(structuredClone(storage.records));
  const back = [tell(restored)];
  while (restored.undo()) back.push(tell(restored));
  while (restored.redo());
  return { told, back, again: tell(restored), bytes: work.history.bytes };
}

function tell({ layers, settings, history }) {
  const sums = { strokes: sum(layers.strokes), mask: sum(layers.mask) };
  return { ...sums, settings: { ...settings }, position: history.position, steps: history.steps.length };
}

function sum(layer) {
  return crc32(layer.toImage().data);
}

/** Save while a stroke is under way, and end it; return what is saved then and after the next save. */
export async function saveInStroke(height, width, first, second, pixel) {
  const work = new Work(height, width);
  const storage = new Storage();
  const saver = new Saver(storage, "one");
  ACTIONS.paint(work, "strokes", first, pixel);
  await saver.save(work);
  work.begin();
  work.layers.strokes.paint(second, pixel);
  await saver.save(work);
  const during = tell(parse(structuredClone(storage.records)));
  work.commit("stroke");
  await saver.save(work);
  return { during, after: tell(parse(structuredClone(storage.records))) };
}

/** Save five times at once; return how often it was written, and whether the last state is saved. */
export async function saveAtOnce(height, width, runs, pixel) {
  const work = new Work(height, width);
  const storage = new Storage();
  const saver = new Saver(storage, "one");
  const saves = [];
  for (let k = 0; k < 5; k++) {
    ACTIONS.paint(work, "strokes", runs.map((value, at) => (at % 3 ? value : value + k)), pixel);
    saves.push(saver.save(work));
  }
  await Promise.all(saves);
  return { written: storage.written.length, saved: tell(parse(storage.records)), now: tell(work) };
}

/** Open what is no work of this page. */
export function parseOthers() {
  const about = { format: 1, height: 4, width: 4, settings: {}, steps: [1], position: 1 };
  const others = [[], [["work", { ...about, format: 2 }]], [["work", about]]];
  return others.map((records) => parse(new Map(records)));
}

/** Plan the fills of cases [sketch, hints, gap, x, y, radius]. */
export function fill(cases) {
  return cases.map(([sketch, hints, gap, ...given]) => planFill(new Drawing(sketch, gap), hints, ...given));
}
