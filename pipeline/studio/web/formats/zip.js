/** Zip files whose members are stored as they are, with a fixed time: equal members make equal bytes. */

import { concat, crc32 } from "./png.js";

const TIME = 0; // midnight
const DATE = 0x21; // January 1, 1980, the first that a zip can have
const VERSION = 20; // of the format that is needed to read it
const UTF8 = 0x800; // a flag: names are in UTF-8

/** Pack members, [name, bytes] in their order. */
export function packZip(members) {
  const parts = [];
  const directory = [];
  let start = 0;
  for (const [name, bytes] of members) {
    const path = new TextEncoder().encode(name);
    const sizes = longs(crc32(bytes), bytes.length, bytes.length); // as stored, and unpacked
    const about = [VERSION, UTF8, 0, TIME, DATE, ...sizes, path.length, 0];
    const local = concat([shorts(...longs(0x04034b50), ...about), path]);
    parts.push(local, bytes);
    directory.push(shorts(...longs(0x02014b50), VERSION, ...about, 0, 0, 0, ...longs(0, start)), path);
    start += local.length + bytes.length;
  }
  const listed = concat(directory);
  const count = members.length;
  const end = shorts(...longs(0x06054b50), 0, 0, count, count, ...longs(listed.length, start), 0);
  return concat([...parts, listed, end]);
}

/** Write numbers of 16 bits, the lower byte first. */
function shorts(...numbers) {
  const bytes = new Uint8Array(2 * numbers.length);
  numbers.forEach((number, k) => bytes.set([number & 255, number >> 8], 2 * k));
  return bytes;
}

/** Split numbers of 32 bits into two of 16, the lower first. */
function longs(...numbers) {
  return numbers.flatMap((number) => [number & 0xffff, number >>> 16]);
}
