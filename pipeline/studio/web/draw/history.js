/** The steps of a work: undo and redo of everything, without a limit. */

/**
 * A step is {id, name, layers, settings, bytes}: by the name of a layer, the [before, after] of its tiles
 * that changed, packed, and by the name of a setting, its [before, after]. It never changes once it is here.
 */
export class History {
  constructor(steps = [], position = steps.length) {
    this.steps = steps;
    this.position = position; // how many steps are done; the others can be redone
    this.next = 1 + steps.reduce((most, { id }) => Math.max(most, id), 0);
  }

  /** Bytes of tiles that the steps keep. */
  get bytes() {
    return this.steps.reduce((sum, step) => sum + step.bytes, 0);
  }

  /** Add a step behind those that are done, and forget those that were undone. */
  push(name, layers, settings) {
    const tiles = Object.values(layers).flatMap((changes) => [...changes.values()].flat());
    const bytes = tiles.reduce((sum, packed) => sum + (packed?.byteLength ?? 0), 0);
    const step = { id: this.next++, name, layers, settings, bytes };
    this.steps.splice(this.position, Infinity, step);
    this.position++;
    return step;
  }

  /** Go back over a step and return it, or null. */
  back() {
    return this.position ? this.steps[--this.position] : null;
  }

  /** Go forward over a step and return it, or null. */
  forward() {
    return this.position < this.steps.length ? this.steps[this.position++] : null;
  }
}
