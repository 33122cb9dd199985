/** A work: a drawing, the layers that are painted on it, the settings, and all steps so far. */

import { History } from "./history.js";
import { Layer } from "./layer.js";

/**
 * Every change is a step: paint on the layers between `begin` and `commit`, change settings by `set`.
 * Settings are values that JSON can hold. Files that they name are in `files`, as {name, bytes}, and stay for
 * undo.
 */
export class Work {
  constructor(height, width, settings = {}) {
    Object.assign(this, { height, width, settings: { ...settings } });
    this.layers = { strokes: new Layer(height, width, 4), mask: new Layer(height, width, 1) };
    this.files = new Map();
    this.history = new History();
  }

  /** Begin a step. */
  begin() {
    for (const layer of Object.values(this.layers)) layer.begin();
  }

  /** End a step, and keep it under a name if it changed something; return it, or null. */
  commit(name) {
    const layers = {};
    for (const [key, layer] of Object.entries(this.layers)) {
      const changes = layer.end();
      if (changes.size) layers[key] = changes;
    }
    return Object.keys(layers).length ? this.history.push(name, layers, {}) : null;
  }

  /** Take back what was painted since `begin`; return what changed, as `undo` does. */
  cancel() {
    const layers = {};
    for (const [key, layer] of Object.entries(this.layers)) layers[key] = layer.end();
    return this.apply({ layers, settings: {} }, 0);
  }

  /** Change settings, {name: value}, in one step; return it, or null if they have these values. */
  set(values, name = "setting") {
    const settings = {};
    for (const [key, value] of Object.entries(values)) {
      const before = this.settings[key];
      if (JSON.stringify(before) !== JSON.stringify(value)) settings[key] = [before, value];
    }
    if (!Object.keys(settings).length) return null;
    Object.assign(this.settings, values);
    return this.history.push(name, {}, settings);
  }

  /**
   * Undo a step: return its name, the rectangle that changed by layer, and the names of settings; or null.
   */
  undo() {
    const step = this.history.back();
    return step && this.apply(step, 0);
  }

  /** Do a step that was undone once more; return as `undo`. */
  redo() {
    const step = this.history.forward();
    return step && this.apply(step, 1);
  }

  apply({ name, layers, settings }, side) {
    const boxes = {};
    for (const [key, changes] of Object.entries(layers)) {
      const tiles = [...changes].map(([number, sides]) => [number, sides[side]]);
      boxes[key] = this.layers[key].put(tiles);
    }
    for (const [key, sides] of Object.entries(settings)) {
      if (sides[side] === undefined) delete this.settings[key];
      else this.settings[key] = sides[side];
    }
    return { name, boxes, settings: Object.keys(settings) };
  }
}
