/**
 * The pairs of samples that grouping links, for each radius of pack.near. Its handle asks the server for
 * nothing.
 */

import { getJson, request } from "../api.js";
import { formatNumber, histogram, legend } from "../charts.js";
import { firstColumn, getWhenReady, listColumns, openColumn } from "../columns.js";
import { segmented, tellFault, toggles } from "../controls.js";
import { el, replace, solve } from "../dom.js";
import { FAR, HASHES, KINDS, atDistance, choosePairs } from "../engine/twins.js";
import { Grid } from "../grid.js";
import { writeParams } from "../paramsdialog.js";
import { Pictures } from "../pictures.js";
import { keyOf, pictureNames, suffixOf } from "../shards.js";

const SHOWN = {
  linked: "Linked",
  torn: "Torn without groups",
  leaks: "Leaks",
  outside: "Just outside",
};
const SERIES = [
  { name: "near colors", kind: "a" },
  { name: "near lines", kind: "b" },
];
const FOOT = 76; // pixels of a card below its pictures

export function show(root) {
  const screen = new TwinsScreen(root);
  root.addEventListener("enter", () => screen.enter());
}

class TwinsScreen {
  constructor(root) {
    this.root = root;
    this.pictures = new Pictures(request, tellFault);
    this.kinds = new Set(Object.keys(KINDS));
    this.showing = "linked";
    this.twins = this.choosing = null;
    this.chart = histogram({
      label: "Bits in which the hashes of a pair differ",
      series: SERIES,
      handle: {
        label: "pack.near: the most bits in which linked hashes differ",
        step: 1,
        low: 0,
        high: 60,
        oninput: (radius) => this.move(radius),
      },
    });
    this.said = el("p.said", { role: "status" });
    this.value = el("output.near-value.number");
    this.numbers = el("dl.counts");
    this.write = el(
      "button.primary",
      { type: "button", disabled: true, onclick: () => this.save() },
      "Write to params.yaml…",
    );
    this.back = el(
      "button",
      { type: "button", disabled: true, onclick: () => this.move(this.twins.near) },
      "Back",
    );
    this.picture = el("select", { "aria-label": "Picture", onchange: () => this.grid.redraw() });
    this.order = el("div.slot");
    this.toggles = el(
      "div.members",
      { role: "group", "aria-label": "Kinds of links" },
      toggles(KINDS, this.kinds, () => this.choose()),
    );
    this.empty = el("div.empty", { hidden: true });
    this.grid = new Grid({
      label: "Pairs",
      make: makePair,
      draw: (card, item) => this.draw(card, item),
      clear: (card) => card.stop?.(),
      open: (item, event) => this.open(this.chosen[item], event),
      size: { least: 300, height: (width) => Math.round((width - 1) / 2) + FOOT, gap: 12, pad: 16 },
    });
    this.panel = el(
      "aside.near",
      { "aria-label": "pack.near" },
      el("header", {}, el("h2", {}, "pack.near"), this.value),
      el(
        "p.small.muted",
        {},
        "Pictures are linked if the hashes of their colors or of their lines differ in at most this many of 121 ",
        "bits. A group of linked pictures is never split.",
      ),
      legend(SERIES),
      this.chart.element,
      this.numbers,
      el("div.row", {}, this.back, this.write),
    );
    this.list = el(
      "div.pairs",
      {},
      el("div.filters", {}, this.order, el("div.spring"), this.toggles, this.picture),
      this.said,
      this.grid.element,
      this.empty,
    );
    replace(this.root, el("div.twins", {}, this.panel, this.list));
    this.panel.hidden = true;
  }

  async enter() {
    if (this.root.dataset.state === "busy") return;
    this.root.dataset.state = "busy";
    try {
      await this.load();
      this.root.dataset.state = "ready";
      solve("pictures");
    } catch (error) {
      this.fail(error);
    }
  }

  /** Ask for the twins again; the server answers at once if nothing changed. */
  async load() {
    const { columns, data } = await listColumns();
    const { path, fault } = firstColumn(columns);
    if (fault) throw new Error(fault);
    if (data.includes("://") && !this.agreed) return this.askToRead();
    if (!this.twins) this.said.textContent = "Reading the samples.";
    const twins = await getWhenReady("api/twins", { column: path }, (text) => (this.said.textContent = text));
    this.params = await getJson("api/params").catch(() => null); // without a file there is nothing to write
    this.write.hidden = this.params === null;
    if (this.twins && this.twins.index === twins.index && this.twins.near === twins.near) return;
    this.column = await openColumn(path);
    if (this.column.index.sha256 !== twins.index)
      throw new Error("The dataset was written again meanwhile: load the page again.");
    this.twins = twins;
    this.panel.hidden = this.grid.element.hidden = false;
    this.empty.hidden = true;
    const names = pictureNames(this.column.index);
    replace(
      this.picture,
      names.map((name) => el("option", { value: name }, name)),
    );
    this.picture.hidden = names.length < 2;
    this.offerLists();
    const { linked } = twins;
    this.chart.update({
      bins: { low: -1, width: 1, count: linked.colors.length },
      counts: HASHES.map((kind) => atDistance(linked[kind])),
      value: twins.near,
      before: twins.near,
    });
    this.move(twins.near);
  }

  offerLists() {
    const titles = { ...SHOWN };
    if (!this.twins.counts.leaks) delete titles.leaks; // before pack nothing can leak
    const choose = (kind) => {
      this.showing = kind;
      this.choose();
    };
    const given = { name: "twins-show", label: "Pairs", titles, chosen: this.showing, choose };
    replace(this.order, segmented(given));
  }

  /** Ask before a dataset behind a URL is read whole. */
  askToRead() {
    const agree = () => {
      this.agreed = true;
      this.enter();
    };
    this.grid.element.hidden = true;
    this.empty.hidden = false;
    replace(
      this.empty,
      el("h2", {}, "The dataset is behind a URL"),
      el("p", {}, "To compare its pictures, the studio reads all of it once."),
      el("button.primary", { type: "button", onclick: agree }, "Read it"),
    );
  }

  /** Show another radius. */
  move(radius) {
    this.radius = Math.min(radius, this.twins.linked.colors.length - 1);
    this.chart.update({ value: this.radius });
    const changed = this.radius !== this.twins.near;
    this.value.textContent = changed ? `${this.radius} (now ${this.twins.near})` : String(this.radius);
    this.write.disabled = this.back.disabled = !changed;
    this.showCounts();
    this.chooseSoon();
  }

  /** Say the counts at the radius, and as they are now. */
  showCounts() {
    const { linked, counts, near, packed, samples } = this.twins;
    const row = (title, all, why = "") => {
      const difference = all[this.radius] - all[near];
      const change = difference ? `${difference > 0 ? "+" : "−"}${formatNumber(Math.abs(difference))}` : "";
      return [
        el("dt", why ? { title: why } : {}, title),
        el("dd.number", {}, formatNumber(all[this.radius])),
        el("dd.number.change", {}, change),
      ];
    };
    const splits = ["train", "val", "test"].map((name) =>
      row(name, counts[name], packed ? `${packed[name] ?? 0} as packed` : ""),
    );
    replace(
      this.numbers,
      el("h3", {}, "Linked pairs"),
      Object.entries(KINDS).map(([kind, title]) => row(title, linked[kind])),
      el("h3", {}, `Groups of ${formatNumber(samples)} samples`),
      row("groups", counts.groups),
      row("samples in the largest", counts.largest),
      el("h3", {}, "Pairs in two splits"),
      row("torn without groups", counts.torn, "If each picture were split by itself"),
      counts.leaks
        ? row("leaks of the packed dataset", counts.leaks, "Linked pairs that are in two of its splits")
        : null,
      el("h3", {}, "Samples after pack"),
      splits,
    );
  }

  /** List the pairs once a frame, however often the handle moves. */
  chooseSoon() {
    this.choosing ??= requestAnimationFrame(() => {
      this.choosing = null;
      this.choose();
    });
  }

  choose() {
    if (!this.twins) return;
    this.chosen = choosePairs(this.twins, { radius: this.radius, kinds: this.kinds, show: this.showing });
    const count = this.chosen.length;
    const order = this.showing === "outside" ? "the nearest first" : "the weakest links first";
    const said = count === 1 ? "1 pair" : `${formatNumber(count)} pairs${count ? `, ${order}` : ""}`;
    const most = `The list has at most ${formatNumber(this.twins.each)} of each kind and distance.`;
    this.said.textContent = this.twins.whole ? said : `${said}. ${most} The counts are of all.`;
    this.grid.element.hidden = count === 0;
    this.empty.hidden = count > 0;
    replace(this.empty, el("h2", {}, "No pair"), el("p", {}, EMPTY[this.showing]));
    this.grid.setCount(count);
    this.root.dataset.pairs = count;
  }

  draw(card, item) {
    const pair = this.chosen[item];
    const { pairs, rows, now, alone } = this.twins;
    const stops = ["left", "right"].map((side) => {
      const at = pairs[side][pair];
      const { image, key, split } = card.sides[side];
      key.textContent = keyOf(this.column.index, rows[at]);
      split.textContent = this.showing === "torn" || !now[at] ? alone[at] : now[at];
      return this.pictures.show(this.column, rows[at], [
        [image, suffixOf(this.column.index, rows[at], this.picture.value)],
      ]);
    });
    card.stop = () => stops.forEach((stop) => stop());
    const torn = this.showing === "torn" ? alone : now;
    card.dataset.torn = torn[pairs.left[pair]] !== torn[pairs.right[pair]];
    replace(
      card.links,
      Object.entries(KINDS).map(([kind, title]) => this.badge(kind, title, pairs[kind][pair])),
    );
  }

  badge(kind, title, value) {
    if (!HASHES.includes(kind))
      return value ? el("span.badge.link", { data: { linked: true } }, title) : null;
    const text = value === FAR ? `${kind} –` : `${kind} ${value}`;
    const tip =
      value === FAR ? "One picture has no such hash" : `The hashes of their ${kind} differ in ${value} bits`;
    return el("span.badge.link.number", { title: tip, data: { linked: value <= this.radius, kind } }, text);
  }

  /** Open the left sample, or the right one by a click on it or with Shift. */
  open(pair, event) {
    const right = event.shiftKey || event.target.closest?.("[data-side=right]");
    const row = this.twins.rows[this.twins.pairs[right ? "right" : "left"][pair]];
    location.hash = ["dataset", this.column.name, keyOf(this.column.index, row)]
      .map(encodeURIComponent)
      .join("/");
  }

  async save() {
    if (await writeParams("pack", { near: this.radius }, this.params.sha256)) await this.enter();
  }

  fail(error) {
    this.root.dataset.state = "failed";
    this.said.textContent = "";
    this.twins = null;
    this.panel.hidden = this.grid.element.hidden = true;
    this.empty.hidden = false;
    const again = el("button", { type: "button", onclick: () => this.enter() }, "Try again");
    replace(this.empty, el("h2", {}, "Nothing to compare"), el("p", {}, error.message), again);
  }
}

const EMPTY = {
  linked: "Nothing links two pictures at this radius by the chosen kinds.",
  torn: "A split of single pictures would tear no linked pair apart.",
  leaks: "No linked pair is in two splits: nothing leaks.",
  outside: "No other pair is near enough to be listed.",
};

function makePair() {
  const sides = {};
  const side = (name) => {
    sides[name] = {
      image: el("img", { alt: "", decoding: "async", draggable: "false" }),
      key: el("span.mono"),
      split: el("span.muted"),
    };
    return el(
      "div.side",
      { data: { side: name } },
      sides[name].image,
      el("div.caption", {}, sides[name].key, sides[name].split),
    );
  };
  const links = el("div.links");
  return Object.assign(el("div.card.pair", {}, el("div.both", {}, side("left"), side("right")), links), {
    sides,
    links,
    stop: null,
  });
}
