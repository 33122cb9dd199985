/**
 * The samples of a column as a grid, straight from the shards by byte ranges, and one of them large.
 *
 * The address is #dataset/COLUMN for the grid and #dataset/COLUMN/KEY for a sample.
 */

import { request } from "../api.js";
import { formatNumber } from "../charts.js";
import { firstColumn, getWhenReady, listColumns, openColumn } from "../columns.js";
import { segmented, tellFault, toggles } from "../controls.js";
import { el, icon, iconButton, notify, replace, solve } from "../dom.js";
import { Grid } from "../grid.js";
import { Pictures } from "../pictures.js";
import { countRows, findRow, keyOf, pictureNames, splitOf, suffixOf } from "../shards.js";
import { SampleView } from "./sample.js";

const SIDES = { S: 96, M: 144, L: 224 }; // of a picture in the grid, in pixels
const CAPTION = 28; // pixels of a card below its pictures
const WRITING = "input:not([type=radio], [type=checkbox]), textarea";
const USES_ARROWS = "input, textarea, select, pre";
const SPLITS = ["train", "val", "test"];
const TYPING = 180; // milliseconds without a key before a search is sent

export function show(root) {
  const screen = new DatasetScreen(root);
  root.addEventListener("enter", ({ detail: [column, key] }) => screen.enter(column, key));
  addEventListener("keydown", (event) => screen.press(event));
}

class DatasetScreen {
  constructor(root) {
    this.root = root;
    this.pictures = new Pictures(request, tellFault);
    this.columns = [];
    this.column = null;
    this.rows = null; // those that the search found; null for all
    this.names = new Set(); // of the pictures that are shown of each sample
    this.side = "M";
    this.split = "";
    this.build();
  }

  build() {
    this.select = el("select", { "aria-label": "Column", onchange: () => this.visit(this.select.value) });
    this.search = el("input.query", {
      type: "search",
      placeholder: "Search tags, artist:, license:, key …",
      "aria-label": "Search",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "off",
      list: "dataset-words",
      "aria-describedby": "dataset-said",
      oninput: () => this.type(),
      onkeydown: (event) => event.key === "Enter" && this.find(),
    });
    this.words = el("datalist", { id: "dataset-words" });
    this.splits = el("div.slot");
    this.shown = el("div.members", { role: "group", "aria-label": "Pictures of each sample" });
    this.sizes = segmented({
      name: "dataset-size",
      label: "Size of the pictures",
      titles: Object.fromEntries(Object.keys(SIDES).map((side) => [side, side])),
      chosen: this.side,
      choose: (side) => this.resize(side),
    });
    this.said = el("p.said", { id: "dataset-said", role: "status" });
    this.help = el("div.panel.query-help", { hidden: true, id: "dataset-help" });
    this.helper = iconButton("help", "How to search", {
      "aria-expanded": "false",
      "aria-controls": "dataset-help",
      onclick: () => this.toggleHelp(),
    });
    this.grid = new Grid({
      label: "Samples",
      make: makeCard,
      draw: (card, item) => this.draw(card, item),
      clear: (card) => card.stop?.(),
      open: (item) => this.visit(this.column.name, keyOf(this.column.index, this.rowOf(item))),
      size: this.cardSize(),
    });
    this.empty = el("div.empty", { hidden: true });
    this.browser = el(
      "div.browser",
      {},
      el(
        "div.filters",
        {},
        this.select,
        el("div.search-box", {}, icon("search"), this.search, this.words, this.helper),
        this.splits,
        el("div.shown", {}, this.shown, this.sizes),
      ),
      this.help,
      this.said,
      this.grid.element,
      this.empty,
    );
    this.sample = new SampleView({
      pictures: this.pictures,
      close: () => this.visit(this.column.name),
      open: (key) => this.visit(this.column.name, key),
      search: (word) => this.searchFor(word),
    });
    replace(this.root, this.browser, this.sample.element);
  }

  visit(column, key) {
    location.hash = ["dataset", column, ...(key === undefined ? [] : [key])]
      .map(encodeURIComponent)
      .join("/");
  }

  /** Show what the address names; without a column, the one that was open. A later call wins. */
  async enter(name, key) {
    const { signal } = this.begin();
    this.root.dataset.state = "busy";
    try {
      if (!this.columns.length) await this.list();
      const wanted = name ?? this.column?.name ?? firstColumn(this.columns).path;
      if (!signal.aborted && this.column?.name !== wanted) await this.load(wanted, signal);
      if (signal.aborted) return;
      this.showSample(key);
      this.root.dataset.state = "ready";
      solve("pictures");
    } catch (error) {
      if (!signal.aborted) this.fail(error);
    }
  }

  begin() {
    this.entering?.abort();
    this.entering = new AbortController();
    return this.entering;
  }

  async list() {
    this.say("Looking for columns.");
    const project = await listColumns();
    this.columns = project.columns;
    this.isRemote = project.data.includes("://"); // a search reads all of it
    const options = this.columns.map(({ path, samples, fault }) =>
      el("option", { value: path }, fault ? `${path} (broken)` : `${path} · ${formatNumber(samples)}`),
    );
    replace(this.select, options);
  }

  async load(name, signal) {
    const known = this.columns.find((each) => each.path === name);
    if (known) this.select.value = name;
    if (known?.fault) throw new Error(known.fault);
    this.finding?.abort();
    this.suggesting?.abort();
    this.column = null;
    this.grid.setCount(0);
    this.say("Reading the index.");
    const column = await openColumn(name);
    if (signal.aborted) return;
    this.column = column;
    this.search.value = "";
    this.split = "";
    this.hasWords = false;
    this.offerSplits(known?.splits ?? {});
    this.offerPictures(pictureNames(column.index));
    this.showRows(null);
    if (!this.isRemote) this.suggest();
  }

  offerSplits(splits) {
    const names = SPLITS.filter((name) => name in splits);
    const titles = { "": "All", ...Object.fromEntries(names.map((name) => [name, name])) };
    const choose = (split) => {
      this.split = split;
      this.find();
    };
    const group = segmented({ name: "dataset-split", label: "Split", titles, chosen: "", choose });
    replace(this.splits, names.length ? group : null);
  }

  offerPictures(names) {
    const kept = names.filter((name) => this.names.has(name));
    const sketch = names.find((name) => name.startsWith("sketch"));
    this.names = new Set(kept.length ? kept : [names[0], sketch].filter(Boolean));
    this.shown.hidden = names.length < 2;
    const titles = Object.fromEntries(names.map((name) => [name, name]));
    replace(
      this.shown,
      toggles(titles, this.names, () => this.grid.setSize(this.cardSize())),
    );
    this.grid.setSize(this.cardSize());
  }

  resize(side) {
    this.side = side;
    this.grid.setSize(this.cardSize());
  }

  cardSize() {
    const across = Math.max(1, this.names.size);
    return {
      least: SIDES[this.side] * across + across - 1,
      height: (width) => Math.round((width - (across - 1)) / across) + CAPTION,
      gap: 10,
      pad: 16,
    };
  }

  rowOf(item) {
    return this.rows ? this.rows[item] : item;
  }

  draw(card, item) {
    const { index } = this.column;
    const row = this.rowOf(item);
    const wanted = [...this.names].map((name) => suffixOf(index, row, name));
    const images = card.firstChild;
    while (images.children.length < wanted.length)
      images.append(el("img", { alt: "", decoding: "async", draggable: "false" }));
    while (images.children.length > wanted.length) images.lastChild.remove();
    card.caption.nodeValue = keyOf(index, row);
    card.mark.nodeValue = splitOf(index, row);
    card.stop = this.pictures.show(
      this.column,
      row,
      wanted.map((suffix, at) => [images.children[at], suffix]),
    );
  }

  type() {
    clearTimeout(this.typing);
    if (this.isRemote && !this.hasWords)
      this.say("Enter searches. The first search reads the whole dataset.");
    else this.typing = setTimeout(() => this.find(), TYPING);
  }

  searchFor(word) {
    this.search.value = word;
    this.visit(this.column.name);
    this.find();
  }

  /** Show the samples that the search and the split choose. */
  async find() {
    clearTimeout(this.typing);
    this.finding?.abort();
    if (!this.column) return;
    const { signal } = (this.finding = new AbortController());
    const query = this.search.value.trim();
    this.search.removeAttribute("aria-invalid");
    if (!query) {
      this.showRows(this.split ? rowsOfSplit(this.column.index, this.split) : null);
      return;
    }
    this.root.dataset.search = "busy";
    try {
      const given = { column: this.column.name, q: query, split: this.split };
      const answer = await getWhenReady("api/samples", given, (text) => this.say(text), signal);
      if (answer.index !== this.column.index.sha256)
        throw new Error("This column was written again: load the page again.");
      this.offerWords(answer);
      this.showRows(Uint32Array.from(answer.rows));
      this.root.dataset.search = "ready";
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.search.setAttribute("aria-invalid", "true");
      this.say(error.message);
      this.root.dataset.search = "failed";
    }
  }

  /** Ask for the words of the column in the background, so that the first search finds its table. */
  async suggest() {
    this.suggesting?.abort();
    const { signal } = (this.suggesting = new AbortController());
    const name = this.column.name;
    try {
      const answer = await getWhenReady("api/samples", { column: name, q: "key:" }, () => {}, signal);
      if (this.column?.name === name) this.offerWords(answer);
    } catch {
      // A search says it.
    }
  }

  offerWords({ words, scores }) {
    const typed = this.search.value.replace(/\S*$/, "");
    replace(
      this.words,
      words.map(([word, count]) => el("option", { value: typed + word }, `${formatNumber(count)} samples`)),
    );
    this.scores = scores;
    this.hasWords = true;
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    this.helper.setAttribute("aria-expanded", String(!this.help.hidden));
    const lines = [
      ["long_hair blue_eyes", "both tags; a key works as well"],
      ["-hat blue_*", "not this tag, and one that begins so"],
      ["artist:NAME license:cc0 split:test", "by names; commas mean or: split:val,test"],
      ["group:12 key:0000001*", "by the group, or by a part of the key"],
      ["colorfulness:>40 id:100..200", `by numbers: ${(this.scores ?? ["score"]).join(", ")}`],
    ];
    replace(
      this.help,
      el(
        "dl",
        {},
        lines.map(([words, meaning]) => [el("dt", {}, el("code", {}, words)), el("dd", {}, meaning)]),
      ),
    );
  }

  showRows(rows) {
    this.rows = rows;
    const [found, all] = [rows ? rows.length : countRows(this.column.index), countRows(this.column.index)];
    this.say(
      found === all
        ? `${formatNumber(all)} samples`
        : `${formatNumber(found)} of ${formatNumber(all)} samples`,
    );
    this.grid.setCount(found);
    this.grid.element.hidden = found === 0;
    this.empty.hidden = found > 0;
    replace(
      this.empty,
      el("h2", {}, all ? "No sample fits" : "This column is empty"),
      el(
        "p",
        {},
        all
          ? "Take a word out of the search, or choose another split."
          : "Its stage rejected all samples: the screen Limits says why.",
      ),
    );
    this.root.dataset.rows = found;
  }

  showSample(key) {
    const row = key === undefined ? -1 : findRow(this.column.index, key);
    if (key !== undefined && row < 0)
      notify(`${this.column.name} has no sample ${key}.`, { key: "dataset-key" });
    else solve("dataset-key");
    const opened = row >= 0;
    const before = !this.sample.element.hidden;
    this.browser.hidden = opened;
    if (opened) this.sample.show(this.column, row, this.neighbors(row));
    else this.sample.hide();
    if (opened || !before) return;
    this.grid.go(this.grid.active); // which the arrows may have moved while the grid was hidden
    if (document.activeElement !== this.search) this.grid.element.focus({ preventScroll: true });
  }

  /** Return the place of a row in what the search found, or else in the column, and the keys beside it. */
  neighbors(row) {
    const { index } = this.column;
    const item = this.rows ? this.rows.indexOf(row) : row;
    const rows = item < 0 ? null : this.rows;
    const [at, count] = [item < 0 ? row : item, rows ? rows.length : countRows(index)];
    if (item >= 0) this.grid.go(item);
    const key = (place) => (place >= 0 && place < count ? keyOf(index, rows ? rows[place] : place) : null);
    return { at, count, before: key(at - 1), after: key(at + 1) };
  }

  press(event) {
    if (this.root.hidden || event.altKey || event.ctrlKey || event.metaKey) return;
    const writing = event.target.closest?.(WRITING);
    const opened = !this.sample.element.hidden;
    if (event.key === "/" && !writing) {
      event.preventDefault();
      if (opened) this.visit(this.column.name);
      this.browser.hidden = false;
      this.search.focus();
      this.search.select();
    } else if (event.key === "Escape" && writing) {
      if (writing === this.search) this.grid.element.focus();
      else writing.blur();
    } else if (event.key === "Escape" && opened) this.sample.close();
    else if (opened && !event.target.closest?.(USES_ARROWS)) this.sample.press(event);
  }

  say(text) {
    this.said.textContent = text;
  }

  fail(error) {
    this.root.dataset.state = "failed";
    this.columns = []; // there may be others now
    this.column = null;
    this.say("");
    this.browser.hidden = false;
    this.sample.hide();
    this.grid.element.hidden = true;
    this.empty.hidden = false;
    const again = () => this.enter(...location.hash.split("/").slice(1).map(decodeURIComponent));
    replace(
      this.empty,
      el("h2", {}, "Nothing to show"),
      el("p", {}, error.message),
      el("button", { type: "button", onclick: again }, "Try again"),
    );
  }
}

function makeCard() {
  const caption = document.createTextNode("");
  const mark = document.createTextNode("");
  const card = el(
    "div.card.sample-card",
    {},
    el("div.images"),
    el("div.caption", {}, el("span.mono", {}, caption), el("span.muted", {}, mark)),
  );
  return Object.assign(card, { caption, mark, stop: null });
}

function rowsOfSplit(index, split) {
  const shards = index.shards.map((name) => name.startsWith(`${split}-`));
  const rows = new Uint32Array(countRows(index));
  let count = 0;
  for (let row = 0; row < rows.length; row += 1) if (shards[index.shard[row]]) rows[count++] = row;
  return rows.slice(0, count);
}
