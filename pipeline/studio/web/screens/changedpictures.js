/** The test pictures that changed most from one run to another. */

import { sendJson } from "../api.js";
import { el, icon, notify, replace } from "../dom.js";

const ASK_AGAIN = 400; // milliseconds between two questions

/** The test pictures that changed most, colored again by both models when a person asks. */
export class ChangedPictures {
  constructor(pair) {
    this.pair = pair;
    this.body = el("div.pictures-body");
    this.element = el(
      "section.panel.changed-pictures",
      { data: { state: "idle" } },
      el("h2", {}, "Pictures that changed most"),
      this.body,
    );
    this.offer();
  }

  offer() {
    this.element.dataset.state = "idle";
    const ask = el(
      "button.primary",
      { type: "button", onclick: () => this.draw() },
      icon("image"),
      "Color them again",
    );
    replace(
      this.body,
      el(
        "p.muted",
        {},
        "Both models color the test pictures that gained and lost most. This takes some seconds.",
      ),
      ask,
    );
  }

  async draw() {
    const words = el("span.muted", { role: "status" }, "The studio begins to read.");
    const cancel = el("button", { type: "button", onclick: () => this.leave() }, "Cancel");
    replace(this.body, el("div.row", {}, el("span.spinner"), words, cancel));
    this.element.dataset.state = "busy";
    const turn = (this.turn = Symbol());
    try {
      for (;;) {
        const found = await sendJson("POST", "api/diff/pictures", this.pair);
        if (turn !== this.turn) return;
        if (found.figures) return this.present(found);
        words.textContent = found.busy;
        await new Promise((go) => setTimeout(go, ASK_AGAIN));
        if (turn !== this.turn) return;
      }
    } catch (error) {
      if (turn !== this.turn) return;
      this.offer();
      this.element.dataset.state = "failed";
      notify(error.message, { key: "runs" });
    }
  }

  /** Stop, if pictures are being drawn. */
  leave() {
    if (this.element.dataset.state !== "busy") return;
    this.turn = null;
    this.offer();
    sendJson("POST", "api/diff/pictures", { ...this.pair, stop: true }).catch((error) =>
      notify(error.message, { key: "runs" }),
    );
  }

  present({ figures, notes }) {
    this.element.dataset.state = "ready";
    const parts = [
      ["Gained most", (each) => each.change > 0],
      ["Lost most", (each) => each.change <= 0],
    ].map(([title, test]) => {
      const chosen = figures.filter(test);
      return chosen.length ? [el("h3", {}, title), chosen.map(showFigure)] : null;
    });
    replace(
      this.body,
      notes.map((note) => el("p.caveat", {}, note)),
      parts,
      figures.length ? null : el("p.muted", {}, "No picture has changed."),
    );
  }
}

function showFigure({ key, artist, before, after, change, tiles }) {
  const images = tiles.map(({ caption, png }) => {
    const image = el("img", { alt: caption.split("\n")[0] });
    const address = URL.createObjectURL(
      new Blob([Uint8Array.from(atob(png), (each) => each.charCodeAt(0))], { type: "image/png" }),
    );
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    image.src = address;
    return el("div.version", {}, image, el("span.small.muted", {}, caption));
  });
  const words = [
    el("strong.number", {}, `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(2)} dB`),
    el("span.number", {}, `${before.toFixed(2)} → ${after.toFixed(2)} dB`),
    el("span.mono", {}, key),
    artist ? el("span.muted", {}, `by ${artist}`) : null,
  ];
  return el(
    "figure.changed",
    { data: { mood: change > 0 ? "good" : "bad" } },
    el("figcaption", {}, words),
    el("div.versions", {}, images),
  );
}
