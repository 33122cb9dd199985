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
  let nearest = FAR;
  for (const kind of HASHES) if (chosen.has(kind)) nearest = Math.min(nearest, pairs[kind][pair]);
  return nearest;
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
  const found = Array.from({ length: FAR + 1 }, () => []); // by distance
  for (let pair = 0; pair < pairs.left.length; pair += 1) {
    const [left, right] = [pairs.left[pair], pairs.right[pair]];
    const outside = !isLinked(pairs, pair, radius, show === "outside" ? all : chosen);
    if (outside !== (show === "outside")) continue;
    if (show === "torn" && alone[left] === alone[right]) continue;
    if (show === "leaks" && now[left] === now[right]) continue;
    found[nearestOf(pairs, pair, chosen)].push(pair);
  }
  return (show === "outside" ? found.slice(0, FAR) : found.reverse()).flat();
}

/** Return the number of pairs at each distance, from counts of those up to it. */
export function atDistance(counts) {
  return counts.map((count, radius) => count - (radius ? counts[radius - 1] : 0));
}
