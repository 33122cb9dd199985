/** A place for a drawn sketch. */

import { el } from "../dom.js";

/** A place for a drawn sketch: the newest wins. */
export class View {
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
      this.fail(error.message);
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

/** Write a complexity for people. */
export function formatPercent(value) {
  return `${value.toFixed(1)} %`;
}
