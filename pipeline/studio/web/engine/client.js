/**
 * The engine for the page: two workers behind one object. Large buffers move to and from them, and are not
 * copied.
 */

const ENDED = "The page ran out of memory. Load it again; your strokes are kept.";

/**
 * Open the engine.
 *
 * @param {object} page page.json
 * @returns {Promise<Client>}
 */
export async function open(page) {
  const client = new Client();
  await client.full.call("open", {
    model: page.model, why: page.why, mode: page.mode, file: page.file ?? null,
    base: document.baseURI, token: sessionStorage.getItem("inkwash-token") ?? "",
  });
  return client;
}

/** A worker whose functions are called by name. */
class Crew {
  constructor() {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data: { id, value, error } }) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      for (const { reject } of this.waiting.values()) reject(new Error(ENDED));
      this.waiting.clear();
    };
  }

  /** Call a function whose answer nobody waits for. */
  tell(name, given, transfer = []) {
    this.worker.postMessage({ id: 0, name, given }, transfer);
  }

  call(name, given, transfer = []) {
    const id = (this.count += 1);
    const answer = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.worker.postMessage({ id, name, given }, transfer);
    return answer;
  }
}

export class Client {
  constructor() {
    Object.assign(this, { full: new Crew(), live: new Crew(), newest: 0, options: {} });
    this.tiles = Promise.resolve();
  }

  /**
   * Open a drawing, without strokes. Throw if it cannot be read; the one that was open then stays.
   *
   * @param {Blob|Uint8Array|ArrayBuffer} file
   * @returns {Promise<{width: number, height: number, hasAlpha: boolean, doubts: string[], preview:
   *   ImageBitmap}>}
   */
  async setDrawing(file) {
    this.start();
    const { small, ...facts } = await this.full.call("setDrawing", new Blob([file]));
    const { width, height } = facts;
    await this.live.call("openLive", { small, width, height }, [small.data.buffer]);
    return facts;
  }

  /** Take a reference, or null; return its size and main colors, [r, g, b]. */
  setReference(file) {
    return this.full.call("setReference", file && new Blob([file]));
  }

  /** Take a palette: colors, [r, g, b] in levels, a picture whose main colors to use, or null. */
  setPalette(given) {
    return this.full.call("setPalette", given);
  }

  /**
   * Take changed tiles of the strokes.
   *
   * @param {{index: number, pixels: Uint8ClampedArray|null}[]} tiles of draw/layer.js, RGBA, null for an
   *   empty one; their buffers are the engine's from now on
   */
  setTiles(tiles) {
    const through = this.live.call("setLiveTiles", { tiles }, buffersOf(tiles));
    this.tiles = Promise.all([this.tiles, through]).then(([, back]) => this.give("strokes", back));
    return this.tiles;
  }

  /**
   * Plan to fill the region at a pixel, as draw/fill.js does, with the gaps in the lines closed as by
   * `options`.
   *
   * @returns {Promise<{erase: Int32Array, paint: Int32Array}|null>}
   */
  async planFill(x, y, radius, options) {
    await this.tiles;
    return this.full.call("planFill", { x, y, radius, options });
  }

  /** Take changed tiles of the mask. */
  async setMaskTiles(tiles) {
    this.give("mask", tiles);
  }

  give(layer, tiles) {
    this.full.tell("setTiles", { layer, tiles }, buffersOf(tiles));
  }

  /** Begin newer work: what runs in full stops at its next pause. */
  start() {
    this.newest += 1;
    this.full.tell("setNewest", this.newest);
    return this.newest;
  }

  /**
   * Color the drawing.
   *
   * @param {import("./colorize.js").Options} options
   * @param {"live"|"full"} quality
   * @returns {Promise<{picture: ImageBitmap, seconds: number, quality: string}|null>} null if there is a
   *   newer request, or if only the network can tell the colors and this request is live
   */
  async color(options, quality) {
    const number = this.start();
    await this.tiles;
    if (number !== this.newest) return null;
    this.options = options;
    if (quality === "live") return this.keep(number, await this.live.call("colorLive", { options }));
    const made = await this.full.call("color", { number, options });
    if (!made) return null;
    const { under, ...answer } = made;
    this.live.tell("setColors", under, under ? [under.data.buffer] : []);
    return this.keep(number, answer);
  }

  keep(number, answer) {
    if (number === this.newest) return answer;
    answer?.picture.close();
    return null;
  }

  /**
   * Export the drawing as it was colored last.
   *
   * @param {"picture"|"flats"|"lines"|"ora"|"strokes"} kind
   * @returns {Promise<Blob>}
   */
  async export(kind) {
    await this.tiles;
    return this.full.call("export", { kind, options: this.options });
  }

  /** End the workers. */
  close() {
    for (const crew of [this.full, this.live]) crew.worker.terminate();
  }
}

function buffersOf(tiles) {
  return tiles.filter((tile) => tile.pixels).map((tile) => tile.pixels.buffer);
}
