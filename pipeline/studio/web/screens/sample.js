/** One sample of a column: its pictures at full size, its facts, its group, the decisions, and its JSON. */

import { getJson, request } from "../api.js";
import { formatNumber } from "../charts.js";
import { chooser } from "../choosing.js";
import { el, iconButton, replace } from "../dom.js";
import { isPicture, keyOf, nameOf, placesOf, readMembers, splitOf } from "../shards.js";

const ZOOMS = { "1×": 1, "2×": 2, "4×": 4 };
const SMALL = 200; // pixels: smaller pictures begin at twice their size
const MATES = 60; // shown at once
const LEFT_OUT = new Set([
  "tags",
  "artist",
  "license",
  "source",
  "split",
  "group",
  "family",
  "id",
  "width",
  "height",
]);

export class SampleView {
  /**
   * @param {object} given
   * @param {import("../pictures.js").Pictures} given.pictures
   * @param {() => void} given.close
   * @param {(key: string) => void} given.open
   * @param {(word: string) => void} given.search
   */
  constructor({ pictures, close, open, search }) {
    Object.assign(this, { pictures, close, open, search });
    this.zoom = 0; // chosen by hand; 0 for the one that suits the picture
    this.shown = null;
    this.title = el("h1.mono", { tabindex: "-1" });
    this.place = el("span.muted.number");
    this.badges = el("span.badges");
    this.before = iconButton("chevron", "Previous sample", { onclick: () => this.step(-1) });
    this.before.classList.add("turned");
    this.after = iconButton("chevron", "Next sample", { onclick: () => this.step(1) });
    this.zooms = el("div.segmented", { role: "radiogroup", "aria-label": "Zoom" });
    this.figures = el("div.figures");
    this.facts = el("section.panel", { "aria-label": "Facts" });
    this.mates = el("section.panel", { "aria-label": "Group" });
    this.decisions = el("section.panel", { "aria-label": "Decisions" });
    this.json = el("section.panel", { "aria-label": "JSON" });
    this.element = el(
      "div.sample",
      { hidden: true },
      el(
        "header.sample-bar",
        {},
        el("button", { type: "button", onclick: () => this.close() }, "All samples"),
        this.title,
        this.badges,
        el("div.spring"),
        this.zooms,
        this.place,
        this.before,
        this.after,
      ),
      el(
        "div.sample-body",
        {},
        this.figures,
        el("div.sample-side", {}, this.facts, this.mates, this.decisions, this.json),
      ),
    );
  }

  /**
   * @param {{name: string, folder: string, index: object}} column
   * @param {number} row
   * @param {{at: number, count: number, before: string|null, after: string|null}} neighbors
   */
  show(column, row, neighbors) {
    this.stop();
    const stop = new AbortController();
    this.shown = { column, row, neighbors, stop, letGo: [] };
    const key = keyOf(column.index, row);
    this.element.hidden = false;
    this.title.textContent = key;
    this.place.textContent = `${formatNumber(neighbors.at + 1)} of ${formatNumber(neighbors.count)}`;
    this.before.disabled = neighbors.before === null;
    this.after.disabled = neighbors.after === null;
    replace(this.badges, splitOf(column.index, row) && el("span.badge", {}, splitOf(column.index, row)));
    this.showPictures(column, row);
    for (const panel of [this.facts, this.mates, this.decisions, this.json]) panel.hidden = true;
    this.element.dataset.state = "busy";
    Promise.all([
      this.showMetadata(column, row, stop.signal),
      this.showDecisions(key, stop.signal),
      this.showMates(column, key, stop.signal),
    ]).then(() => stop.signal.aborted || (this.element.dataset.state = "ready"));
    this.element.scrollTop = 0;
    this.title.focus({ preventScroll: true });
  }

  hide() {
    this.stop();
    this.element.hidden = true;
  }

  stop() {
    this.shown?.stop.abort();
    for (const letGo of this.shown?.letGo ?? []) letGo();
    this.shown = null;
  }

  step(by) {
    const { before, after } = this.shown.neighbors;
    const key = by < 0 ? before : after;
    if (key !== null) this.open(key);
  }

  press(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.step(steps[event.key]);
  }

  showPictures(column, row) {
    const places = placesOf(column.index, row);
    const images = Object.keys(places)
      .filter(isPicture)
      .map((suffix) => [el("img", { alt: nameOf(suffix), decoding: "async" }), suffix]);
    const figures = images.map(([image, suffix]) => {
      const size = el("span.muted.number", {}, bytesOf(places[suffix].size));
      image.addEventListener("load", () => {
        size.textContent = `${image.naturalWidth} × ${image.naturalHeight} px · ${bytesOf(places[suffix].size)}`;
        this.enlarge(image);
      });
      const failed = el("p.small.muted", {}, "The browser cannot show this picture.");
      return el(
        "figure",
        {},
        el("div.frame", {}, image, failed),
        el("figcaption", {}, el("span", {}, nameOf(suffix)), size),
      );
    });
    replace(this.figures, figures.length ? figures : el("p.muted", {}, "This sample has no picture."));
    this.shown.letGo.push(this.pictures.show(column, row, images));
    this.offerZooms();
  }

  offerZooms() {
    replace(
      this.zooms,
      Object.entries(ZOOMS).map(([title, zoom]) =>
        el(
          "label",
          {},
          el("input", {
            type: "radio",
            name: "sample-zoom",
            value: zoom,
            checked: this.zoom === zoom,
            onchange: () => {
              this.zoom = zoom;
              for (const image of this.figures.querySelectorAll("img")) this.enlarge(image);
            },
          }),
          title,
        ),
      ),
    );
  }

  enlarge(image) {
    if (!image.naturalWidth) return;
    const zoom = this.zoom || (image.naturalWidth < SMALL ? 2 : 1);
    image.style.setProperty("width", `${image.naturalWidth * zoom}px`);
    image.classList.toggle("pixels", zoom > 1);
    const box = this.zooms.querySelector(`input[value="${zoom}"]`);
    if (box) box.checked = true;
  }

  async showMetadata(column, row, signal) {
    let metadata;
    try {
      const { json } = await readMembers(column.folder, column.index, row, ["json"], request, signal);
      metadata = json ? JSON.parse(new TextDecoder().decode(json)) : {};
    } catch (error) {
      if (signal.aborted) return;
      this.json.hidden = false;
      replace(
        this.json,
        el("h2", {}, "JSON"),
        el("p", {}, `The JSON of this sample cannot be read: ${error.message}`),
      );
      return;
    }
    if (signal.aborted) return;
    this.facts.hidden = this.json.hidden = false;
    replace(
      this.facts,
      factsOf(metadata, (word) => this.search(word)),
    );
    const text = JSON.stringify(metadata, null, 2);
    const copy = el(
      "button.plain.small",
      { type: "button", onclick: () => navigator.clipboard.writeText(text) },
      "Copy",
    );
    replace(
      this.json,
      el("header", {}, el("h2", {}, "JSON"), copy),
      el("pre.scroll", { tabindex: "0" }, text),
    );
  }

  async showMates(column, key, signal) {
    let content;
    try {
      const { mates } = await whenRead(column.name, key, signal);
      content = signal.aborted ? [] : this.describeMates(column, mates);
    } catch (error) {
      content = [el("h2", {}, "Group"), el("p.muted", {}, error.message)];
    }
    if (signal.aborted) return;
    this.mates.hidden = false;
    replace(this.mates, content);
  }

  describeMates(column, mates) {
    if (!mates)
      return [
        el("h2", {}, "Group"),
        el("p.muted", {}, "Search for something once to see it: that reads the whole dataset."),
      ];
    const others = mates.filter((row) => row !== this.shown.row);
    const cards = others.slice(0, MATES).map((row) => this.mateCard(column, row));
    return [
      el("h2", {}, others.length ? `Group of ${others.length + 1}` : "Alone in its group"),
      others.length > 0 ? el("div.mates", {}, cards) : null,
      others.length > MATES ? el("p.muted", {}, `and ${others.length - MATES} more`) : null,
    ];
  }

  mateCard(column, row) {
    const image = el("img", { alt: "", decoding: "async" });
    const suffix = Object.keys(placesOf(column.index, row)).find(isPicture);
    const key = keyOf(column.index, row);
    if (suffix) this.shown.letGo.push(this.pictures.show(column, row, [[image, suffix]]));
    return el(
      "button.mate",
      { type: "button", title: key, onclick: () => this.open(key) },
      image,
      el("span.mono.small", {}, key),
    );
  }

  async showDecisions(key, signal) {
    let content;
    try {
      const decisions = await getJson("api/explain", { key }, { signal });
      content = decisions.map(describeDecision);
      if (decisions.some(({ stage }) => stage === "clean")) content.push(chooser(key));
    } catch (error) {
      content = [el("p.muted", {}, error.message)];
    }
    if (signal.aborted) return;
    this.decisions.hidden = content.length === 0;
    replace(this.decisions, el("h2", {}, "What each stage decided"), el("div.decisions", {}, content));
  }
}

async function whenRead(column, key, signal) {
  for (;;) {
    const found = await getJson("api/sample", { column, key }, { signal });
    if (found.mates || !found.busy) return found;
    await new Promise((resolve) => setTimeout(resolve, 800));
    signal.throwIfAborted();
  }
}

/** Describe a sample: the fields that people look for, then its scores. */
function factsOf(metadata, search) {
  const rows = [
    ["Artist", wordsOf(metadata.artist).map((name) => chip(name, () => search(`artist:${name}`)))],
    [
      "License",
      metadata.license &&
        chip(metadata.license, () => search(`license:${metadata.license.replaceAll(" ", "_")}`)),
    ],
    ["Source", metadata.source && sourceOf(metadata.source)],
    ["Original", metadata.width && `${metadata.width} × ${metadata.height} px`],
    ["Id, family", [metadata.id, metadata.family].filter((each) => each !== undefined).join(", ")],
    ["Group", metadata.group !== undefined && chip(metadata.group, () => search(`group:${metadata.group}`))],
    ["Tags", wordsOf(metadata.tags).map((tag) => chip(tag, () => search(tag)))],
  ];
  const present = rows.filter(([, value]) => value && (!Array.isArray(value) || value.length));
  return [
    el("h2", {}, "Facts"),
    el(
      "dl.facts",
      {},
      present.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
    ),
    scoresOf(metadata),
  ];
}

function wordsOf(value) {
  return (Array.isArray(value) ? value.map(String) : String(value ?? "").split(" ")).filter(Boolean);
}

function chip(text, onclick) {
  return el("button.word", { type: "button", onclick }, String(text));
}

function sourceOf(source) {
  if (!/^https?:\/\//i.test(source)) return String(source);
  return el("a", { href: source, rel: "noreferrer noopener", target: "_blank" }, source);
}

function scoresOf(metadata) {
  const numbers = Object.entries(metadata).filter(
    ([name, value]) => typeof value === "number" && !LEFT_OUT.has(name),
  );
  return numbers.length === 0
    ? null
    : el(
        "div.scores",
        {},
        numbers.map(([name, value]) => el("span", {}, `${name} `, el("b.number", {}, formatNumber(value)))),
      );
}

function describeDecision({ stage, outcome, why, rules }) {
  const kind = { taken: "good", rejected: "bad" }[outcome];
  const rows = rules.map(({ reason, value, limit, least, fine }) =>
    el(
      "tr",
      { data: { fine: String(fine) } },
      el("td", {}, reason),
      el("td.number", {}, formatNumber(value)),
      el("td.number.muted", {}, `${least ? "≥" : "≤"} ${formatNumber(limit)}`),
      el("td", {}, fine ? "fine" : "rejected"),
    ),
  );
  return el(
    "div.decision",
    {},
    el("div", {}, el("span.mono", {}, stage), el(`span.badge${kind ? `.${kind}` : ""}`, {}, outcome)),
    why && el("p.muted.small", {}, why),
    rows.length > 0 &&
      el(
        "details",
        {},
        el(
          "summary.small",
          {},
          `${rules.filter((rule) => rule.fine).length} of ${rules.length} limits are met`,
        ),
        el("table.small", {}, rows),
      ),
  );
}

function bytesOf(size) {
  return size < 10_000 ? `${formatNumber(size)} B` : `${formatNumber(Math.round(size / 1000))} kB`;
}
