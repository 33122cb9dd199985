/**
 * A worker of the engine. There are two: one makes quick pictures, the other colors in full and never keeps
 * the pen waiting. Messages are {id, name, given}, with an id of 0 if nobody waits; answers are {id, value}
 * or {id, error}, and null stands for work that a newer request overtook.
 */

import { Full, Superseded } from "./full.js";
import { Live } from "./live.js";
import { openOrt, openRemote } from "./network.js";

let full = null, live = null;
let newest = 0; // number of the newest request to color
let last = Promise.resolve(); // what is done in turn

const calls = {
  open({ model, why, base, mode, token, file }) {
    full = new Full(async () => {
      if (!model) throw new Error(why);
      if (mode === "studio") return openRemote(model, new URL("api/infer", base), token);
      return openOrt(model, new URL(file, base), new URL("runtime/", base));
    });
  },

  setDrawing: (blob) => inTurn(async () => {
    const { pixels, small, ...facts } = await full.setDrawing(blob);
    return { ...facts, small, preview: await bitmapOf(pixels, null) };
  }),

  planFill: ({ x, y, radius, options }) => full.planFill(x, y, radius, options),
  setReference: (blob) => full.setReference(blob),
  setPalette: (given) => full.setPalette(given),
  setTiles: ({ layer, tiles }) => full.put(layer, tiles),
  setNewest: (number) => void (newest = number),

  /** Color in full, once what came before has stopped. */
  color({ number, options }) {
    newest = Math.max(newest, number);
    return inTurn(() => colorFull(number, options));
  },

  export: ({ kind, options }) => inTurn(async () => {
    await full.color(options, letIn);
    return full.export(kind);
  }),

  openLive({ small, height, width }) {
    live = new Live(small, height, width);
  },

  /** Take tiles, and give them back for the other worker. */
  setLiveTiles({ tiles }) {
    live.put(tiles);
    return tiles;
  },

  setColors: (colors) => void (live && (live.colors = colors)),

  async colorLive({ options }) {
    const start = performance.now();
    const picture = live?.color(options);
    return picture ? pack(picture, null, start, "live") : null;
  },
};

/** Do work after that which was asked for before; only colors stop for newer ones. */
function inTurn(work) {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

async function colorFull(number, options) {
  const start = performance.now();
  const pause = async () => {
    await letIn();
    if (number !== newest) throw new Superseded();
  };
  try {
    await pause();
    const { picture } = await full.color(options, pause);
    const under = await full.under();
    return { ...(await pack(picture, full.alpha, start, "full")), under };
  } catch (error) {
    if (error instanceof Superseded) return null;
    throw error;
  }
}

/** Let messages in that wait. */
function letIn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

async function pack(image, alpha, start, quality) {
  const picture = await bitmapOf(image, alpha);
  return { picture, seconds: (performance.now() - start) / 1000, quality };
}

/** Make a bitmap of RGB pixels, opaque without an alpha. */
function bitmapOf({ height, width, data }, alpha) {
  const pixels = new Uint8ClampedArray(4 * height * width);
  for (let i = 0, from = 0, to = 0; i < height * width; i++, from += 3, to += 4) {
    pixels[to] = data[from];
    pixels[to + 1] = data[from + 1];
    pixels[to + 2] = data[from + 2];
    pixels[to + 3] = alpha ? alpha[i] : 255;
  }
  return createImageBitmap(new ImageData(pixels, width, height), { premultiplyAlpha: "none" });
}

/** List what an answer can hand over without a copy. */
function listTransfers(value) {
  if (!value || typeof value !== "object") return [];
  if (value instanceof ImageBitmap) return [value];
  if (ArrayBuffer.isView(value)) return [value.buffer];
  if (value instanceof Blob) return [];
  return Object.values(value).flatMap(listTransfers);
}

onmessage = async ({ data: { id, name, given } }) => {
  try {
    const value = (await calls[name](given)) ?? null;
    if (id) postMessage({ id, value }, listTransfers(value));
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};
