/**
 * Small charts: a histogram with a handle, a waterfall, and curves. Each fits the width that it finds.
 *
 * The functions at the top compute and need no page. Colors are kinds of charts.css: `a` to `f`, and `rest`.
 */

import { el, replace, svg } from "./dom.js";

// ---------------------------------------------------------------- numbers

/** Return the value below which a share of sorted numbers lies, interpolated between neighbors. */
export function quantile(sorted, share) {
  if (!sorted.length) return NaN;
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}

/** Return the smallest of 1, 2 and 5 times a power of ten that is at least `width`. */
export function niceStep(width) {
  if (!(width > 0) || !Number.isFinite(width)) return 1;
  const power = 10 ** Math.floor(Math.log10(width));
  const factor = [1, 2, 5, 10].find((each) => each * power >= width * (1 - 1e-9));
  return tidy(factor * power);
}

/** List about `count` round numbers in [low, high]. */
export function ticks(low, high, count = 5) {
  const step = niceStep((high - low) / count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => tidy((first + index) * step));
}

/** Drop the digits that binary fractions add: 0.30000000000000004 becomes 0.3. */
export function tidy(value) {
  return Number(value.toPrecision(12));
}

/** Write a number for people: at most four significant digits, thousands in groups, and a minus sign. */
export function formatNumber(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return tidy(Number(value.toPrecision(3))).toExponential();
  const digits = size >= 1000 ? 0 : Math.max(0, 3 - Math.max(0, Math.floor(Math.log10(size || 1))));
  const text = value.toLocaleString("en-US", { maximumFractionDigits: digits });
  return text === "-0" ? "0" : text.replace("-", "\u2212");
}

/**
 * @typedef {object} Bins intervals of equal width
 * @property {number} low the start of the first
 * @property {number} width
 * @property {number} count
 */

/**
 * Choose intervals that show where most values are: without the outermost half percent at an end with a long
 * tail, but with every number of `shown`.
 *
 * @param {ArrayLike<number>} sorted
 * @param {{shown?: number[], count?: number, integer?: boolean}} [given] `count` is about how many
 * @returns {Bins}
 */
export function chooseBins(sorted, { shown = [], count = 48, integer = false } = {}) {
  let [low, high] = bulk(sorted);
  for (const value of shown) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > 0 && low < 0.25 * high) low = 0;
  if (!(high > low)) [low, high] = [low - (integer ? 1 : 0.5), low + (integer ? 1 : 0.5)];
  const step = niceStep((high - low) / count);
  const width = integer ? Math.max(1, Math.round(step)) : step;
  const start = Math.floor(low / width + 1e-9);
  return { low: tidy(start * width), width, count: Math.floor(high / width + 1e-9) + 1 - start };
}

function bulk(sorted) {
  if (!sorted.length) return [0, 1];
  const [low, high] = [quantile(sorted, 0.005), quantile(sorted, 0.995)];
  const room = Math.max(high - low, 1e-9);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  return [low - first > 0.25 * room ? low : first, last - high > 0.25 * room ? high : last];
}

/** Return the interval of each value; those outside go into the first or the last. */
export function binIndices(values, { low, width, count }) {
  const places = new Int32Array(values.length);
  for (let index = 0; index < places.length; index++) {
    const place = Math.floor((values[index] - low) / width + 1e-9);
    places[index] = place < 0 ? 0 : place >= count ? count - 1 : place;
  }
  return places;
}

/** Tell whether a few bars are so high that the others need a logarithmic scale to be seen. */
export function isSteep(totals) {
  const filled = [...totals].filter((total) => total > 0).sort((a, b) => a - b);
  return filled.length > 2 && filled[filled.length - 1] > 25 * quantile(filled, 0.5);
}

// ---------------------------------------------------------------- histogram

const MARGIN = { top: 8, right: 12, bottom: 27, left: 12 };

/**
 * Make a histogram of stacked bars.
 *
 * A handle is a slider: it can be dragged, and obeys the arrow keys (with Shift by ten steps), Page Up, Page
 * Down, Home and End.
 *
 * @param {object} given
 * @param {string} given.label what the values are, for the readout and for screen readers
 * @param {Array<{name: string, kind: string}>} given.series from the bottom up; a `kind` may end in "-new":
 *   its bars are hatched
 * @param {number} [given.height] in pixels
 * @param {object} [given.handle] `label`, `step`, `oninput(value)`; `onchange(value)` when it is let go
 * @returns {{element: HTMLElement, update: function(object): void}} update takes `bins`, `counts` (an array
 *   for each series), the `value` of the handle, its value `before` if it was another, and a `remark`
 */
export function histogram({ label, series, height = 132, handle = null }) {
  const bars = series.map(({ kind }) => svg("path.bars", { data: { kind }, fill: fillOf(kind) }));
  const axis = svg("g.axis");
  const hover = svg("rect.hover", {
    y: MARGIN.top,
    height: height - MARGIN.top - MARGIN.bottom,
    hidden: true,
  });
  const old = svg("path.before");
  const grip = handle && makeGrip(handle, height);
  const picture = svg(
    "svg",
    { height, role: "group", "aria-label": label },
    hover,
    bars,
    old,
    axis,
    grip?.element,
  );
  const readout = el("p.readout.small.number");
  const element = el("div.chart.histogram", {}, picture, readout);
  let state = null;
  let width = 0;
  let drawn = {}; // what the axis shows

  const across = (value) => MARGIN.left + plot() * share(state.bins, value);
  const plot = () => width - MARGIN.left - MARGIN.right;
  const valueAt = (x) => state.bins.low + ((x - MARGIN.left) / plot()) * state.bins.count * state.bins.width;

  function draw() {
    if (!state || !width) return;
    const { bins, counts, value, before } = state;
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const totals = sumOf(counts, bins.count);
    const steep = isSteep(totals);
    stack(counts, totals, steep).forEach((path, index) => bars[index].setAttribute("d", path));
    if (drawn.bins !== bins || drawn.width !== width) {
      const numbers = ticks(bins.low, bins.low + bins.count * bins.width, Math.max(2, plot() / 70));
      drawAxis(axis, numbers, across, height);
      drawn = { bins, width };
    }
    const place = before === undefined ? "" : `M${across(before)} ${MARGIN.top}V${height - MARGIN.bottom}`;
    old.setAttribute("d", place);
    grip?.place(across(value), value, bins);
    element.dataset.scale = steep ? "log" : "linear";
    rest();
  }

  function stack(counts, totals, steep) {
    const room = height - MARGIN.top - MARGIN.bottom;
    const scale = steep ? Math.log1p : (each) => each;
    const most = scale(Math.max(1, ...totals));
    const step = plot() / totals.length;
    const gap = step > 4 ? 1 : 0;
    const tops = new Float64Array(totals.length).fill(height - MARGIN.bottom);
    return counts.map((each) => {
      const path = [];
      for (let index = 0; index < totals.length; index++) {
        if (!each[index]) continue;
        const full = Math.max(1.5, (room * scale(totals[index])) / most);
        const tall = (full * each[index]) / totals[index];
        tops[index] -= tall;
        const place = `${(MARGIN.left + index * step).toFixed(2)} ${tops[index].toFixed(2)}`;
        path.push(`M${place}h${(step - gap).toFixed(2)}v${tall.toFixed(2)}h${(gap - step).toFixed(2)}z`);
      }
      return path.join("");
    });
  }

  function rest() {
    hover.setAttribute("hidden", "");
    const log = element.dataset.scale === "log" ? "bars on a logarithmic scale" : "";
    readout.textContent = [state.remark, log].filter(Boolean).join("; ");
  }

  function read(event) {
    if (!state) return;
    const { bins, counts } = state;
    const index = Math.floor(((localX(picture, event) - MARGIN.left) / plot()) * bins.count);
    if (index < 0 || index >= bins.count) return rest();
    const start = bins.low + index * bins.width;
    const told = series.map(
      ({ name }, each) => counts[each][index] && `${formatNumber(counts[each][index])} ${name}`,
    );
    const range = `${formatNumber(start)} to ${formatNumber(start + bins.width)}`;
    readout.textContent = `${range}: ${told.filter(Boolean).join(", ") || "none"}`;
    hover.removeAttribute("hidden");
    hover.setAttribute("x", MARGIN.left + (plot() * index) / bins.count);
    hover.setAttribute("width", plot() / bins.count);
  }

  picture.addEventListener("pointermove", read);
  picture.addEventListener("pointerleave", () => state && rest());
  grip?.listen(picture, valueAt, () => state.bins);
  watchWidth(picture, (now) => {
    width = now;
    draw();
  });
  return {
    element,
    update(given) {
      state = { ...state, ...given };
      draw();
    },
  };
}

const share = (bins, value) => Math.min(1, Math.max(0, (value - bins.low) / (bins.count * bins.width)));

function sumOf(counts, length) {
  const totals = new Float64Array(length);
  for (const each of counts) for (let index = 0; index < length; index++) totals[index] += each[index];
  return totals;
}

function drawAxis(axis, numbers, across, height) {
  const base = height - MARGIN.bottom;
  const marks = numbers.map((value) => svg("path", { d: `M${across(value)} ${base}v4` }));
  const names = numbers.map((value) => svg("text", { x: across(value), y: height - 5 }, formatNumber(value)));
  replace(axis, svg("path", { d: `M${MARGIN.left} ${base}H${across(Infinity)}` }), marks, names);
}

function localX(picture, event) {
  return event.clientX - picture.getBoundingClientRect().left;
}

/** Call `told` with the width of an element, in pixels, now and whenever it changes. */
function watchWidth(element, told) {
  new ResizeObserver(([{ contentRect }]) => contentRect.width && told(contentRect.width)).observe(element);
}

// ---------------------------------------------------------------- handle

/** Return the value that a key asks of a slider, or null if the key is not one of a slider. */
export function sliderKey({ key, shiftKey }, value, { step, low, high }) {
  if (key === "Home") return low;
  if (key === "End") return high;
  const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[key];
  if (by === undefined) return null;
  return snap(value + by * step * (shiftKey && Math.abs(by) === 1 ? 10 : 1), { step, low, high });
}

/** Return the multiple of `step` that is nearest to a value, or the end of [low, high] that is. */
export function snap(value, { step, low, high }) {
  return Math.min(high, Math.max(low, tidy(Math.round(value / step) * step)));
}

function makeGrip({ label, step, low = -Infinity, high = Infinity, oninput, onchange }, height) {
  const line = svg("path.line", { d: `M0 ${MARGIN.top - 4}V${height - MARGIN.bottom}` });
  const area = svg("rect.area", { x: -16, y: 0, width: 32, height: height - MARGIN.bottom + 6 });
  const knob = svg("path.knob", {
    d: `M0 ${height - MARGIN.bottom - 7}l6 6v6a2 2 0 0 1 -2 2h-8a2 2 0 0 1 -2 -2v-6z`,
  });
  const element = svg("g.grip", { role: "slider", tabindex: "0", "aria-label": label }, area, line, knob);
  let current = 0;

  function bounds(bins) {
    const end = bins.low + bins.count * bins.width;
    return {
      step: step ?? niceStep(bins.width / 10),
      low: Math.max(low, bins.low),
      high: Math.min(high, end),
    };
  }

  return {
    element,
    place(x, value, bins) {
      const range = bounds(bins);
      current = value;
      element.setAttribute("transform", `translate(${x.toFixed(2)} 0)`);
      element.setAttribute("aria-valuemin", tidy(range.low));
      element.setAttribute("aria-valuemax", tidy(range.high));
      element.setAttribute("aria-valuenow", tidy(value));
      element.setAttribute("aria-valuetext", formatNumber(value));
    },
    listen(picture, valueAt, bins) {
      let held = 0;
      const moveTo = (value) => {
        if (value === current) return;
        current = value;
        oninput(value);
      };
      element.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        held = localX(picture, event) - element.transform.baseVal.consolidate().matrix.e;
        element.setPointerCapture(event.pointerId);
        element.focus({ preventScroll: true });
        event.preventDefault();
      });
      element.addEventListener("pointermove", (event) => {
        if (!element.hasPointerCapture(event.pointerId)) return;
        moveTo(snap(valueAt(localX(picture, event) - held), bounds(bins())));
      });
      element.addEventListener("lostpointercapture", () => onchange?.(current));
      element.addEventListener("keydown", (event) => {
        const value = sliderKey(event, current, bounds(bins()));
        if (value === null) return;
        event.preventDefault();
        moveTo(value);
        onchange?.(current);
      });
    },
  };
}

// ---------------------------------------------------------------- hatching

const HATCHED = ["a", "b", "c", "d", "e", "f"];

function fillOf(kind) {
  if (!kind.endsWith("-new")) return null;
  addHatches();
  return `url(#hatch-${kind[0]})`;
}

/** Put the patterns of hatched bars into the page, once; a style sheet cannot name them. */
function addHatches() {
  if (document.getElementById("hatches")) return;
  const patterns = HATCHED.map((kind) =>
    svg(
      "pattern",
      {
        id: `hatch-${kind}`,
        width: 5,
        height: 5,
        patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)",
      },
      svg("rect.pale", { width: 5, height: 5, data: { kind } }),
      svg("rect", { width: 2.2, height: 5, data: { kind } }),
    ),
  );
  document.body.append(
    svg("svg.hatches", { id: "hatches", width: 0, height: 0, "aria-hidden": "true" }, patterns),
  );
}

/** Make a legend for the series of a chart. */
export function legend(series) {
  const marks = series.map(({ name, kind }) => {
    const square = svg("rect", { width: 12, height: 12, rx: 2, data: { kind }, fill: fillOf(kind) });
    return el("li", {}, svg("svg.mark", { width: 12, height: 12, "aria-hidden": "true" }, square), name);
  });
  return el("ul.legend.small", {}, marks);
}

// ---------------------------------------------------------------- waterfall

/**
 * Make a waterfall: totals, and between them the steps that lead from one to the next.
 *
 * @returns {{element: HTMLElement, update: function(Array<object>): void}} a row has a `label`, the `count`
 *   of a total or, signed, of a step (`step: true`), the count `before` if it was another, and a `note`
 */
export function waterfall() {
  const element = el("ol.chart.waterfall");
  return { element, update: (rows) => replace(element, placeRows(rows).map(waterfallRow)) };
}

/** Give each row of a waterfall the place of its bar: `start` and `end`, shares of the largest total. */
export function placeRows(rows) {
  let level = 0;
  const spans = rows.map(({ count, step }) => {
    const span = step ? [Math.min(level, level + count), Math.max(level, level + count)] : [0, count];
    level = step ? level + count : count;
    return span;
  });
  const most = Math.max(1e-9, ...spans.map(([, end]) => end));
  return rows.map((row, index) => ({ ...row, start: spans[index][0] / most, end: spans[index][1] / most }));
}

function waterfallRow({ label, count, step = false, before = count, note = "", start, end }) {
  const bar = el("span.span", { css: { "--start": start, "--size": end - start } });
  return el(
    "li",
    { data: { kind: step ? (count < 0 ? "loss" : "gain") : "total", changed: count !== before } },
    el("span.name", {}, label),
    el("span.track", { "aria-hidden": "true" }, count ? bar : null),
    el("span.count.number", {}, step && count > 0 ? "+" : "", formatNumber(count)),
    el("span.change.number", {}, count === before ? note : `was ${formatNumber(before)}`),
  );
}

// ---------------------------------------------------------------- curves

const CURVE_MARGIN = { top: 10, right: 14, bottom: 36, left: 52 };

/**
 * Draw curves over each other.
 *
 * @param {object} given
 * @param {Array<{name: string, points: Array<[number, number]>, kind?: string}>} given.series points from
 *   left to right; those that are not finite interrupt the curve
 * @param {string} given.label what the chart shows, for screen readers
 * @param {string} [given.across] the name of the axis from left to right
 * @param {string} [given.up] the name of the upward axis
 * @param {number} [given.height] in pixels
 * @returns {HTMLElement}
 */
export function curves({ series, label, across = "", up = "", height = 240 }) {
  const named = series.map((each, index) => ({ kind: HATCHED[index % HATCHED.length], ...each }));
  const picture = svg("svg", { height, role: "img", "aria-label": label });
  const readout = el("p.readout.small.number", { "aria-hidden": "true" });
  const [xs, ys] = [0, 1].map((axis) =>
    extent(named.flatMap(({ points }) => points.map((point) => point[axis]))),
  );
  let width = 0;
  const { top, right, bottom, left } = CURVE_MARGIN;
  const x = (value) => left + ((value - xs[0]) / (xs[1] - xs[0])) * (width - left - right);
  const y = (value) => height - bottom - ((value - ys[0]) / (ys[1] - ys[0])) * (height - top - bottom);

  function draw() {
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const rows = ticks(...ys, 5).map((value) => [
      svg("path.grid", { d: `M${left} ${y(value)}H${width - right}` }),
      svg("text.end", { x: left - 8, y: y(value) + 4 }, formatNumber(value)),
    ]);
    const columns = ticks(...xs, Math.max(2, width / 90)).map((value) => [
      svg("path.grid", { d: `M${x(value)} ${height - bottom}v4` }),
      svg("text", { x: x(value), y: height - bottom + 16 }, formatNumber(value)),
    ]);
    const names = [
      svg("text.name", { x: (left + width - right) / 2, y: height - 3 }, across),
      svg("text.name", { transform: `translate(11 ${(top + height - bottom) / 2}) rotate(-90)` }, up),
    ];
    const lines = named.map(({ points, kind }) =>
      svg("path.curve", { d: tracePath(points, x, y), data: { kind } }),
    );
    replace(picture, svg("g.axis", {}, rows, columns, names), lines);
  }

  picture.addEventListener("pointermove", (event) => {
    const value = xs[0] + ((localX(picture, event) - left) / (width - left - right)) * (xs[1] - xs[0]);
    const told = named.map(({ name, points }) => [name, nearest(points, value)]).filter(([, point]) => point);
    if (!told.length) return;
    const heights = told.map(([name, point]) => `${name} ${formatNumber(point[1])}`).join(", ");
    readout.textContent = `${across} ${formatNumber(told[0][1][0])}: ${heights}`;
  });
  picture.addEventListener("pointerleave", () => (readout.textContent = ""));
  watchWidth(picture, (now) => {
    width = now;
    draw();
  });
  return el("figure.chart.curves", {}, named.length > 1 ? legend(named) : null, picture, readout);
}

/** Return the smallest and the largest of the finite values, never the same. */
export function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** Write the path of a curve. */
export function tracePath(points, x, y) {
  let pen = "M";
  const path = [];
  for (const [across, up] of points) {
    if (!Number.isFinite(across) || !Number.isFinite(up)) {
      pen = "M";
      continue;
    }
    path.push(`${pen}${x(across).toFixed(1)} ${y(up).toFixed(1)}`);
    pen = "L";
  }
  return path.join("");
}

function nearest(points, value) {
  const finite = points.filter(([across, up]) => Number.isFinite(across) && Number.isFinite(up));
  const distance = ([across]) => Math.abs(across - value);
  return finite.reduce((best, each) => (!best || distance(each) < distance(best) ? each : best), null);
}
