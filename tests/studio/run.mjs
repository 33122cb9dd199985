// Calls functions of modules of the page: for each line {module, name, given} on stdin, a line {value} or {error} on
// stdout. With `each`, `given` lists the arguments of several calls, and `value` their values.
// An array travels as {shape, kind, base64}; one of two or three axes is an image, as engine/image.js has them.

import { createInterface } from "node:readline";

const KINDS = {
  uint8: Uint8Array, int32: Int32Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array,
};
const NAMES = new Map(Object.entries(KINDS).map(([name, kind]) => [kind, name]));
NAMES.set(Uint8ClampedArray, "uint8");

function read(_, value) {
  if (!value?.base64 && value?.base64 !== "") return value;
  const bytes = Uint8Array.from(Buffer.from(value.base64, "base64"));
  const data = new KINDS[value.kind](bytes.buffer);
  const [height, width, channels = 1] = value.shape;
  return value.shape.length === 1 ? data : { height, width, channels, data };
}

function write(value) {
  if (NAMES.has(value?.constructor)) return pack(value, [value.length]);
  if (Array.isArray(value)) return value.map(write);
  if (NAMES.has(value?.data?.constructor) && "channels" in value) {
    const { height, width, channels, data } = value;
    return pack(data, channels === 1 ? [height, width] : [height, width, channels]);
  }
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, write(each)]));
  }
  return value;
}

function pack(data, shape) {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { shape, kind: NAMES.get(data.constructor), base64 };
}

async function answer(job) {
  try {
    const { module, name, given, each } = JSON.parse(job, read);
    const work = (await import(module))[name];
    const value = each ? await Promise.all(given.map((words) => work(...words))) : await work(...given);
    return { value: write(value) ?? null };
  } catch (error) {
    return { error: `${error.name}: ${error.message}`, stack: error.stack };
  }
}

for await (const job of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  process.stdout.write(`${JSON.stringify(await answer(job))}\n`);
}
