/** The linked pairs of samples of /api/twins, chosen and counted for any radius of pack.near. */

/** The distance of hashes of which one is unknown. */
export const FAR = 255;
/** The kinds of links, with their names for people. */
export const KINDS = { family: "family", pixels: "equal pixels", colors: "near colors", lines: "near lines" };
/** The kinds of which a pair has a distance. */
export const HASHES = ["colors", "lines"];

/** Tell whether one of the chosen kinds links a pair at a radius. */
export function isLinked(pairs, pair, radius, chosen) {
  for (const kind of chosen) {
    if (HASHES.includes(kind) ? pairs[kind][pair] <= radius : pairs[kind][pair] === 1) return true;
  }
  return false;
}

/** Return the smallest distance of a pair by the chosen kinds; 0 for equal pixels, FAR if none has one. */
export function nearestOf(pairs, pair, chosen) {
  if (chosen.has("pixels") && pairs.pixels[pair]) return 0;
  return Math.min(FAR, ...HASHES.filter((kind) => chosen.has(kind)).map((kind) => pairs[kind][pair]));
}

/**
 * Choose the pairs to show, in their order.
 *
 * @param {object} twins the answer of /api/twins
 * @param {{radius: number, kinds: Iterable<string>, show: string}} given `show` is linked, torn,
 *   leaks or outside
 * @returns {number[]} pairs: the weakest links first; of those outside, the nearest first
 */
export function choosePairs({ pairs, now, alone }, { radius, kinds, show }) {
  const [all, chosen] = [new Set(Object.keys(KINDS)), new Set(kinds)];
  const found = [];
  for (let pair = 0; pair < pairs.left.length; pair += 1) {
    const [left, right] = [pairs.left[pair], pairs.right[pair]];
    const outside = !isLinked(pairs, pair, radius, show === "outside" ? all : chosen);
    if (outside !== (show === "outside")) continue;
    if (show === "torn" && alone[left] === alone[right]) continue;
    if (show === "leaks" && now[left] === now[right]) continue;
    const nearest = nearestOf(pairs, pair, chosen);
    if (show !== "outside" || nearest < FAR) found.push({ pair, nearest });
  }
  const direction = show === "outside" ? 1 : -1;
  return found
    .sort((one, other) => direction * (one.nearest - other.nearest) || one.pair - other.pair)
    .map(({ pair }) => pair);
}

/** Return the number of pairs at each distance, from counts of those up to it. */
export function atDistance(counts) {
  return counts.map((count, radius) => count - (radius ? counts[radius - 1] : 0));
}
