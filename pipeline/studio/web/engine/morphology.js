/** Windows, distances, components and floods, as OpenCV and scikit-image have them. */

import { makeImage } from "./image.js";

/** Take the largest of `reach` by `reach` levels around each pixel of a gray image; `reach` is odd. */
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
 * Take the largest of `reach` levels along the middle axis of (outer, length, inner), from `before` places
 * before each. Maxima from both ends of blocks of `reach` give it in a time that does not depend on `reach`
 * (van Herk, A fast algorithm for local minimum and maximum filters, 1992).
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
      const below = y === height - 1 || (across[at + width] && numbers[at + width] === numbers[at]);
      if (above && below) even[at] = 1;
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
 * Number the connected parts of equal values other than 0, from 1, in the order of their first pixels. With
 * `diagonal`, pixels that touch by a corner are connected.
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
  const join = (number, at, value) => {
    if (values[at] !== value) return number;
    if (number && number !== made[at]) unite(number, made[at]);
    return number || made[at];
  };
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const value = values[at];
      if (!value) continue;
      let number = x ? join(0, at - 1, value) : 0;
      if (y) {
        number = join(number, at - width, value);
        if (diagonal && x) number = join(number, at - width - 1, value);
        if (diagonal && x < width - 1) number = join(number, at - width + 1, value);
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
 * Flood heights, Uint16, from markers, Int32, where `free`: of equal heights first what was reached first.
 * Markers of equal height start by rows. Return Int32, 0 where no flood comes. `flood` of flats.py is the
 * same.
 *
 * Floods never fall: what lies lower than what it is reached from comes at the same time. So each height has
 * a queue, and so has the marker that just started, for what lies below it.
 */
export function flood(heights, markers, height, width, free = null) {
  const { levels, flooded, shore, dry, most } = embank(heights, markers, height, width, free);
  const wide = width + 2;
  const around = Int32Array.of(-wide, -1, 1, wide);
  const follower = new Int32Array(levels.length); // in the queue of a place; 0 is the border: none
  const first = new Int32Array(most + 1);
  const last = new Int32Array(most + 1);
  const starts = sortByLevel(shore, levels, most);
  let left = dry;
  let head = 0; // of the queue of places at the time of a marker
  let tail = 0;
  const spread = (place, level, early) => {
    const number = flooded[place];
    for (let k = 0; k < 4; k++) {
      const next = place + around[k];
      if (flooded[next]) continue;
      flooded[next] = number;
      left--;
      const own = levels[next];
      if (early && own < level) {
        if (head) follower[tail] = next;
        else head = next;
        tail = next;
        continue;
      }
      const at = own > level ? own : level;
      if (first[at]) follower[last[at]] = next;
      else first[at] = next;
      last[at] = next;
    }
  };
  for (let level = 0, start = 0; level <= most && left; level++) {
    for (; start < starts.length && levels[starts[start]] === level; start++) {
      spread(starts[start], level, true);
      for (; head; head = follower[head]) spread(head, level, true);
    }
    for (let place = first[level]; place; place = follower[place]) spread(place, level, false);
  }
  return cut(flooded, height, width);
}

/** Put a border around maps, so that no neighbor is outside; find the markers beside what is dry. */
function embank(heights, markers, height, width, free) {
  const wide = width + 2;
  const levels = new Uint16Array(wide * (height + 2));
  const flooded = new Int32Array(levels.length).fill(-1);
  let dry = 0;
  let most = 0;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, to = (y + 1) * wide + 1; x < width; x++, at++, to++) {
      if (heights[at] > most) most = heights[at];
      levels[to] = heights[at];
      if (markers[at]) flooded[to] = markers[at];
      else if (!free || free[at]) {
        flooded[to] = 0;
        dry++;
      }
    }
  }
  const shore = [];
  for (let at = wide; at < levels.length - wide; at++) {
    if (flooded[at] <= 0) continue;
    if (!flooded[at - 1] || !flooded[at + 1] || !flooded[at - wide] || !flooded[at + wide]) shore.push(at);
  }
  return { levels, flooded, shore, dry, most };
}

/** Sort places by their levels, and those of equal level as they are. */
function sortByLevel(places, levels, most) {
  const ends = new Int32Array(most + 2);
  for (const place of places) ends[levels[place] + 1]++;
  for (let level = 1; level < ends.length; level++) ends[level] += ends[level - 1];
  const sorted = new Int32Array(places.length);
  for (const place of places) sorted[ends[levels[place]]++] = place;
  return sorted;
}

function cut(flooded, height, width) {
  const made = new Int32Array(height * width);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0, from = (y + 1) * (width + 2) + 1; x < width; x++, at++, from++) {
      if (flooded[from] > 0) made[at] = flooded[from];
    }
  }
  return made;
}
