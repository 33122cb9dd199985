/** Columns as the screens open them: the list of the project, and the index of one, read by a worker. */

import { LOST, RequestError, getJson } from "./api.js";
import { columnAddress } from "./shards.js";

let worker = null;
let asked = 0;

/** Ask which columns the studio shows, and what its project has; throw RequestError if there is none. */
export async function listColumns() {
  const project = await getJson("api/project");
  if (!project.columns.length) throw new RequestError(project.why || "This folder has no columns.", 404);
  return project;
}

/** Choose the column to show first: the packed dataset, or else the pictures. */
export function firstColumn(columns) {
  const whole = columns.filter((each) => !each.fault);
  const packed = whole.find((each) => Object.keys(each.splits ?? {}).length);
  return packed ?? whole.find((each) => each.path === "color") ?? whole[0] ?? columns[0];
}

/**
 * Read the index of a column.
 *
 * @param {string} name
 * @returns {Promise<{name: string, folder: string, index: import("./shards.js").Index, seal: object}>}
 *   Rejects with RequestError.
 */
export function openColumn(name) {
  worker ??= new Worker(new URL("shards-worker.js", import.meta.url), { type: "module" });
  const folder = columnAddress(name);
  const id = (asked += 1);
  return new Promise((resolve, reject) => {
    const answered = ({ data }) => {
      if (data.id !== id) return;
      worker.removeEventListener("message", answered);
      if (data.status === undefined) resolve({ name, folder, index: data.index, seal: data.seal });
      else reject(new RequestError(data.status === 0 ? LOST : data.error, data.status));
    };
    worker.addEventListener("message", answered);
    worker.postMessage({ id, folder });
  });
}

/**
 * Ask for something that the server may still compute: it answers 202 and a sentence until it is done.
 *
 * @param {string} path
 * @param {Record<string, string>} parameters
 * @param {(sentence: string) => void} wait
 * @param {AbortSignal} [signal]
 */
export async function getWhenReady(path, parameters, wait, signal = undefined) {
  for (;;) {
    const answer = await getJson(path, parameters, { signal });
    if (!answer.busy) return answer;
    wait(answer.busy);
    await new Promise((resolve) => setTimeout(resolve, 400));
    signal?.throwIfAborted();
  }
}
