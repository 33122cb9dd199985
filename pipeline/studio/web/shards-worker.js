/** Reads the index of a column and its seal: {id, folder} in, {id, index, seal} or {id, error, status} out. */

import { parseIndex } from "./shards.js";

addEventListener("message", async ({ data: { id, folder } }) => {
  try {
    const seal = JSON.parse(await read(`${folder}/seal.json`));
    const index = parseIndex(await read(`${folder}/index.tsv`), seal);
    const flat = Object.values(index)
      .filter(ArrayBuffer.isView)
      .map(({ buffer }) => buffer);
    postMessage({ id, index, seal }, flat);
  } catch (error) {
    postMessage({ id, error: error.message, status: error.status ?? -1 });
  }
});

async function read(path) {
  let answer;
  try {
    answer = await fetch(new URL(path, new URL("./", import.meta.url)));
  } catch {
    throw Object.assign(new Error(), { status: 0 }); // api.js has its sentence
  }
  if (answer.ok) return answer.text();
  const said = await answer.json().catch(() => ({ error: `The server answered with ${answer.status}.` }));
  throw Object.assign(new Error(said.error), { status: answer.status });
}
