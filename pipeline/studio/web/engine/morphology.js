/**
 * Windows, distances, components and floods on maps of (height, width), as OpenCV and scikit-image compute them.
 */

import { makeImage } from "./image.js";

/** Take the largest of `reach` by `reach` levels around each, an odd number; outside of the picture is nothing. */
export function dilate(gray, reach) {
  const { height, width } = gray;
  const before = (reach - 1) / 2;
  const across = slide(gray.data, height, width, 1, reach, before);
  return makeImage(height, width, 1, slide(across, 1, height, width, reach, before));
}

/** Take the smallest of `reach` by `reach` levels around each. */
export function erode(gray, reach) {
  return invert(dilate(invert(gray), reach));
}

/** Fill what is darker than its surroundings and narrower than `reach`. */
export function close(gray, reach) {
  return erode(dilate(gray, reach), reach);
}

function invert(gray) {
  return makeImage(gray.height, gray.width, 1, gray.data.map((level) => 255 - level));
}

/**
 * Take the largest of `reach` levels along the middle axis of (outer, length, inner), from `before` places before
 * each: by maxima from the ends of blocks of `reach` (van Herk 1992; Gil and Werman 1993), in a time that does not
 * depend on `reach`.
 */
function slide(levels, outer, length, inner, reach, before) {
  const long = length + reach - 1;
  const made = new Uint8Array(levels.length);
  const forward = new Uint8Array(long * inner);
  const backward = new Uint8Array(long * inner);
  for (let o = 0; o < outer; o++) {
    const base = o * length * inner;
    const padded = (place) => base + (place - before) * inner;
    for (let p = 0; p < long; p++) {
      const inside = p >= before && p < before + length;
      const from = padded(p);
      const starts = p % reach === 0;
      for (let k = 0, at = p * inner; k < inner; k++, at++) {
        const level = inside ? levels[from + k] : 0;
        forward[at] = starts || level > forward[at - inner] ? level : forward[at - inner];
      }
    }
    for (let p = long - 1; p >= 0; p--) {
      const inside = p >= before && p < before + length;
      const from = padded(p);
      const ends = p === long - 1 || p % reach === reach - 1;
      for (let k = 0, at = p * inner; k < inner; k++, at++) {
        const level = inside ? levels[from + k] : 0;
        backward[at] = ends || level > backward[at + inner] ? level : backward[at + inner];
      }
    }
    const ahead = (reach - 1) * inner;
    for (let k = 0; k < length * inner; k++) {
      made[base + k] = backward[k] > forward[k + ahead] ? backward[k] : forward[k + ahead];
    }
  }
  return made;
}

/** Tell for each pixel whether all numbers of the 3 by 3 around it are equal: Uint8Array of 0 and 1. */
export function findEven(numbers, height, width) {
  const across = new Uint8Array(numbers.length);
  const even = new Uint8Array(numbers.length);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const left = x === 0 || numbers[at - 1] === numbers[at];
      across[at] = left && (x === width - 1 || numbers[at + 1] === numbers[at]) ? 1 : 0;
    }
  }
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      if (!across[at]) continue;
      const above = y === 0 || (across[at - width] && numbers[at - width] === numbers[at]);
      if (above && (y === height - 1 || (across[at + width] && numbers[at + width] === numbers[at]))) even[at] = 1;
    }
  }
  return even;
}

/**
 * Measure how far each pixel that is not 0 is from the next 0, and from the border, in pixels: Float32Array.
 * Exact (Meijster, Roerdink and Hesselink, A general algorithm for computing distance transforms, 2000).
 */
export function distanceTransform(free, height, width) {
  const down = columnDistances(free, height, width);
  const made = new Float32Array(height * width);
  const wide = width + 2; // one column of the frame on each side
  const squares = new Int32Array(wide);
  const sites = new Int32Array(wide);
  const starts = new Int32Array(wide);
  for (let y = 0; y < height; y++) {
    const row = y * width - 1;
    for (let x = 1; x <= width; x++) squares[x] = down[row + x] * down[row + x];
    let last = 0;
    sites[0] = starts[0] = 0;
    for (let x = 1; x < wide; x++) {
      while (last >= 0) {
        const site = sites[last];
        const there = (starts[last] - site) * (starts[last] - site) + squares[site];
        if (there <= (starts[last] - x) * (starts[last] - x) + squares[x]) break;
        last--;
      }
      if (last < 0) {
        last = 0;
        sites[0] = x;
        starts[0] = 0;
        continue;
      }
      const site = sites[last];
      const meet = 1 + Math.floor((x * x - site * site + squares[x] - squares[site]) / (2 * (x - site)));
      if (meet < wide) {
        last++;
        sites[last] = x;
        starts[last] = meet;
      }
    }
    for (let x = wide - 1; x > 0; x--) {
      const site = sites[last];
      if (x <= width) made[row + x] = Math.sqrt((x - site) * (x - site) + squares[site]);
      if (x === starts[last]) last--;
    }
  }
  return made;
}

/** Measure how far the next 0, or the border, is above or below each pixel: Int32Array. */
function columnDistances(free, height, width) {
  const down = new Int32Array(height * width);
  for (let at = 0; at < down.length; at++) {
    if (free[at]) down[at] = 1 + (at < width ? 0 : down[at - width]);
  }
  for (let at = down.length - 1; at >= 0; at--) {
    const below = 1 + (at + width < down.length ? down[at + width] : 0);
    if (below < down[at]) down[at] = below;
  }
  return down;
}

/**
 * Number the connected parts of equal values other than 0, from 1, in the order of their first pixels: Int32Array.
 * With `diagonal`, pixels that touch by a corner are connected.
 */
export function label(values, height, width, diagonal = false) {
  const made = new Int32Array(values.length);
  const parents = [0];
  const find = (number) => {
    while (parents[number] !== number) number = parents[number] = parents[parents[number]];
    return number;
  };
  const unite = (one, other) => {
    one = find(one);
    other = find(other);
    if (one < other) parents[other] = one;
    else parents[one] = other;
  };
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = values[at];
      if (!value) continue;
      let number = x && values[at - 1] === value ? made[at - 1] : 0;
      if (y) {
        const above = at - width;
        if (values[above] === value) {
          if (!number) number = made[above];
          else if (number !== made[above]) unite(number, made[above]);
        } else if (diagonal) { // else the one above is connected with both
          if (x && values[above - 1] === value) {
            if (!number) number = made[above - 1];
            else if (number !== made[above - 1]) unite(number, made[above - 1]);
          }
          if (x < width - 1 && values[above + 1] === value) {
            if (!number) number = made[above + 1];
            else if (number !== made[above + 1]) unite(number, made[above + 1]);
          }
        }
      }
      if (!number) {
        number = parents.length;
        parents.push(number);
      }
      made[at] = number;
    }
  }
  let count = 0;
  const numbers = new Int32Array(parents.length);
  for (let number = 1; number < parents.length; number++) {
    numbers[number] = parents[number] === number ? ++count : numbers[find(number)];
  }
  for (let at = 0; at < made.length; at++) made[at] = numbers[made[at]];
  return made;
}

/**
 * Flood a map of heights from markers: the lowest pixels beside what is flooded come first, of equal ones those
 * that were reached first. Int32Array, 0 where no flood comes, such as outside of `mask`.
 *
 * The same pixels in the same order as skimage.segmentation.watershed. Markers of equal height are equal to its
 * binary heap, which takes them out in an order of its own. So this is that heap, step by step.
 */
export function watershed(heights, markers, height, width, mask = null) {
  const wide = width + 2;
  const size = wide * (height + 2);
  const flooded = new Int32Array(size).fill(-1); // outside
  let dry = 0;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, to = (y + 1) * wide + 1; x < width; x++, at++, to++) {
      if (mask && !mask[at]) continue;
      flooded[to] = markers[at];
      if (!markers[at]) dry++;
    }
  }
  const level = (place) => heights[(Math.floor(place / wide) - 1) * width + (place % wide) - 1];
  const keys = new Float64Array(size);
  const places = new Int32Array(size);
  let count = 0;
  const push = (key, place) => {
    let child = count++;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (key >= keys[parent]) break;
      keys[child] = keys[parent];
      places[child] = places[parent];
      child = parent;
    }
    keys[child] = key;
    places[child] = place;
  };
  const pop = () => {
    const first = places[0];
    count--;
    const key = keys[count];
    const place = places[count];
    let hole = 0;
    for (;;) {
      const left = 2 * hole + 1;
      if (left >= count) break;
      const right = left + 1;
      let least = hole;
      let lowest = key;
      if (keys[left] < lowest) {
        least = left;
        lowest = keys[left];
      }
      if (right < count && keys[right] < lowest) least = right;
      if (least === hole) break;
      keys[hole] = keys[least];
      places[hole] = places[least];
      hole = least;
    }
    keys[hole] = key;
    places[hole] = place;
    return first;
  };
  if (dry) {
    for (let place = 0; place < size; place++) if (flooded[place] > 0) push(level(place) * AGES, place);
  }
  const around = [-wide, -1, 1, wide];
  let age = 0;
  while (count && dry) {
    const reached = Math.floor(keys[0] / AGES);
    const place = pop();
    for (let k = 0; k < 4; k++) {
      const next = place + around[k];
      if (flooded[next]) continue;
      flooded[next] = flooded[place];
      dry--;
      push(Math.max(level(next), reached) * AGES + ++age, next);
    }
  }
  const made = new Int32Array(height * width);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = (y + 1) * wide + 1; x < width; x++, at++, from++) made[at] = Math.max(0, flooded[from]);
  }
  return made;
}

const AGES = 2 ** 32; // more than pixels
