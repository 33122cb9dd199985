/**
 * Sketches: one picture drawn by the entries of params.yaml, by all methods and by the published presets, and
 * a sketch of one's own with live parameters, which can become a new entry.
 */

import { getJson, request } from "../api.js";
import { el, replace, solve } from "../dom.js";
import { entryOf } from "../sketchparams.js";
import { OwnSketch } from "./ownsketch.js";
import { PictureChoice } from "./picturechoice.js";
import { View, formatPercent } from "./sketchview.js";

const AT_ONCE = 3; // sketches to ask for
const FACTS = "X-Inkwash-Sketch";
const METHOD_TITLES = {
  threshold: "Threshold, Gaussian mean",
  mean: "Threshold, plain mean",
  "xdog-a": "XDoG, form A",
  "xdog-p": "XDoG, form P",
  canny: "Canny",
  dog: "Difference of Gaussians",
  pencil: "Pencil",
  learned: "Learned",
  own: "The artist's own",
};

export async function show(root) {
  root.dataset.state = "busy";
  let rules, project;
  try {
    [rules, project] = await Promise.all([getJson("api/sketch"), getJson("api/project")]);
  } catch (error) {
    root.dataset.state = "failed";
    return replace(root, el("div.empty", {}, el("h2", {}, "No sketches"), el("p", {}, error.message)));
  }
  const screen = new Screen(root, rules, project.columns);
  root.addEventListener("enter", ({ detail }) => screen.enter(detail));
}

class Screen {
  constructor(root, rules, columns) {
    Object.assign(this, rules);
    this.root = root;
    this.picture = null; // {key, column} or {key, file, square}
    this.busy = 0;
    this.through = gate(AT_ONCE);
    this.defaults = Object.fromEntries(rules.controls.map((control) => [control.name, control.default]));
    this.choice = new PictureChoice(this, columns);
    this.groups = this.makeGroups();
    this.own = new OwnSketch(this);
    this.compared = el(
      "div.tiles-side",
      {},
      this.groups.map(({ element }) => element),
    );
    const body = el("div.sketching", {}, this.compared, this.own.element);
    const title = el("h1.visually-hidden", {}, "Sketches");
    replace(root, el("div.page.sketches", {}, title, this.choice.element, body));
    this.listenForFiles();
  }

  /** Show the picture that the address names; without one the first, if none was shown yet. */
  async enter([column, key] = []) {
    if (column && key) this.choice.choose(column, key);
    if (this.entered) return;
    this.entered = true;
    this.own.take(this.groups[0].tiles[0] ?? this.groups[1].tiles[0], false);
    await this.choice.begin();
    this.settle(0);
  }

  makeGroups() {
    const entries = this.entries.map(({ name, sketch, fault }) => {
      const note = sketch && (sketch.preset === "none" ? sketch.method : sketch.preset);
      return new Tile(this, name, sketch ? note : "", sketch ?? null, fault);
    });
    const methods = this.controls
      .find(({ name }) => name === "method")
      .names.map((method) => {
        const known = this.entries.find(({ sketch }) => sketch?.method === "learned");
        const values = method === "learned" && known ? known.sketch : { ...this.defaults, method };
        return new Tile(this, METHOD_TITLES[method] ?? method, method, values);
      });
    const presets = Object.keys(this.presets).map(
      (preset) => new Tile(this, preset, "", { ...this.defaults, preset }),
    );
    return [
      new Group("In params.yaml", entries, true, "params.yaml has no sketches yet."),
      new Group("Methods, with their defaults", methods, true),
      new Group("Published presets of XDoG", presets, false),
    ];
  }

  /** Show the entries of params.yaml as they are now, and choose one of them. */
  async renew(name) {
    const open = this.groups.map(({ element }) => element.open);
    Object.assign(this, await getJson("api/sketch"));
    this.groups = this.makeGroups();
    this.groups.forEach(({ element }, index) => (element.open = open[index]));
    replace(
      this.compared,
      this.groups.map(({ element }) => element),
    );
    for (const group of this.groups) group.outdate();
    this.own.take(
      this.groups[0].tiles.find(({ title }) => title === name),
      false,
    );
  }

  /** Show another picture, in every tile. */
  show(picture) {
    this.picture = picture;
    solve("sketches");
    for (const group of this.groups) group.outdate();
    this.own.redraw();
  }

  /** Say in a sentence why the picture cannot be drawn like this; "" if nothing speaks against it. */
  doubt(values) {
    if (values.preset !== "none") return "";
    if (values.method === "learned" && !values.weights) {
      return "A learned method needs weights: name them in an entry of params.yaml, with its method.";
    }
    const { members } = this.choice.columns.find(({ path }) => path === this.picture.column) ?? {
      members: {},
    };
    const own = members["sketch.png"] ?? members["sketch-own.png"];
    return values.method === "own" && !own ? "This picture came without a sketch by its artist." : "";
  }

  /** Draw the picture; return the PNG and what the server tells of it. */
  async draw(values, picture = this.picture) {
    const { key, column, file, square } = picture;
    const given = { sketch: JSON.stringify(entryOf(values, this.controls)), key };
    if (column) given.column = column;
    if (square) given.square = 1;
    const path = `api/sketch?${new URLSearchParams(given)}`;
    const answer = await this.through(() => request(path, { method: "POST", body: file ?? null }));
    return { blob: await answer.blob(), facts: JSON.parse(answer.headers.get(FACTS)) };
  }

  settle(change) {
    this.busy += change;
    this.root.dataset.state = this.busy ? "busy" : "ready";
  }

  listenForFiles() {
    const { root } = this;
    const take = (files) => {
      const file = [...(files ?? [])].find((each) => each.type.startsWith("image/")) ?? files?.[0];
      if (file) this.choice.takeFile(file);
      return Boolean(file);
    };
    root.addEventListener("dragover", (event) => {
      event.preventDefault();
      root.dataset.drop = "";
    });
    root.addEventListener("dragleave", () => delete root.dataset.drop);
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      delete root.dataset.drop;
      take(event.dataTransfer?.files);
    });
    addEventListener("paste", (event) => {
      if (!root.hidden && take(event.clipboardData?.files)) event.preventDefault();
    });
  }
}

/** Lets `most` calls run at once; the others wait in their order. */
function gate(most) {
  let open = 0;
  const waiting = [];
  return async (work) => {
    if (open >= most) await new Promise((go) => waiting.push(go));
    open++;
    try {
      return await work();
    } finally {
      open--;
      waiting.shift()?.();
    }
  };
}

/** Sketches under a heading; those of a closed group are drawn when it is opened. */
class Group {
  constructor(title, tiles, open, empty = "") {
    this.tiles = tiles;
    const grid = tiles.length
      ? el(
          "div.tiles",
          {},
          tiles.map(({ element }) => element),
        )
      : el("p.muted", {}, empty);
    this.element = el("details.tile-group", { open }, el("summary", {}, el("h2", {}, title)), grid);
    this.element.addEventListener("toggle", () => this.shown && this.redraw());
  }

  get shown() {
    return this.element.open;
  }

  outdate() {
    for (const tile of this.tiles) tile.outdated = true;
    if (this.shown) this.redraw();
  }

  redraw() {
    for (const tile of this.tiles) if (tile.outdated) tile.redraw();
  }
}

/** A sketch with fixed parameters. */
class Tile {
  constructor(screen, title, note, values, fault = "") {
    Object.assign(this, { screen, title, values, fault, outdated: true });
    this.view = new View(screen);
    this.complexity = el("span.badge.number");
    const words = el(
      "span.tile-words",
      {},
      el("strong", {}, title),
      note && note !== title ? el("span.muted", {}, note) : null,
    );
    this.element = el(
      "button.tile",
      { type: "button", disabled: !values, onclick: () => screen.own.take(this) },
      this.view.element,
      el("span.tile-foot", {}, words, this.complexity),
    );
    if (fault) this.view.fail(fault);
  }

  async redraw() {
    this.outdated = false;
    if (!this.values || !this.screen.picture) return;
    const facts = await this.view.draw(this.values);
    if (facts !== undefined) this.complexity.textContent = facts ? formatPercent(facts.complexity) : "";
  }
}
