/**
 * Limits: the scores of all pictures with the limits of clean, and what other limits would change.
 *
 * The page decides by itself (engine/limits.js), so that all counts follow a handle while it moves.
 */

import { getJson } from "../api.js";
import { legend } from "../charts.js";
import { el, notify, replace } from "../dom.js";
import { decide, differing, limitsOf, readPictures } from "../engine/limits.js";
import { writeParams } from "../paramsdialog.js";
import { openPicture, showStrip, sourceOf } from "./limits/picture.js";
import { FATES, Row } from "./limits/row.js";
import { Summary } from "./limits/summary.js";

const CALM = 160; // milliseconds without a change after which pictures are asked for

export async function show(root) {
  await new Screen(root).load();
}

/** The limits as they are set now, the decision that follows, and the parts of the screen that show it. */
class Screen {
  constructor(root) {
    this.root = root;
  }

  /** Ask for the scores and show them, or say why there are none. */
  async load() {
    this.root.dataset.state = "busy";
    replace(this.root, el("div.empty", {}, el("span.spinner"), "Reading scores"));
    try {
      this.take(await getJson("api/limits"));
      this.root.dataset.state = "ready";
    } catch (error) {
      const again = el("button", { type: "button", onclick: () => this.load() }, "Try again");
      const head = el("h2", {}, "No scores to show");
      replace(this.root, el("div.empty", { role: "alert" }, head, el("p", {}, error.message), again));
      this.root.dataset.state = "failed";
    }
  }

  take(answer) {
    this.answer = answer;
    this.pictures = readPictures(answer);
    this.limits = limitsOf(answer.rules);
    this.decision = null;
    this.rows = answer.rules.map((rule, index) => new Row(this, rule, index + 1));
    this.summary = new Summary(this);
    const rows = this.rows.map(({ element }) => element);
    const columns = el("div.columns", {}, el("div.rows", {}, rows), this.summary.element);
    const head = el("header", {}, el("h1", {}, "Limits"), legend(FATES));
    replace(this.root, el("div.page.limits", {}, head, columns, this.summary.bar));
    this.update();
  }

  /** Set a limit, and draw what follows with the next frame. */
  set(name, value) {
    this.limits[name] = value;
    this.frame ||= requestAnimationFrame(() => this.update());
  }

  update() {
    this.frame = 0;
    const earlier = this.decision;
    this.decision = decide(this.answer, this.limits, this.pictures);
    const places = earlier ? differing(earlier.verdicts, this.decision.verdicts) : [];
    for (const row of this.rows) row.update(earlier, places);
    this.summary.update();
    clearTimeout(this.calm);
    this.calm = setTimeout(() => this.showPictures(), CALM);
  }

  showPictures() {
    for (const row of this.rows) row.showPictures();
    this.summary.showPictures();
  }

  /** Return the limits that differ from params.yaml, by name. */
  changed() {
    const changed = this.answer.rules.filter(({ limit, value }) => this.limits[limit] !== value);
    return Object.fromEntries(changed.map(({ limit }) => [limit, this.limits[limit]]));
  }

  reset() {
    this.limits = limitsOf(this.answer.rules);
    for (const row of this.rows) row.fit();
    this.update();
  }

  async write() {
    const { params, rules } = this.answer;
    const values = this.changed();
    const sha256 = await writeParams("clean", values, params.sha256);
    if (!sha256) return;
    params.sha256 = sha256;
    for (const rule of rules) rule.value = values[rule.limit] ?? rule.value;
    this.update();
    notify(`${params.file} is written. The next dvc repro makes the dataset by it.`, { kind: "news" });
  }

  /** Show pictures by their places, side by side; each opens large. */
  strip(element, places) {
    const pictures = places.map((place) => ({
      key: this.pictures.keys[place],
      source: sourceOf(this.pictures, place, 128),
      open: () => openPicture(this, place),
    }));
    showStrip(element, pictures);
  }

  /** Take the lists by hand after an edit. */
  choose(choices) {
    this.answer.choices = choices;
    this.update();
  }
}
