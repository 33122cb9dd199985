/**
 * What clean decides about pictures, from their scores: as operators/limits.py and run/process.py do it.
 *
 * @typedef {object} Rule a bound on a score, as GET /api/limits tells it
 * @property {string} reason
 * @property {string} limit the parameter
 * @property {boolean} least whether the score must be at least the limit, or else at most
 * @property {string} score
 *
 * @typedef {object} Pictures
 * @property {string[]} keys in the order in which clean reads them
 * @property {Map<string, number>} places of the keys
 * @property {Object<string, Float64Array>} scores by name
 * @property {Int32Array} twins a number that pictures with equal pixels share; -1 for a picture without such
 * @property {Uint8Array} kept 1 for the pictures that the dataset has now
 */

/** Make typed arrays of the lists in the answer to GET /api/limits. */
export function readPictures({ keys, scores, twins, kept }) {
  const places = new Map(keys.map((key, index) => [key, index]));
  const arrays = Object.entries(scores).map(([name, values]) => [name, Float64Array.from(values)]);
  return {
    keys,
    places,
    scores: Object.fromEntries(arrays),
    twins: Int32Array.from(twins),
    kept: Uint8Array.from(kept),
  };
}

export const KEPT = 0; // the other verdicts are the number of the first rule that a picture breaks, from 1
export const droppedBy = (rules) => rules.length + 1;
export const duplicateBy = (rules) => rules.length + 2;

/**
 * Return the verdict on each picture.
 *
 * @param {Pictures} pictures
 * @param {Rule[]} rules in order: the first that a picture breaks is its verdict
 * @param {Object<string, number>} limits by the name of the parameter
 * @param {{keep: Object<string, string>, drop: Object<string, string>}} choices reasons by key
 * @returns {Uint8Array}
 */
export function judge(pictures, rules, limits, { keep, drop }) {
  const verdicts = new Uint8Array(pictures.keys.length);
  for (let number = rules.length; number >= 1; number--) {
    const { score, limit, least } = rules[number - 1];
    markBroken(verdicts, pictures.scores[score], limits[limit], least, number);
  }
  setListed(verdicts, pictures.places, keep, KEPT);
  setListed(verdicts, pictures.places, drop, droppedBy(rules));
  markDuplicates(verdicts, pictures.twins, duplicateBy(rules));
  return verdicts;
}

/** Tell whether a score breaks a rule with this limit; a score on the limit does not. */
export function isBroken({ least }, value, limit) {
  return least ? value < limit : value > limit;
}

function markBroken(verdicts, values, limit, least, number) {
  if (least) {
    for (let index = 0; index < values.length; index++) if (values[index] < limit) verdicts[index] = number;
  } else {
    for (let index = 0; index < values.length; index++) if (values[index] > limit) verdicts[index] = number;
  }
}

function setListed(verdicts, places, list, verdict) {
  for (const key of Object.keys(list)) {
    const index = places.get(key);
    if (index !== undefined) verdicts[index] = verdict;
  }
}

/** Of the pictures left with equal pixels, keep the first. */
function markDuplicates(verdicts, twins, verdict) {
  const seen = new Set();
  for (let index = 0; index < twins.length; index++) {
    if (twins[index] < 0 || verdicts[index] !== KEPT) continue;
    if (seen.has(twins[index])) verdicts[index] = verdict;
    seen.add(twins[index]);
  }
}

/**
 * Count pictures by reason, in the order of the rules.
 *
 * @param {Uint8Array} verdicts
 * @param {Rule[]} rules
 * @param {Object<string, number>} unusable counts of the pictures without scores, by reason
 * @returns {{taken: number, written: number, rejected: Object<string, number>}}
 */
export function countReasons(verdicts, rules, unusable) {
  const counts = new Uint32Array(rules.length + 3);
  for (let index = 0; index < verdicts.length; index++) counts[verdicts[index]]++;
  const rejected = { ...unusable };
  const reasons = ["", ...rules.map(({ reason }) => reason), "dropped", "duplicate"];
  for (let verdict = 1; verdict < counts.length; verdict++) {
    if (counts[verdict]) rejected[reasons[verdict]] = (rejected[reasons[verdict]] ?? 0) + counts[verdict];
  }
  const lost = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  return { taken: counts[KEPT] + lost, written: counts[KEPT], rejected };
}

/** Tell whether clean stops, since it rejects all pictures or more than `tolerance` percent. */
export function isTooMany({ taken, written }, tolerance) {
  return !written || 100 * (taken - written) > tolerance * taken;
}

/**
 * Decide about all pictures as clean does with these limits.
 *
 * @param {object} answer to GET /api/limits
 * @param {Object<string, number>} changed limits that differ from params.yaml, by name
 * @param {Pictures} [pictures] those of the answer, if they are at hand
 * @returns {{verdicts: Uint8Array, taken: number, written: number, rejected: Object<string, number>,
 *   stops: boolean}} `stops` if clean ends with an error, since it rejects too many
 */
export function decide(answer, changed, pictures = readPictures(answer)) {
  const { rules, choices, unusable, tolerance } = answer;
  const verdicts = judge(pictures, rules, { ...limitsOf(rules), ...changed }, choices);
  const counts = countReasons(verdicts, rules, unusable);
  return { verdicts, ...counts, stops: isTooMany(counts, tolerance) };
}

/** Return the limits in params.yaml by name. */
export function limitsOf(rules) {
  return Object.fromEntries(rules.map(({ limit, value }) => [limit, value]));
}

// ---------------------------------------------------------------- beside a limit

/**
 * Count the pictures in each interval of a histogram, by what a rule and the other ones do to them.
 *
 * @param {Int32Array} bins the interval of each picture
 * @param {number} count of intervals
 * @returns {Uint32Array[]} kept before and now, newly kept, rejected by this rule before and now, newly
 *   rejected by it, and rejected for another reason
 */
export function countByFate({ kept }, verdicts, number, bins, count) {
  const counts = new Uint32Array(5 * count);
  for (let index = 0; index < bins.length; index++) {
    const verdict = verdicts[index];
    const fate = verdict === KEPT ? 1 - kept[index] : verdict === number ? 2 + kept[index] : 4;
    counts[fate * count + bins[index]]++;
  }
  return Array.from({ length: 5 }, (_, fate) => counts.slice(fate * count, (fate + 1) * count));
}

/**
 * Find the pictures that are nearest to the limit of a rule, the nearest first: `inside`, those that are kept
 * and fulfil it, and `outside`, those that it rejects.
 *
 * @param {Rule} rule
 * @param {number} number of the rule, from 1 on
 * @param {Float64Array} values of its score
 * @param {number} limit
 * @param {number} most pictures on either side
 * @returns {{inside: number[], outside: number[]}} their places
 */
export function nearestTo(verdicts, { least }, number, values, limit, most) {
  const [inside, outside] = [new Nearest(most), new Nearest(most)];
  for (let index = 0; index < values.length; index++) {
    const room = least ? values[index] - limit : limit - values[index];
    if (verdicts[index] === KEPT && room >= 0) {
      if (room < inside.bound) inside.offer(index, room);
    } else if (verdicts[index] === number && -room < outside.bound) {
      outside.offer(index, -room);
    }
  }
  return { inside: inside.places, outside: outside.places };
}

/** The places with the smallest distances; `bound` is what a further one must be below. */
class Nearest {
  constructor(most) {
    this.most = most;
    this.places = [];
    this.distances = [];
    this.bound = Infinity;
  }

  offer(place, distance) {
    let rank = this.places.length;
    while (rank > 0 && this.distances[rank - 1] > distance) rank--;
    this.places.splice(rank, 0, place);
    this.distances.splice(rank, 0, distance);
    if (this.places.length > this.most) this.places.length = this.distances.length = this.most;
    if (this.places.length === this.most) this.bound = this.distances[this.most - 1];
  }
}

/** List the pictures that would enter the dataset, and those that would leave it. */
export function changes({ kept }, verdicts) {
  const [enter, leave] = [[], []];
  for (let index = 0; index < kept.length; index++) {
    if ((verdicts[index] === KEPT) === Boolean(kept[index])) continue;
    (kept[index] ? leave : enter).push(index);
  }
  return { enter, leave };
}

/**
 * List the steps from what search found to what pack packs, for a waterfall.
 *
 * @param {object} answer to GET /api/limits, whose `flow` counts before and after clean, and at its last run
 * @param {object} decision of `decide`
 * @returns {Array<{label: string, count: number, before: number, step: boolean}>} losses are below zero
 */
export function listSteps({ flow, rules, unusable }, { taken, written, rejected }) {
  const total = (label, count, before = count) => ({ label, count, before, step: false });
  const losses = (names, now, before) =>
    names
      .filter((name) => now[name] || before[name])
      .map((name) => ({ label: name, count: -(now[name] ?? 0), before: -(before[name] ?? 0), step: true }));
  const lostBefore = (counts) => losses(Object.keys(counts), counts, counts);
  const found = [];
  if (flow.posts !== null) {
    const skipped = Object.values(flow.skipped).reduce((sum, count) => sum + count, 0);
    found.push(total("found by search", flow.posts + skipped), ...lostBefore(flow.skipped));
    found.push(total("posts taken", flow.posts), ...lostBefore(flow.missing));
  }
  const reasons = [...Object.keys(unusable), ...rules.map(({ reason }) => reason), "dropped", "duplicate"];
  return [
    ...found,
    total("pictures fetched", taken),
    ...losses(reasons, rejected, flow.rejected),
    total("kept by clean", written, flow.cleaned),
    ...(flow.packed === null ? [] : [total("packed", written, flow.packed)]),
  ];
}
