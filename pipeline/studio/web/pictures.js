/**
 * Pictures of samples for elements of the page: asked for when they are in sight, given up when they are not.
 * The last ones are kept as files of the browser.
 */

import { asBlob, placesOf, readMembers } from "./shards.js";

const MOST_BYTES = 96 * 2 ** 20; // of kept pictures that nobody shows
const AT_ONCE = 6; // requests; a browser opens no more connections to one server
const PATIENCE = 60; // milliseconds in sight before a picture is asked for: a fast scroll asks for none
const AGAIN = 3000; // milliseconds until a server that did not answer is asked again

export class Pictures {
  /**
   * @param {(path: string, given: object) => Promise<Response>} ask such as `request` of api.js
   * @param {(error: Error|null) => void} tell gets the error of a picture, and null once one arrives after it
   */
  constructor(ask, tell) {
    Object.assign(this, { ask, tell });
    this.faulty = false;
    this.kept = new Map(); // name -> {address, bytes, users}, those used last at the end
    this.bytes = 0;
    this.waiting = [];
    this.running = 0;
  }

  /**
   * Show members of a sample in images. An image gets data-state busy, ready, failed or, for a member that
   * the sample lacks, missing.
   *
   * @param {{folder: string, index: object}} column
   * @param {number} row
   * @param {[HTMLImageElement, string][]} images each with the suffix of its member
   * @returns {() => void} to call when the images show something else: it stops the request, frees them
   */
  show(column, row, images) {
    const places = placesOf(column.index, row);
    const stop = new AbortController();
    const used = [];
    const missing = [];
    for (const [image, suffix] of images) {
      const name = `${column.folder} ${column.index.sha256} ${row} ${suffix}`;
      image.dataset.state = suffix in places ? "busy" : "missing";
      image.removeAttribute("src");
      if (this.kept.has(name)) used.push(this.use(name, image));
      else if (suffix in places) missing.push({ image, suffix, name });
    }
    const load = async () => {
      try {
        const suffixes = missing.map(({ suffix }) => suffix);
        const found = await readMembers(column.folder, column.index, row, suffixes, this.ask, stop.signal);
        if (stop.signal.aborted) return;
        if (this.faulty) this.tell(null);
        this.faulty = false;
        for (const { image, suffix, name } of missing) {
          this.keep(name, asBlob(suffix, found[suffix]));
          used.push(this.use(name, image));
        }
      } catch (error) {
        if (stop.signal.aborted) return;
        this.faulty = true;
        this.tell(error);
        for (const { image } of missing) image.dataset.state = "failed";
        if (error.status === 0) timer = setTimeout(() => this.queue(load, stop.signal), AGAIN);
      }
    };
    let timer = missing.length ? setTimeout(() => this.queue(load, stop.signal), PATIENCE) : 0;
    return () => {
      clearTimeout(timer);
      stop.abort();
      for (const name of used.splice(0)) this.leave(name);
    };
  }

  queue(load, signal) {
    this.waiting.push({ load, signal });
    this.work();
  }

  work() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const { load, signal } = this.waiting.shift();
      if (signal.aborted) continue;
      this.running += 1;
      load().finally(() => {
        this.running -= 1;
        this.work();
      });
    }
  }

  keep(name, blob) {
    if (this.kept.has(name)) return;
    this.kept.set(name, { address: URL.createObjectURL(blob), bytes: blob.size, users: 0 });
    this.bytes += blob.size;
  }

  use(name, image) {
    const picture = this.kept.get(name);
    picture.users += 1;
    this.kept.delete(name);
    this.kept.set(name, picture);
    image.onload = () => (image.dataset.state = "ready");
    image.onerror = () => (image.dataset.state = "failed");
    image.src = picture.address;
    return name;
  }

  leave(name) {
    this.kept.get(name).users -= 1;
    if (this.bytes <= MOST_BYTES) return;
    for (const [other, { address, bytes, users }] of this.kept) {
      if (users) continue;
      URL.revokeObjectURL(address);
      this.kept.delete(other);
      this.bytes -= bytes;
      if (this.bytes <= MOST_BYTES) return;
    }
  }
}
