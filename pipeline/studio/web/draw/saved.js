/**
 * Saved work: what goes into the browser's own storage after each step, and the work that comes back from it.
 *
 * A work is many records, so that a step writes only what it changed: "work", with settings and the order of
 * the steps, "file/NAME", "tile/LAYER/NUMBER" and "step/ID". Only `openStorage` needs a browser.
 */

import { History } from "./history.js";
import { Work } from "./work.js";

const FORMAT = 1; // of the records; others are not read
const KEPT = 4; // works that are kept, as several tabs may be open
const STORE = "records";
const PATIENCE = 1000; // milliseconds that a page before this one, in the same tab, may take to end
const claimed = new Set(); // works of this tab

/** Turn a work into records, a Map by key. */
export function serialize(work) {
  const records = new Map([["work", describe(work)]]);
  for (const [name, file] of work.files) records.set(`file/${name}`, file);
  for (const [name, layer] of Object.entries(work.layers)) {
    for (const [number, packed] of layer.settledTiles()) {
      if (packed) records.set(`tile/${name}/${number}`, packed);
    }
  }
  for (const step of work.history.steps) records.set(`step/${step.id}`, step);
  return records;
}

function describe({ height, width, settings, history }) {
  const steps = history.steps.map(({ id }) => id);
  return { format: FORMAT, height, width, settings: { ...settings }, steps, position: history.position };
}

/** Return the work of records; null if they are of another format, or not whole. */
export function parse(records) {
  const about = records.get("work");
  if (about?.format !== FORMAT) return null;
  const steps = about.steps.map((id) => records.get(`step/${id}`));
  if (steps.includes(undefined)) return null;
  const work = new Work(about.height, about.width, about.settings);
  work.history = new History(steps, about.position);
  for (const [key, value] of records) {
    const [kind, name, number] = key.split("/");
    if (kind === "file") work.files.set(key.slice("file/".length), value);
    if (kind === "tile") work.layers[name]?.put([[Number(number), value]]);
  }
  return work;
}

/**
 * Saves a work after each step: only what changed since it was saved last. If that fails, `problem` is a
 * sentence to show, nothing is forgotten, and the next save tries all of it again.
 */
export class Saver {
  /** `storage` is that of `openStorage`; `id` names the work in it. */
  constructor(storage, id, onChange = () => {}) {
    Object.assign(this, { storage, id, onChange, problem: "", bytes: 0 });
    this.kept = null; // what the storage has of the work; null for nothing
    this.running = null;
    this.waiting = false;
  }

  /** Call it for a work that was read from the storage: all of it is there. */
  assumeSaved(work) {
    this.kept = this.mark(work);
  }

  /** Save a work. A call while another save runs makes that one save once more; all wait for the last. */
  save(work) {
    this.waiting = true;
    this.running ??= this.run(work).finally(() => (this.running = null));
    return this.running;
  }

  async run(work) {
    while (this.waiting) {
      this.waiting = false;
      await this.write(work);
    }
    this.onChange(this);
  }

  async write(work) {
    const now = this.mark(work);
    try {
      const fits = this.kept && (await this.storage.write(this.id, this.changes(work), false));
      if (!fits) await this.storage.write(this.id, serialize(work), true);
      this.kept = now;
      this.problem = "";
    } catch (error) {
      this.problem = explain(error);
    }
  }

  /** Note the state of a work that is about to be saved. */
  mark(work) {
    const versions = Object.entries(work.layers).map(([name, layer]) => [name, layer.settled]);
    const steps = new Set(work.history.steps.map(({ id }) => id));
    return { versions: Object.fromEntries(versions), steps, files: new Set(work.files.keys()) };
  }

  /** Return the records to write, null for those to remove, to bring what is saved up to a work. */
  changes(work) {
    const { versions, steps, files } = this.kept;
    const records = new Map([["work", describe(work)]]);
    for (const [name, file] of work.files) if (!files.has(name)) records.set(`file/${name}`, file);
    for (const [name, layer] of Object.entries(work.layers)) {
      for (const [number, packed] of layer.settledTiles(versions[name])) {
        records.set(`tile/${name}/${number}`, packed);
      }
    }
    const current = new Set();
    for (const step of work.history.steps) {
      current.add(step.id);
      if (!steps.has(step.id)) records.set(`step/${step.id}`, step);
    }
    for (const id of steps) if (!current.has(id)) records.set(`step/${id}`, null);
    return records;
  }
}

function explain(error) {
  const full = error.name === "QuotaExceededError";
  const what = full ? "The browser's storage is full" : `The browser's storage failed (${error.message})`;
  return `${what}: the work is in this tab alone. Keep it open, and export the strokes.`;
}

/**
 * Open the browser's storage, IndexedDB: {list(), read(id), write(id, records, whole)}.
 *
 * `list` returns the works that are kept, the last saved first, as {id, settings}. `read` returns the records
 * of a work, or of the one that was saved last if it is not there, as {id, records}; or null. `write` writes
 * all records or none: those of a `whole` work replace it, others return false if the work is not there. Both
 * throw what the browser throws.
 */
export async function openStorage(factory = globalThis.indexedDB, name = "inkwash") {
  const request = factory.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  const database = await answer(request);
  database.onversionchange = () => database.close();
  return {
    list: () => listWorks(database.transaction(STORE).objectStore(STORE)),
    read: (id) => readWork(database.transaction(STORE).objectStore(STORE), id),
    write: (id, records, whole) => writeWork(database.transaction(STORE, "readwrite"), id, records, whole),
  };
}

async function listWorks(store) {
  const ids = [...(await listSaved(store)).keys()];
  const about = await Promise.all(ids.map((id) => answer(store.get([id, "work"]))));
  return ids.map((id, at) => ({ id, settings: about[at].settings }));
}

/**
 * Claim a work for this tab, until it is closed; return whether no other tab has it. Two tabs that save one
 * work would mix their steps.
 */
export function claim(id, locks = globalThis.navigator?.locks) {
  if (!locks || claimed.has(id)) return Promise.resolve(true); // without encryption, a site has no locks
  const signal = AbortSignal.timeout(PATIENCE);
  return new Promise((resolve) => {
    const hold = () => {
      claimed.add(id);
      resolve(true);
      return new Promise(() => {}); // the lock is held for as long as this waits
    };
    locks.request(`inkwash-${id}`, { signal }, hold).catch(() => resolve(false));
  });
}

async function readWork(store, wanted) {
  const saved = await listSaved(store);
  if (!saved.size) return null;
  const id = saved.has(wanted) ? wanted : saved.keys().next().value;
  const range = recordsOf(id);
  const [keys, values] = await Promise.all([answer(store.getAllKeys(range)), answer(store.getAll(range))]);
  return { id, records: new Map(keys.map(([, key], k) => [key, values[k]])) };
}

async function writeWork(transaction, id, records, whole) {
  const store = transaction.objectStore(STORE);
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = () => reject(transaction.error ?? new Error("the browser gave it up"));
  });
  done.catch(() => {}); // `await` below throws it
  const saved = await listSaved(store);
  if (!whole && !saved.has(id)) return false;
  try {
    if (whole) for (const old of outdated(saved, id)) remove(store, old);
    for (const [key, value] of records) {
      if (value === null) store.delete([id, key]);
      else store.put(value, [id, key]);
    }
    store.put(Math.max(Date.now(), 1 + Math.max(0, ...saved.values())), ["saved", id]);
  } catch (error) {
    transaction.abort(); // else the browser would keep what came before
    throw error;
  }
  await done;
  return true;
}

function outdated(saved, id) {
  return [id, ...[...saved.keys()].filter((other) => other !== id).slice(KEPT - 1)];
}

function remove(store, id) {
  store.delete(recordsOf(id));
  store.delete(["saved", id]);
}

/** List the saved works and when they were saved, the last first: a Map by name. */
async function listSaved(store) {
  const range = recordsOf("saved");
  const [keys, times] = await Promise.all([answer(store.getAllKeys(range)), answer(store.getAll(range))]);
  return new Map(keys.map(([, id], k) => [id, times[k]]).sort((one, other) => other[1] - one[1]));
}

function recordsOf(id) {
  return globalThis.IDBKeyRange.bound([id], [id, []]); // arrays come behind all texts
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another tab holds it"));
  });
}
