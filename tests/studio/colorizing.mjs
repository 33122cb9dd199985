// Colors drawings by the page's engine with networks that answer what Python's answered.

import { color, readOptions, Sheet } from "../../pipeline/studio/web/engine/colorize.js";
import { readSize } from "../../pipeline/studio/web/engine/decode.js";
import { Live } from "../../pipeline/studio/web/engine/live.js";
import { Mirror } from "../../pipeline/studio/web/engine/mirror.js";
import { Network, prepareInputs } from "../../pipeline/studio/web/engine/network.js";

/** @returns {Promise<{picture: Image, given: object}[]>} the picture of each case, and what its network was given */
export async function colorAll(cases) {
  const made = [];
  for (const { drawing, guide, options, model, answer } of cases) {
    let given = {};
    const network = new Network(model, async (inputs) => {
      given = inputs;
      return answer;
    });
    const { picture } = await color(network, new Sheet(drawing), guide, readOptions(options));
    made.push({ picture, given });
  }
  return made;
}

/** @returns {object} data and shape of each input of a network, the kind as int32 */
export function inputsOf(given, hasSeveralGuides) {
  const inputs = Object.entries(prepareInputs(given, hasSeveralGuides));
  return Object.fromEntries(inputs.map(([name, { data, shape }]) => {
    return [name, { values: data instanceof BigInt64Array ? Int32Array.from(data, Number) : data, shape }];
  }));
}

/** Resize, blur and so on: [module, name, ...given] each. */
export async function callAll(jobs) {
  const made = [];
  for (const [module, name, ...given] of jobs) {
    made.push(await (await import(`../../pipeline/studio/web/engine/${module}.js`))[name](...given));
  }
  return made;
}

/** @returns {object} a mirrored layer after tiles were put, and a quick picture with its strokes, before and after */
export function paintTiles(drawing, small, tiles, colors) {
  const mirror = new Mirror(drawing.height, drawing.width);
  const live = new Live(small, drawing.height, drawing.width);
  live.colors = colors;
  const before = live.color({ kind: "cue", strength: 0.5 });
  mirror.put(tiles);
  live.put(tiles);
  const after = live.color({ kind: "cue" });
  return { image: mirror.image, before, after, gray: live.color({ kind: "gray" }) };
}

/** @returns {number[][]} width and height of each file */
export function readSizes(files) {
  return files.map((bytes) => readSize(new DataView(bytes.buffer)));
}
