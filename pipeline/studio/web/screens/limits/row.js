/** One limit: its histogram with a handle, a field for its value, and the pictures on both sides. */

import { binIndices, chooseBins, formatNumber, histogram } from "../../charts.js";
import { el, iconButton } from "../../dom.js";
import { countByFate, moveFates, nearestTo } from "../../engine/limits.js";

export const FATES = [
  { name: "kept", kind: "a" },
  { name: "newly kept", kind: "a-new" },
  { name: "rejected by this limit", kind: "b" },
  { name: "newly rejected", kind: "b-new" },
  { name: "rejected otherwise", kind: "rest" },
];
const BESIDE = 6; // pictures shown on either side of a limit

export class Row {
  /**
   * @param {object} screen
   * @param {object} rule
   * @param {number} number of the rule, which is its verdict
   */
  constructor(screen, rule, number) {
    Object.assign(this, { screen, rule, number });
    this.values = screen.pictures.scores[rule.score];
    this.sorted = this.values.slice().sort();
    this.makeControls();
    this.inside = el("div.pictures");
    this.outside = el("div.pictures");
    const title = rule.reason[0].toUpperCase() + rule.reason.slice(1);
    this.element = el(
      "section.card.limit",
      { "aria-label": title, data: { limit: rule.limit } },
      el(
        "header",
        {},
        el("h2", {}, title),
        el("p.small.muted", {}, el("code", {}, rule.limit), " ", rule.help),
        el("div.value", {}, el("span.small.muted", {}, this.bound), this.field, this.undo),
      ),
      this.chart.element,
      el(
        "div.picture-side",
        {},
        el("div", {}, el("h3", {}, "Just inside"), this.inside),
        el("div", {}, el("h3", {}, "Just outside"), this.outside),
      ),
    );
    this.fit();
  }

  get limit() {
    return this.screen.limits[this.rule.limit];
  }

  get bound() {
    return this.rule.least ? "at least" : "at most";
  }

  makeControls() {
    const { limit, help, low, high, integer } = this.rule;
    const label = `${limit}, ${this.bound}`;
    this.field = el("input.number", {
      type: "number",
      step: integer ? 1 : "any",
      min: low,
      max: high,
      "aria-label": label,
      oninput: () => this.read(),
      onchange: () => this.settle(),
    });
    this.undo = iconButton("undo", `Back to params.yaml: ${limit}`, { onclick: () => this.back() });
    const oninput = (value) => this.moveTo(value);
    const handle = {
      label,
      step: integer ? 1 : undefined,
      low: low ?? undefined,
      high: high ?? undefined,
      oninput,
    };
    this.chart = histogram({ label: `${limit}: ${help}`, series: FATES, handle });
  }

  /** Choose the bars so that the limit is among them. */
  fit() {
    const { integer, value } = this.rule;
    this.bins = chooseBins(this.sorted, { shown: [value, this.limit], integer });
    this.places = binIndices(this.values, this.bins);
    this.end = this.bins.low + this.bins.count * this.bins.width;
    this.below = countBelow(this.sorted, this.bins.low);
    this.above = this.sorted.length - countBelow(this.sorted, this.end);
    this.counts = null;
  }

  moveTo(value) {
    this.screen.set(this.rule.limit, value);
    this.field.removeAttribute("aria-invalid");
    this.field.value = value;
  }

  back() {
    this.moveTo(this.rule.value);
    this.fit();
  }

  /** Take the value of the field, if the limit may have it. */
  read() {
    const value = this.field.valueAsNumber;
    const { limit, low, high, integer } = this.rule;
    const within = value >= (low ?? -Infinity) && value <= (high ?? Infinity);
    const fine = within && (!integer || Number.isInteger(value));
    this.field.setAttribute("aria-invalid", !fine);
    if (fine) this.screen.set(limit, value);
  }

  /** Show the limit that counts once the field is left, and the bars around it. */
  settle() {
    this.fit();
    this.moveTo(this.limit);
  }

  /** Show the decision after an `earlier` one; `places` are of the pictures with another verdict. */
  update(earlier, places) {
    const { decision, pictures } = this.screen;
    const { value: before } = this.rule;
    const value = this.limit;
    const { verdicts } = decision;
    this.counts = this.counts
      ? moveFates(this.counts, pictures, earlier.verdicts, verdicts, this.number, this.places, places)
      : countByFate(pictures, verdicts, this.number, this.places, this.bins.count);
    const old = before === value ? undefined : before;
    this.chart.update({ bins: this.bins, counts: this.counts, value, before: old, remark: this.describe() });
    if (document.activeElement !== this.field) this.field.value = value;
    this.undo.disabled = before === value;
    this.element.dataset.changed = before !== value;
  }

  /** Say how many pictures this limit rejects, and how many lie outside of the chart. */
  describe() {
    const [, , rejected, newly] = this.counts.map((each) => each.reduce((sum, count) => sum + count, 0));
    const parts = [
      `rejects ${formatNumber(rejected + newly) === "0" ? "none" : formatNumber(rejected + newly)}`,
      newly && `${formatNumber(newly)} of them newly`,
      this.below && `first bar with ${formatNumber(this.below)} below ${formatNumber(this.bins.low)}`,
      this.above && `last bar with ${formatNumber(this.above)} from ${formatNumber(this.end)} on`,
    ];
    return parts.filter(Boolean).join(", ");
  }

  showPictures() {
    const { verdicts } = this.screen.decision;
    const { inside, outside } = nearestTo(verdicts, this.rule, this.number, this.values, this.limit, BESIDE);
    this.screen.strip(this.inside, inside);
    this.screen.strip(this.outside, outside);
  }
}

/** Count how many of sorted numbers are below a value. */
export function countBelow(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
