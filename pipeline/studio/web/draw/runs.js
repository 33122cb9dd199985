/** Pixels packed as run lengths: [count, pixel, count, pixel, ...], for histories and for saved work. */

/** Pack pixels, an array of Uint32 or Uint8. */
export function packRuns(pixels) {
  const packed = [];
  for (let start = 0; start < pixels.length; ) {
    let stop = start + 1;
    while (stop < pixels.length && pixels[stop] === pixels[start]) stop++;
    packed.push(stop - start, pixels[start]);
    start = stop;
  }
  return Uint32Array.from(packed);
}

/** Unpack run lengths into an array of pixels. */
export function unpackRuns(packed, pixels) {
  let start = 0;
  for (let k = 0; k < packed.length; k += 2) {
    pixels.fill(packed[k + 1], start, start + packed[k]);
    start += packed[k];
  }
  return pixels;
}
