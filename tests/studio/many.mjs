/** Call a function of a module of the page many times: a start of Node takes longer than most calls. */
export async function many(module, name, cases) {
  const { [name]: made } = await import(new URL(`../../pipeline/studio/web/${module}`, import.meta.url));
  const results = [];
  for (const given of cases) results.push((await made(...given)) ?? null);
  return results;
}
