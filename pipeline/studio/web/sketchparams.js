/**
 * The parameters of a sketch, as pipeline/params.py declares them: which ones a method reads, sliders,
 * and the YAML of an entry of `sketches`.
 *
 * @typedef {object} Control a parameter, as GET /api/sketch describes it
 * @property {string} name
 * @property {"choice"|"integer"|"number"} kind
 * @property {string[]} methods those that read it; empty for the pen, which every method uses
 * @property {number|null} low null for no bound
 * @property {number|null} high
 * @property {boolean} odd
 * @property {boolean} range whether LOW..HIGH is allowed, from which each picture gets its own number
 */

const RANGE = /^(.+?)\.\.(.+)$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/; // pack takes no others

/** List the controls of numbers that a sketch reads: of its method if no preset sets them, and of the pen. */
export function readControls(controls, values) {
  const numbers = controls.filter(
    ({ kind, name }) => kind !== "choice" && (name !== "seed" || drawsNumbers(values)),
  );
  const method = values.preset === "none" ? values.method : null;
  return numbers.filter(({ methods }) => !methods.length || methods.includes(method));
}

/** Tell whether the key of the picture decides something: noise, or a number from a range. */
export function drawsNumbers(values) {
  return Boolean(values.noise) || Object.values(values).some(isRange);
}

export function isRange(value) {
  return typeof value === "string" && RANGE.test(value);
}

/**
 * Read what a person types into a control.
 *
 * @returns {{value?: number|string, fault?: string}} a number, a range as text, or a sentence
 */
export function parseValue(control, text) {
  const typed = text.trim();
  const ends =
    control.range && isRange(typed) ? typed.match(RANGE).slice(1).map(parseNumber) : [parseNumber(typed)];
  const ordered = ends.length < 2 || ends[0] <= ends[1];
  if (!ordered || !ends.every((end) => fits(control, end)))
    return { fault: `It must be ${describeRule(control)}.` };
  return { value: ends.length > 1 ? `${ends[0]}..${ends[1]}` : ends[0] };
}

function parseNumber(text) {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text.trim()) ? Number(text) : NaN;
}

function fits({ kind, low, high, odd }, value) {
  if (!Number.isFinite(value) || (kind === "integer" && !Number.isInteger(value))) return false;
  return !(odd && value % 2 === 0) && value >= (low ?? -Infinity) && value <= (high ?? Infinity);
}

/** Say the rule of a control in words, as `describe_rule` does. */
export function describeRule({ kind, low, high, odd, range }) {
  const what = kind === "number" ? "a number" : odd ? "an odd integer" : "an integer";
  let bounds = "";
  if (low !== null && high !== null) bounds = ` from ${low} to ${high}`;
  else if (low !== null) bounds = ` of at least ${low}`;
  else if (high !== null) bounds = ` of at most ${high}`;
  return `${what}${bounds}${range ? ", or a range LOW..HIGH" : ""}`;
}

/**
 * Return the value at a place of a slider, from 0 to 1.
 *
 * Most bounds are far from any useful value, so that the default is in the middle or at an end that it equals,
 * and steps grow with the distance from it.
 */
export function valueAt(control, place) {
  const { default: middle } = control;
  const { low, high, unit, center } = scaleOf(control);
  const up = place >= center;
  const share = up ? (place - center) / (1 - center || 1) : (center - place) / center;
  const span = up ? high - middle : middle - low;
  const value = middle + (up ? 1 : -1) * unit * ((1 + span / unit) ** share - 1);
  return roundFor(control, Math.min(high, Math.max(low, value)));
}

/** Return the place of a value on its slider, from 0 to 1. */
export function placeOf(control, value) {
  const { default: middle } = control;
  const { low, high, unit, center } = scaleOf(control);
  const up = value >= middle;
  const span = up ? high - middle : middle - low;
  const share = span ? Math.log1p(Math.abs(value - middle) / unit) / Math.log1p(span / unit) : 0;
  return up ? center + share * (1 - center) : center - share * center;
}

/** Return the value that an arrow key leads to: the next integer, or a hundredth of the slider further. */
export function nextValue(control, value, steps) {
  const { low, high } = scaleOf(control);
  if (control.kind === "integer") return Math.min(high, Math.max(low, value + steps * (control.odd ? 2 : 1)));
  return valueAt(control, Math.min(1, Math.max(0, placeOf(control, value) + steps / 100)));
}

function scaleOf({ default: middle, low, high, kind }) {
  const bounds = { low: low ?? middle - 1000, high: high ?? middle + 1000 };
  const center = middle <= bounds.low ? 0 : middle >= bounds.high ? 1 : 0.5;
  const unit = Math.abs(middle) / 4 || (kind === "integer" ? 2 : 1);
  return { ...bounds, center, unit };
}

function roundFor({ kind, odd, low }, value) {
  if (kind === "number") return Number(value.toPrecision(3));
  return odd ? 2 * Math.round((value - 1) / 2) + 1 : Math.max(low ?? -Infinity, Math.round(value));
}

/** Replace a preset by its method and parameters, which can then be changed. */
export function openPreset(values, presets) {
  return values.preset === "none" ? values : { ...values, ...presets[values.preset], preset: "none" };
}

/** Return the parameters that a sketch reads; the others have their defaults. */
function readValues(values, controls) {
  const chosen = values.preset === "none" ? ["method", ...readTexts(values)] : ["preset"];
  return pick(values, [...chosen, ...readControls(controls, values).map(({ name }) => name)]);
}

function readTexts(values) {
  return values.method === "learned" ? ["weights", "sha256"].filter((name) => values[name]) : [];
}

function pick(values, names) {
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}

/** Return an entry of `sketches`: all that its method reads, and what of the pen is not as by default. */
export function entryOf(values, controls) {
  const read = readValues(values, controls);
  const left = controls.filter(
    ({ name, kind, methods }) => kind !== "choice" && !methods.length && name in read,
  );
  const same = new Set(
    left.filter((control) => read[control.name] === control.default).map(({ name }) => name),
  );
  return pick(
    read,
    Object.keys(read).filter((name) => !same.has(name)),
  );
}

/** Write an entry of `sketches` as params.yaml has it, below the line `sketches:`. */
export function entryYaml(name, entry, controls) {
  const lines = Object.entries(entry).map(([each, value]) => {
    const control = controls.find((control) => control.name === each);
    return `    ${each}: ${control ? formatValue(control, value) : JSON.stringify(value)}\n`;
  });
  return `  ${name}:\n${lines.join("")}`;
}

/** Write a value as params.yaml has it: 2.0 and 1.0e+9 where fractions are allowed. */
export function formatValue({ kind }, value) {
  if (kind !== "number" || typeof value !== "number") return String(value);
  const plain = Math.abs(value) >= 1e6 ? value.toExponential() : String(value);
  return plain.replace(/^(-?\d+)(?=e|$)/, "$1.0");
}

/** Suggest a name for an entry that is not `taken`: b9 for a blocksize of 9, or else the method. */
export function suggestName(values, taken) {
  const local =
    ["threshold", "mean"].includes(values.method) && values.preset === "none" && !isRange(values.blocksize);
  const stem = local
    ? `b${values.blocksize}`
    : values.preset === "none"
      ? values.method
      : `xdog-${values.preset}`;
  for (let number = 1; ; number++) {
    const name = number === 1 ? stem : `${stem}-${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** Say in a sentence why an entry cannot have a name, or should not; "" if nothing speaks against it. */
export function doubtName(name, values, taken) {
  if (!NAME.test(name)) return "A name is lower-case letters, digits and hyphens.";
  if (taken.includes(name)) return "params.yaml has a sketch of this name.";
  const blocksize = name.match(/^b(\d+)$/)?.[1];
  const local = ["threshold", "mean"].includes(values.method) && values.preset === "none";
  if (blocksize && local && blocksize !== String(values.blocksize))
    return `Its blocksize is ${values.blocksize}.`;
  return "";
}
