// Colors drawings by the page's engine with networks that answer what Python's answered.

import { color, readOptions, Sheet } from "../../pipeline/studio/web/engine/colorize.js";
import { Network } from "../../pipeline/studio/web/engine/network.js";

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
