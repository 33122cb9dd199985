/** Reads the seal and the index of a column: gets {id, folder}, answers {id, index, seal} or {id, error, status}. */

import { parseIndex } from "./shards.js";

addEventListener("message", async ({ data: { id, folder } }) => {
  try {
    const seal = JSON.parse(await read(`${folder}/seal.json`));
    const index = parseIndex(await read(`${folder}/index.tsv`), seal);
    const flat = Object.values(index).filter(ArrayBuffer.isView).map(({ buffer }) => buffer);
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
    throw Object.assign(new Error(), { status: 0 }); // the page has the sentence for a server that does not answer
  }
  if (answer.ok) return answer.text();
  const said = await answer.json().catch(() => ({ error: `The server answered with ${answer.status}.` }));
  throw Object.assign(new Error(said.error), { status: answer.status });
}
