/**
 * A trained colorizer as a function of pictures: by ONNX Runtime Web in this thread, or by the server of the
 * studio.
 *
 * `infer` takes `given` as `tiles.colorize_picture` in Python does: uint8 images by name, `sketch` (H, W),
 * and one or none of `cue`, `palette` and `reference` (H, W, 3), or `mask` (H, W), 255 where to color, with
 * `color` (H, W, 3). It returns the picture, uint8 (H, W, 3).
 *
 * The server gets them by POST /api/infer: a line of JSON, {"arrays": [{"name": "sketch", "shape": [H, W]},
 * ...]}, and then the uint8 values of these arrays, one array after another. It answers with the values of
 * the picture, or with {"error": sentence}.
 */

import { makeImage } from "./image.js";
import { resize, toLevel } from "./pixels.js";

const GUIDES = ["cue", "strokes", "points", "palette", "reference", "gray", "none"]; // as params.GUIDES
const MOST_THREADS = 4; // more gain little
const LOST = "The studio does not answer. See that prep studio still runs, then color again.";
const OVERTAKEN = 409; // the status of a request that another one overtook while it waited
const PATIENCE = 300; // milliseconds until it is sent again
const f = Math.fround;

/** A network: `model` is that of page.json, `run` an async function of `given`. */
export class Network {
  constructor(model, run) {
    this.config = model.config;
    this.guides = model.guides;
    this.run = run;
  }

  async infer(given) {
    return this.run(given);
  }
}

/**
 * Load an ONNX file of `prep export` and ONNX Runtime Web.
 *
 * @param {object} model of page.json
 * @param {string|URL} file address of the ONNX file
 * @param {string|URL} runtime address of the folder of the runtime's three files
 * @returns {Promise<Network>}
 */
export async function openOrt(model, file, runtime) {
  const at = (name) => new URL(name, runtime).href;
  const parts = [import(at("ort.js")), load(at("ort.wasm")), load(file)];
  const [ort, wasmBinary, bytes] = await Promise.all(parts);
  ort.env.wasm.wasmPaths = { mjs: at("ort-loader.js") };
  ort.env.wasm.wasmBinary = wasmBinary;
  const threads = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  ort.env.wasm.numThreads = Math.min(MOST_THREADS, threads);
  const session = await ort.InferenceSession.create(new Uint8Array(bytes), { executionProviders: ["wasm"] });
  return new Network(model, async (given) => {
    const inputs = prepareInputs(given, model.guides.length > 1);
    const fed = session.inputNames.map((name) => [name, inputs[name === "gray" ? "sketch" : name]]);
    const tensors = fed.map(([name, { data, shape }]) => [name, new ort.Tensor(kindOf(data), data, shape)]);
    const { picture } = await session.run(Object.fromEntries(tensors));
    return readPicture(picture.data, given.sketch.height, given.sketch.width);
  });
}

async function load(file) {
  const answer = await fetch(file).catch(() => null);
  if (!answer?.ok) throw new Error(`${new URL(file).pathname} cannot be loaded. Load the page again.`);
  return answer.arrayBuffer();
}

function kindOf(data) {
  return data instanceof BigInt64Array ? "int64" : "float32";
}

/** Turn uint8 pictures into the inputs of a network by name: {data, shape}, as tiles.py does. */
export function prepareInputs(given, hasSeveralGuides) {
  if (hasSeveralGuides) return oneGuide(given);
  const inputs = {};
  for (const [name, image] of Object.entries(given)) inputs[name] = tensor(imagePlanes(image), image);
  if (given.mask) inputs.mask = tensor(maskOf(given.mask), given.mask);
  return inputs;
}

function maskOf({ data }) {
  return Float32Array.from(data, (level) => (level > 0 ? 1 : 0));
}

function tensor(data, { height, width, channels }) {
  return { data, shape: [1, channels, height, width] };
}

/** Turn levels, interleaved, into planes of float32 in [-1, 1]. */
function imagePlanes({ height, width, channels, data }) {
  const planes = new Float32Array(data.length), size = height * width;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < size; i++) planes[c * size + i] = f(data[i * channels + c] / 127.5) - 1;
  }
  return planes;
}

/** Turn a sketch and at most one guide under its name into the inputs of a system of several guides. */
function oneGuide(given) {
  const { height, width } = given.sketch;
  const size = height * width;
  const name = GUIDES.find((each) => given[each]) ?? (given.mask ? "gray" : "none");
  const guide = new Float32Array(4 * size);
  if (name === "gray") {
    guide.set(maskOf(given.mask), 3 * size);
  } else if (name !== "none") {
    const colors = resize(given[name], width, height), hasAlpha = colors.channels === 4;
    guide.set(imagePlanes(colors));
    for (let i = 0; i < size; i++) guide[3 * size + i] = hasAlpha ? colors.data[4 * i + 3] / 255 : 1;
  }
  return {
    sketch: tensor(imagePlanes(given.sketch), given.sketch),
    guide: { data: guide, shape: [1, 4, height, width] },
    kind: { data: BigInt64Array.of(BigInt(GUIDES.indexOf(name))), shape: [1] },
  };
}

/** Turn planes of float32 in [-1, 1] into levels, interleaved. */
function readPicture(planes, height, width) {
  const made = makeImage(height, width, 3), size = height * width;
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < size; i++) made.data[3 * i + c] = toLevel(f(f(planes[c * size + i] + 1) * 127.5));
  }
  return made;
}

/**
 * Let the server of the studio compute.
 *
 * @param {object} model of page.json
 * @param {string|URL} address of /api/infer
 * @param {string} token
 * @returns {Network}
 */
export function openRemote(model, address, token) {
  return new Network(model, async (given) => {
    const headers = { "X-Inkwash-Token": token, "Content-Type": "application/octet-stream" };
    const answer = await ask(address, { method: "POST", headers, body: packArrays(given) });
    if (!answer.ok) throw new Error(await sentenceOf(answer));
    const picture = new Uint8Array(await answer.arrayBuffer());
    return makeImage(given.sketch.height, given.sketch.width, 3, picture);
  });
}

/** Ask the server, and again while another tab overtakes this one. */
async function ask(address, given) {
  for (;;) {
    const answer = await fetch(address, given).catch(() => null);
    if (!answer) throw new Error(LOST);
    if (answer.status !== OVERTAKEN) return answer;
    await new Promise((resolve) => setTimeout(resolve, PATIENCE));
  }
}

/** Write images as the body of a request. */
function packArrays(given) {
  const arrays = Object.entries(given).map(([name, { height, width, channels }]) => ({
    name, shape: channels === 1 ? [height, width] : [height, width, channels],
  }));
  return new Blob([`${JSON.stringify({ arrays })}\n`, ...Object.values(given).map((image) => image.data)]);
}

async function sentenceOf(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `The studio answered with ${answer.status} ${answer.statusText}.`;
  }
}
