/**
 * A list of any length in a scrolling element, drawn by as many cells as fit: scrolling moves them to others.
 *
 * The arrow keys, Page Up, Page Down, Home and End move the active item, Enter opens it. Focus stays on the
 * list, so that it is not lost when a cell shows another item.
 */

import { el } from "./dom.js";

const MOST_PIXELS = 15_000_000; // of height: Firefox scrolls through no more than 17.8 million
const AHEAD = 1; // rows that are drawn above and below those in sight

export class Grid {
  /**
   * @param {object} given
   * @param {string} given.label of the list, for screen readers
   * @param {() => HTMLElement} given.make makes an empty cell
   * @param {(cell: HTMLElement, item: number) => void} given.draw shows an item in a cell
   * @param {(cell: HTMLElement) => void} given.clear stops what a cell loads, before it shows another item
   * @param {(item: number, event: Event) => void} given.open by a click or by Enter
   * @param {{least: number, height: (width: number) => number, gap: number, pad: number}} given.size
   *   of a cell, in pixels: the least width, and its height by its width
   */
  constructor({ label, make, draw, clear, open, size }) {
    Object.assign(this, { make, draw, clear, open, size });
    this.count = 0;
    this.active = 0;
    this.cells = [];
    this.stale = false; // the cells show something else than they must
    this.toTop = false; // the list is to be scrolled to its beginning once it is laid out
    this.spacer = el("div.grid-spacer", { role: "presentation" });
    this.element = el(
      "div.grid",
      {
        role: "listbox",
        tabindex: "0",
        "aria-label": label,
        onscroll: () => this.schedule(),
        onkeydown: (event) => this.press(event),
        onclick: (event) => this.click(event),
      },
      this.spacer,
    );
    this.pending = 0;
    this.observer = new ResizeObserver(() => this.lay());
    this.observer.observe(this.element);
  }

  /** Show `count` items from the first on, or from where the list is if `stay`. */
  setCount(count, stay = false) {
    this.count = count;
    this.active = Math.min(stay ? this.active : 0, Math.max(count - 1, 0));
    this.toTop = !stay;
    this.redraw();
  }

  setSize(size) {
    this.size = size;
    this.redraw();
  }

  /** Draw all cells again. */
  redraw() {
    this.stale = true;
    this.lay();
  }

  /** Compute the layout, unless the list is hidden; the first item in sight stays in sight. */
  lay() {
    const { least, height, gap, pad } = this.size;
    const [width, view] = [this.element.clientWidth - 2 * pad, this.element.clientHeight];
    if (width <= 0 || view <= 0) return;
    if (this.toTop) this.element.scrollTop = 0;
    this.toTop = false;
    const first = this.rowHeight ? Math.round(this.top() / this.rowHeight) * this.columns : 0;
    this.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    this.cellWidth = (width - gap * (this.columns - 1)) / this.columns;
    this.cellHeight = height(this.cellWidth);
    this.rowHeight = this.cellHeight + gap;
    this.rows = Math.ceil(this.count / this.columns);
    this.view = view;
    this.full = this.rows * this.rowHeight - gap + 2 * pad;
    const physical = Math.max(0, Math.min(this.full, MOST_PIXELS));
    this.scale = physical > view ? Math.max(1, (this.full - view) / (physical - view)) : 1;
    this.spacer.style.setProperty("height", `${physical}px`);
    const moved = Math.round((Math.floor(first / this.columns) * this.rowHeight) / this.scale);
    if (first && Math.abs(moved - this.element.scrollTop) >= this.rowHeight / 2)
      this.element.scrollTop = moved;
    this.fillPool(Math.min(this.count, (Math.ceil(view / this.rowHeight) + 1 + 2 * AHEAD) * this.columns));
    if (this.stale) for (const cell of this.cells) this.release(cell);
    this.stale = false;
    for (const cell of this.cells) {
      cell.style.setProperty("width", `${this.cellWidth}px`);
      cell.style.setProperty("height", `${this.cellHeight}px`);
      cell.placed = null;
    }
    this.update();
  }

  fillPool(length) {
    while (this.cells.length > length) {
      const cell = this.cells.pop();
      this.release(cell);
      cell.remove();
    }
    while (this.cells.length < length) {
      const cell = this.make();
      cell.classList.add("cell");
      cell.setAttribute("role", "option");
      cell.id = `cell-${crypto.randomUUID()}`;
      cell.item = -1;
      this.cells.push(cell);
      this.element.append(cell);
    }
    for (const cell of this.cells)
      if (cell.item >= 0 && this.cells[cell.item % length] !== cell) this.release(cell);
  }

  release(cell) {
    if (cell.item >= 0) this.clear(cell);
    cell.item = -1;
  }

  /** Return how far the list is scrolled, in pixels of its full height. */
  top() {
    return this.element.scrollTop * (this.scale ?? 1);
  }

  schedule() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.update();
    });
  }

  /** Give each item in sight its cell. */
  update() {
    if (!this.rowHeight) return;
    const [top, shift] = [this.top(), this.element.scrollTop];
    const from = Math.max(0, Math.floor((top - this.size.pad) / this.rowHeight) - AHEAD) * this.columns;
    const to = Math.min(this.count, from + this.cells.length);
    for (let item = from; item < to; item += 1) {
      const cell = this.cells[item % this.cells.length];
      const y = Math.round(this.size.pad + Math.floor(item / this.columns) * this.rowHeight - top + shift);
      const x = Math.round(this.size.pad + (item % this.columns) * (this.cellWidth + this.size.gap));
      const place = `translate(${x}px, ${y}px)`;
      if (cell.placed !== place) cell.style.setProperty("transform", place);
      cell.placed = place;
      if (cell.item === item) continue;
      this.release(cell);
      cell.item = item;
      cell.hidden = false;
      cell.setAttribute("aria-posinset", item + 1);
      cell.setAttribute("aria-setsize", this.count);
      this.draw(cell, item);
    }
    for (const cell of this.cells) {
      if (cell.item >= from && cell.item < to) continue;
      this.release(cell);
      cell.hidden = true;
    }
    this.mark();
  }

  /** Show which item is active. */
  mark() {
    const chosen = this.cells.find((cell) => cell.item === this.active && this.count);
    for (const cell of this.cells) cell.setAttribute("aria-selected", cell === chosen);
    if (chosen) this.element.setAttribute("aria-activedescendant", chosen.id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** Make an item active and bring it into sight. */
  go(item) {
    if (!this.count) return;
    this.active = Math.max(0, Math.min(this.count - 1, item));
    const start = this.size.pad + Math.floor(this.active / this.columns) * this.rowHeight;
    const top = this.top();
    const wanted = Math.min(
      start - this.size.pad,
      Math.max(top, start + this.rowHeight - this.view + this.size.pad),
    );
    if (wanted !== top) this.element.scrollTop = wanted / this.scale;
    this.update();
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.rowHeight) return;
    const page = Math.max(1, Math.floor(this.view / this.rowHeight)) * this.columns;
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -page,
      PageDown: page,
      Home: -this.count,
      End: this.count,
    };
    if (event.key in steps) this.go(this.active + steps[event.key]);
    else if (event.key === "Enter" && this.count) this.open(this.active, event);
    else return;
    event.preventDefault();
  }

  click(event) {
    const cell = event.target.closest(".cell");
    if (!cell || cell.item < 0 || event.target.closest("a, button")) return;
    this.active = cell.item;
    this.mark();
    this.open(cell.item, event);
  }
}
