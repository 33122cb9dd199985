/** Requests to color: quick ones one after the other while the pen is down, a full one when it is lifted. */

const PAUSE = 100; // milliseconds from one quick request to the next: the pen comes first

export class Coloring {
  /**
   * @param {(quality: "live"|"full") => Promise<object|null>} color asks the engine; null if a newer one came
   * @param {{busy: (on: boolean) => void, done: (answer) => void, failed: (error) => void}} listener
   */
  constructor(color, listener) {
    Object.assign(this, { color, listener, newest: 0, running: null, again: false });
  }

  /** Something changed, and goes on changing: color quickly, once the last quick request is answered. */
  live() {
    if (this.running === "live") this.again = true;
    else this.run("live");
  }

  /** Something changed for now: color in full. Older requests no longer count. */
  full() {
    this.again = false;
    this.run("full");
  }

  /** Let no request that runs change the picture. */
  drop() {
    this.newest += 1;
    this.running = null;
    this.again = false;
    this.listener.busy(false);
  }

  async run(quality) {
    const number = (this.newest += 1);
    this.running = quality;
    this.listener.busy(true);
    try {
      const answer = await this.color(quality);
      if (number === this.newest && answer) await this.listener.done(answer, () => number === this.newest);
      else close(answer);
    } catch (error) {
      if (number === this.newest) this.listener.failed(error);
    }
    if (number === this.newest && this.again) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (number !== this.newest) return;
    this.running = null;
    if (this.again) {
      this.again = false;
      this.run("live");
    } else {
      this.listener.busy(false);
    }
  }
}

function close(answer) {
  answer?.picture?.close();
  answer?.flats?.close();
}
