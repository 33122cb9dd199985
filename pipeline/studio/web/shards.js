/**
 * Reads columns of shards by their index and byte ranges: the mirror of pipeline/shards/tar.py and column.py.
 *
 * The index of 100,000 samples has many megabytes, so a worker reads it (shards-worker.js). It is kept in a few
 * flat arrays, which cost little to hand over.
 *
 * @typedef {object} Index the samples of a column, by row
 * @property {string} keys all keys, each between line ends
 * @property {Uint32Array} keyPlaces where each key begins in `keys`, and where the next would
 * @property {string[]} shards names of the shards
 * @property {Uint32Array} shard the number of each sample's shard
 * @property {Float64Array} offset where each sample begins in its shard, in bytes
 * @property {string[][]} layouts the lists of suffixes that occur
 * @property {Uint32Array} layout the number of each sample's list
 * @property {Uint32Array} sizePlace where the sizes of each sample's members begin in `sizes`
 * @property {Uint32Array} sizes of members, in bytes
 * @property {string} sha256 of the index, as its seal says
 */

const BLOCK = 512; // bytes
const END_OF_TAR = 2 * BLOCK;
const MOST_BYTES = 2 ** 30; // of a member
const HEADER = "key\tshard\toffset\tsha256\tmembers";
const MEMBER_NAME = /^[^./\\\s]+\.[^/\\\s]*[^./\\\s]$/u;
const AGAIN = "run the stage that writes it again";
const WASTE = 2; // one request may read this many times what is wanted of a sample
const TYPES = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  bmp: "image/bmp",
  avif: "image/avif",
  tif: "image/tiff",
  tiff: "image/tiff",
};

/** Return how many bytes of a tar a member of `size` bytes takes, with its header and padding. */
export function memberExtent(size) {
  return BLOCK + Math.ceil(size / BLOCK) * BLOCK;
}

/**
 * Parse the index of a column, and compare it with the seal as `read_rows` does.
 *
 * @param {string} text of index.tsv
 * @param {object} seal the content of seal.json
 * @returns {Index} Throws an Error whose message is a sentence.
 */
export function parseIndex(text, seal) {
  const known = Object.entries(seal.shards).sort(([, one], [, other]) => one.place - other.place);
  const rows = seal.written;
  const index = {
    keys: "\n",
    keyPlaces: new Uint32Array(rows + 1),
    shards: known.map(([name]) => name),
    shard: new Uint32Array(rows),
    offset: new Float64Array(rows),
    layouts: [],
    layout: new Uint32Array(rows),
    sizePlace: new Uint32Array(rows),
    sizes: new Uint32Array(16 * rows + 16),
    sha256: seal.index,
  };
  const reader = { text, place: text.indexOf("\n") + 1, layouts: new Map(), used: 0, row: 0, keys: [] };
  if (text.slice(0, reader.place - 1) !== HEADER)
    throw new Error(`The index of the column has another header: ${AGAIN}.`);
  known.forEach(([name, entry], number) => parseShard(reader, index, number, name, entry));
  if (reader.place !== text.length) throw new Error(`The index lists more samples than the seal: ${AGAIN}.`);
  index.keys += reader.keys.join("\n") + "\n";
  index.sizes = index.sizes.slice(0, reader.used);
  return index;
}

function parseShard(reader, index, number, name, entry) {
  const seen = new Set();
  let end = 0;
  for (let count = 0; count < entry.samples; count += 1) {
    const stop = reader.text.indexOf("\n", reader.place);
    const fields = reader.text.slice(reader.place, Math.max(stop, reader.place)).split("\t");
    const [key, shard, offset, , members] = fields;
    if (fields.length !== 5 || shard !== name || Number(offset) !== end || seen.has(key)) {
      throw new Error(`The index does not fit ${name} (sample ${key || count}): ${AGAIN}.`);
    }
    seen.add(key);
    addRow(reader, index, number, key, end);
    end += addMembers(reader, index, key, members, name);
    reader.row += 1;
    reader.place = stop + 1;
  }
  if (end + END_OF_TAR !== entry.bytes)
    throw new Error(`The index does not fit ${name} (some samples are missing): ${AGAIN}.`);
}

function addRow(reader, index, number, key, offset) {
  reader.keys.push(key);
  index.keyPlaces[reader.row + 1] = index.keyPlaces[reader.row] + key.length + 1;
  index.shard[reader.row] = number;
  index.offset[reader.row] = offset;
}

/** Add the sizes of the members of a sample; return how many bytes it takes in its shard. */
function addMembers(reader, index, key, members, name) {
  const pairs = members.split(" ").map((each) => each.split(/=(?=[^=]*$)/));
  if (reader.used + pairs.length > index.sizes.length) index.sizes = grown(index.sizes);
  index.sizePlace[reader.row] = reader.used;
  let extent = 0;
  for (const [suffix, digits] of pairs) {
    const size = /^\d+$/.test(digits ?? "") ? Number(digits) : -1;
    if (!MEMBER_NAME.test(`${key}.${suffix}`) || size < 0 || size > MOST_BYTES) {
      throw new Error(
        `The index does not fit ${name} (sample ${key} has a member that is not allowed): ${AGAIN}.`,
      );
    }
    index.sizes[reader.used] = size;
    reader.used += 1;
    extent += memberExtent(size);
  }
  const layout = pairs.map(([suffix]) => suffix).join(" ");
  if (!reader.layouts.has(layout)) {
    reader.layouts.set(layout, index.layouts.length);
    index.layouts.push(layout.split(" "));
  }
  index.layout[reader.row] = reader.layouts.get(layout);
  return extent;
}

function grown(array) {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** Return the number of samples. */
export function countRows(index) {
  return index.offset.length;
}

/** Return the key of a sample. */
export function keyOf(index, row) {
  return index.keys.slice(index.keyPlaces[row] + 1, index.keyPlaces[row + 1]);
}

/** Return the row of a key; -1 if the column does not have it. */
export function findRow(index, key) {
  const place = index.keys.indexOf(`\n${key}\n`);
  if (place < 0 || !key) return -1;
  let [low, high] = [0, countRows(index)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (index.keyPlaces[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the split of a sample by the name of its shard; "" if that names none. */
export function splitOf(index, row) {
  return index.shards[index.shard[row]].split("-").slice(0, -1).join("-");
}

/** Name a picture by its suffix: color for color.png, picture for png. */
export function nameOf(suffix) {
  return suffix.includes(".") ? suffix.slice(0, suffix.lastIndexOf(".")) : "picture";
}

/** Return the names of the pictures that any sample has, in the order of the shards. */
export function pictureNames(index) {
  return [...new Set(index.layouts.flat().filter(isPicture).map(nameOf))];
}

/** Return the suffix of a sample's picture by its name; "" if it has none. Types differ between samples. */
export function suffixOf(index, row, name) {
  return (
    index.layouts[index.layout[row]].find((suffix) => isPicture(suffix) && nameOf(suffix) === name) ?? ""
  );
}

/**
 * Return the place of each member of a sample in its shard.
 *
 * @param {Index} index
 * @param {number} row
 * @returns {Record<string, {offset: number, size: number}>} by suffix, in bytes
 */
export function placesOf(index, row) {
  const places = {};
  let offset = index.offset[row];
  index.layouts[index.layout[row]].forEach((suffix, number) => {
    const size = index.sizes[index.sizePlace[row] + number];
    places[suffix] = { offset: offset + BLOCK, size };
    offset += memberExtent(size);
  });
  return places;
}

/**
 * Read members of a sample, near ones by one request.
 *
 * @param {string} folder the address of the column
 * @param {Index} index
 * @param {number} row
 * @param {string[]} suffixes those that the sample lacks are left out
 * @param {(path: string, given: object) => Promise<Response>} [ask] such as `request` of api.js
 * @param {AbortSignal} [signal]
 * @returns {Promise<Record<string, Uint8Array>>} by suffix
 */
export async function readMembers(folder, index, row, suffixes, ask = fetch, signal = undefined) {
  const places = placesOf(index, row);
  const wanted = suffixes
    .filter((suffix) => suffix in places)
    .map((suffix) => ({ suffix, ...places[suffix] }));
  const address = `${folder}/${encodeURIComponent(index.shards[index.shard[row]])}`;
  const parts = joinRanges(wanted.sort((one, other) => one.offset - other.offset));
  const found = await Promise.all(parts.map((part) => readRange(address, part, ask, signal)));
  return Object.assign({}, ...found);
}

/** Group members, sorted by offset, into ranges that do not read much more than them. */
export function joinRanges(members) {
  const parts = [];
  for (const member of members) {
    const part = parts.at(-1);
    const end = member.offset + member.size;
    if (part && end - part.start <= WASTE * (part.wanted + member.size)) {
      part.members.push(member);
      part.wanted += member.size;
      part.end = end;
    } else parts.push({ start: member.offset, end, wanted: member.size, members: [member] });
  }
  return parts;
}

async function readRange(address, { start, end, members }, ask, signal) {
  if (end === start) return Object.fromEntries(members.map(({ suffix }) => [suffix, new Uint8Array()]));
  const answer = await ask(address, { headers: { Range: `bytes=${start}-${end - 1}` }, signal });
  if (answer.status !== 206)
    throw new Error("The server of this dataset sends no parts of a file, which the page needs.");
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length !== end - start) throw new Error(`A shard is shorter than its index says: ${AGAIN}.`);
  return Object.fromEntries(
    members.map(({ suffix, offset, size }) => [suffix, bytes.slice(offset - start, offset - start + size)]),
  );
}

/** Tell whether a member is a picture, by its suffix. */
export function isPicture(suffix) {
  return suffix.split(".").at(-1).toLowerCase() in TYPES;
}

/** Make a file of a member for the browser; only pictures have a type. */
export function asBlob(suffix, bytes) {
  return new Blob([bytes], { type: TYPES[suffix.split(".").at(-1).toLowerCase()] ?? "" });
}

/** Return the address of a column of the studio, by its name. */
export function columnAddress(name) {
  return `data/${name.split("/").map(encodeURIComponent).join("/")}`;
}
