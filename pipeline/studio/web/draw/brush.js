/**
 * The shape of a brush: the pixels whose centers it covers, as runs [y, start, stop, y, start, stop, ...].
 * `stop` is behind the last pixel. A run may reach out of the picture.
 */

const LEAST = Math.SQRT1_2; // the radius of a disc that has the center of a pixel in it, wherever it is
const LIGHTEST = 0.2; // share of the radius that is left where the pen has no pressure

/** Return the radius of a brush, in pixels, at a pressure from 0 to 1. */
export function radiusAt(size, pressure) {
  return Math.max(LEAST, (size / 2) * (LIGHTEST + (1 - LIGHTEST) * pressure));
}

/**
 * Sweep a disc from one place to another while its radius changes: {x, y, radius}, in pixels. That covers
 * both discs and what is between their outer tangents, so there is no hole however far they are apart.
 */
export function sweep(from, to) {
  const discs = [from, to].map(({ x, y, radius }) => ({ x, y, radius: Math.max(LEAST, radius) }));
  const edges = tangents(...discs);
  const top = Math.floor(Math.min(...discs.map(({ y, radius }) => y - radius)));
  const bottom = Math.ceil(Math.max(...discs.map(({ y, radius }) => y + radius)));
  const runs = [];
  for (let row = top; row < bottom; row++) {
    const span = [Infinity, -Infinity];
    for (const disc of discs) crossDisc(disc, row + 0.5, span);
    for (const edge of edges) crossEdge(edge, row + 0.5, span);
    const start = Math.ceil(span[0] - 0.5);
    const stop = Math.floor(span[1] - 0.5) + 1;
    if (start < stop) runs.push(row, start, stop);
  }
  return Int32Array.from(runs);
}

/**
 * Return the sides, [x, y, x, y], of what is between the outer tangents of two discs; none if one is inside.
 */
function tangents(one, other) {
  const [across, down] = [other.x - one.x, other.y - one.y];
  const distance = Math.hypot(across, down);
  const narrowing = one.radius - other.radius;
  if (distance <= Math.abs(narrowing)) return [];
  const along = narrowing / distance;
  const aside = Math.sqrt(1 - along * along);
  const touch = (disc, side) => [
    disc.x + (disc.radius * (across * along - side * down * aside)) / distance,
    disc.y + (disc.radius * (down * along + side * across * aside)) / distance,
  ];
  const corners = [touch(one, 1), touch(other, 1), touch(other, -1), touch(one, -1)];
  return corners.map((corner, k) => [...corner, ...corners[(k + 1) % 4]]);
}

function crossDisc({ x, y, radius }, height, span) {
  const half = Math.sqrt(radius * radius - (height - y) * (height - y)); // NaN beside the disc
  if (half >= 0) widen(span, x - half, x + half);
}

function crossEdge([x0, y0, x1, y1], height, span) {
  if (y0 === y1 || height < Math.min(y0, y1) || height > Math.max(y0, y1)) return;
  const x = x0 + ((x1 - x0) * (height - y0)) / (y1 - y0);
  widen(span, x, x);
}

function widen(span, low, high) {
  span[0] = Math.min(span[0], low);
  span[1] = Math.max(span[1], high);
}
