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
 * @property {Uint32Array} broken the rules that each picture breaks, a bit for each: the first is the lowest
 * @property {number[]} judged the limits of the rules with which they break them
 */

/** Make typed arrays of the lists in the answer to GET /api/limits. */
export function readPictures({ keys, scores, twins, kept }) {
  const arrays = Object.entries(scores).map(([name, values]) => [name, Float64Array.from(values)]);
  return {
    keys,
    places: new Map(keys.map((key, index) => [key, index])),
    scores: Object.fromEntries(arrays),
    twins: Int32Array.from(twins),
    kept: Uint8Array.from(kept),
    broken: new Uint32Array(keys.length),
    judged: [],
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
  rules.forEach((rule, index) => judgeRule(pictures, rule, index, limits[rule.limit]));
  const { broken, places, twins } = pictures;
  const verdicts = new Uint8Array(broken.length);
  for (let index = 0; index < broken.length; index++)
    verdicts[index] = 32 - Math.clz32(broken[index] & -broken[index]);
  setListed(verdicts, places, keep, KEPT);
  setListed(verdicts, places, drop, droppedBy(rules));
  markDuplicates(verdicts, twins, duplicateBy(rules));
  return verdicts;
}

/** Tell whether a score breaks a rule with this limit; a score on the limit does not. */
export function isBroken({ least }, value, limit) {
  return least ? value < limit : value > limit;
}

/** Note which pictures break a rule, unless that was done with this limit. */
function judgeRule({ broken, judged, scores }, rule, index, limit) {
  if (judged[index] === limit) return;
  judged[index] = limit;
  const values = scores[rule.score];
  const bit = 1 << index;
  for (let place = 0; place < values.length; place++) {
    if (isBroken(rule, values[place], limit)) broken[place] |= bit;
    else broken[place] &= ~bit;
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
export function countByFate(pictures, verdicts, number, bins, count) {
  const counts = Array.from({ length: 5 }, () => new Uint32Array(count));
  for (let index = 0; index < bins.length; index++) {
    counts[fateOf(verdicts[index], pictures.kept[index], number)][bins[index]]++;
  }
  return counts;
}

const fateOf = (verdict, kept, number) => (verdict === KEPT ? 1 - kept : verdict === number ? 2 + kept : 4);

/** Bring such counts from earlier verdicts up to date; `places` are of the pictures whose verdict changed. */
export function moveFates(counts, { kept }, before, after, number, bins, places) {
  for (const place of places) {
    counts[fateOf(before[place], kept[place], number)][bins[place]]--;
    counts[fateOf(after[place], kept[place], number)][bins[place]]++;
  }
  return counts;
}

/** List the places at which two lists of verdicts differ. */
export function differing(before, after) {
  const places = [];
  for (let place = 0; place < after.length; place++) if (before[place] !== after[place]) places.push(place);
  return places;
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
