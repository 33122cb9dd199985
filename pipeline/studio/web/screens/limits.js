/**
 * Limits: the scores of all pictures with the limits of clean, and what other limits would change.
 *
 * The page decides by itself (engine/limits.js), so that all counts follow a handle while it moves.
 */

import { getJson } from "../api.js";
import { binIndices, chooseBins, formatNumber, histogram, legend, waterfall } from "../charts.js";
import { chooser } from "../choosing.js";
import { el, icon, iconButton, notify, replace } from "../dom.js";
import { KEPT, changes, countByFate, decide, droppedBy, limitsOf, nearestTo, readPictures } from "../engine/limits.js";
import { writeParams } from "../paramsdialog.js";

const FATES = [
  { name: "kept", kind: "a" },
  { name: "newly kept", kind: "a-new" },
  { name: "rejected by this limit", kind: "b" },
  { name: "newly rejected", kind: "b-new" },
  { name: "rejected otherwise", kind: "rest" },
];
const BESIDE = 6; // pictures shown on either side of a limit
const MOST_CHANGES = 24; // pictures shown of those that enter or leave
const CALM = 160; // milliseconds without a change after which pictures are asked for

export async function show(root) {
  const screen = new Screen(root);
  await screen.load();
}

class Screen {
  constructor(root) {
    this.root = root;
  }

  /** Ask for the scores, and show them; without them, say why. */
  async load() {
    this.root.dataset.state = "busy";
    replace(this.root, el("div.empty", {}, el("span.spinner"), "Reading scores"));
    try {
      this.take(await getJson("api/limits"));
      this.root.dataset.state = "ready";
    } catch (error) {
      const again = el("button", { type: "button", onclick: () => this.load() }, "Try again");
      replace(this.root, el("div.empty", { role: "alert" }, el("h2", {}, "No scores to show"), error.message, again));
      this.root.dataset.state = "failed";
    }
  }

  take(answer) {
    this.answer = answer;
    this.pictures = readPictures(answer);
    this.limits = limitsOf(answer.rules);
    this.rows = answer.rules.map((rule, index) => new Row(this, rule, index + 1));
    this.summary = new Summary(this);
    replace(
      this.root,
      el(
        "div.page.limits",
        {},
        el("header", {}, el("h1", {}, "Limits"), legend(FATES)),
        el("div.columns", {}, el("div.rows", {}, this.rows.map(({ element }) => element)), this.summary.element),
        this.summary.bar,
      ),
    );
    this.update();
  }

  /** Set a limit, and draw what follows before the next frame. */
  set(name, value) {
    this.limits[name] = value;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => this.update());
  }

  update() {
    this.frame = 0;
    this.decision = decide(this.answer, this.limits, this.pictures);
    for (const row of this.rows) row.update();
    this.summary.update();
    clearTimeout(this.calm);
    this.calm = setTimeout(() => this.showPictures(), CALM);
  }

  showPictures() {
    for (const row of this.rows) row.showPictures();
    this.summary.showPictures();
  }

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
    const values = this.changed();
    const sha256 = await writeParams("clean", values, this.answer.params.sha256);
    if (!sha256) return;
    this.answer.params.sha256 = sha256;
    for (const rule of this.answer.rules) rule.value = values[rule.limit] ?? rule.value;
    this.update();
    notify(`${this.answer.params.file} is written. The next dvc repro makes the dataset by it.`, { kind: "news" });
  }

  /** Show one picture large, with its scores and what a person may decide about it. */
  open(index) {
    const key = this.pictures.keys[index];
    const head = el("h2", {}, key);
    const verdict = el("p", {});
    const scores = el("tbody");
    const tell = () => {
      replace(verdict, this.verdictOn(index));
      replace(scores, this.answer.rules.map((rule) => this.scoreRow(rule, index)));
    };
    const onchange = (choices) => {
      this.answer.choices = choices;
      this.update();
      tell();
    };
    const dialog = el(
      "dialog.limits-picture",
      { "aria-label": key, onclose: () => dialog.remove() },
      el("header", {}, head, iconButton("close", "Close", { onclick: () => dialog.close() })),
      el(
        "div.body",
        {},
        el("img", { alt: key, src: this.source(index, 512) }),
        el(
          "div.judged",
          {},
          verdict,
          chooser(key, { choices: this.answer.choices, onchange }),
          el("div.scroll", {}, el("table.small", {}, el("thead", {}, el("tr", {}, scoreHeads())), scores)),
        ),
      ),
    );
    tell();
    document.body.append(dialog);
    dialog.showModal();
  }

  verdictOn(index) {
    const verdict = this.decision.verdicts[index];
    const { rules, choices } = this.answer;
    const key = this.pictures.keys[index];
    if (verdict === KEPT) return Object.hasOwn(choices.keep, key) ? `Kept by hand: ${choices.keep[key]}` : "Kept.";
    if (verdict <= rules.length) return `Rejected: ${rules[verdict - 1].reason}.`;
    return verdict === droppedBy(rules) ? `Dropped by hand: ${choices.drop[key]}` : "Rejected: a duplicate.";
  }

  scoreRow({ limit, least, score, reason }, index) {
    const value = this.pictures.scores[score][index];
    const bound = this.limits[limit];
    const broken = least ? value < bound : value > bound;
    return el(
      "tr",
      { data: { broken } },
      el("td", {}, limit),
      el("td.number", {}, formatNumber(value)),
      el("td.number", {}, `${least ? "≥" : "≤"} ${formatNumber(bound)}`),
      el("td", {}, broken ? reason : "fine"),
    );
  }

  source(index, side) {
    const column = this.pictures.kept[index] ? "color" : "original";
    return `api/thumb?${new URLSearchParams({ column, key: this.pictures.keys[index], side })}`;
  }

  /** Make a strip of pictures that open when they are clicked. */
  strip(indices) {
    return indices.map((index) => {
      const key = this.pictures.keys[index];
      const image = el("img", { src: this.source(index, 128), alt: key, loading: "lazy", onerror: hideImage });
      return el("button.picture", { type: "button", title: key, onclick: () => this.open(index) }, image);
    });
  }
}

/** A picture that cannot be read leaves its key. */
function hideImage({ target }) {
  target.replaceWith(target.alt);
}

const scoreHeads = () => ["Limit", "Score", "Must be", ""].map((name) => el("th", { scope: "col" }, name));

/** One limit: its histogram, a field for its value, and the pictures on both sides. */
class Row {
  constructor(screen, rule, number) {
    Object.assign(this, { screen, rule, number });
    this.values = screen.pictures.scores[rule.score];
    this.sorted = this.values.slice().sort();
    const label = `${rule.limit}, ${rule.least ? "at least" : "at most"}`;
    const { low, high, integer } = rule;
    this.field = el("input.number", {
      type: "number", step: integer ? 1 : "any", min: low, max: high, "aria-label": label, oninput: () => this.read(),
      onchange: () => this.fit(true),
    });
    this.undo = iconButton("undo", `Back to params.yaml: ${rule.limit}`, { onclick: () => this.moveTo(rule.value, true) });
    this.chart = histogram({
      label: `${rule.limit}: ${rule.help}`,
      series: FATES,
      handle: {
        label, step: integer ? 1 : undefined, low: low ?? undefined, high: high ?? undefined,
        oninput: (value) => this.moveTo(value),
      },
    });
    this.inside = el("div.pictures");
    this.outside = el("div.pictures");
    this.element = el(
      "section.card.limit",
      { "aria-label": rule.reason, data: { limit: rule.limit } },
      el(
        "header",
        {},
        el("h2", {}, rule.reason[0].toUpperCase() + rule.reason.slice(1)),
        el("p.small.muted", {}, el("code", {}, rule.limit), " ", rule.help),
        el("div.value", {}, el("span.small.muted", {}, rule.least ? "at least" : "at most"), this.field, this.undo),
      ),
      this.chart.element,
      el(
        "div.picture-side",
        {},
        el("div", {}, el("h3", {}, "Just inside"), this.inside),
        el("div", {}, el("h3", {}, "Just outside"), this.outside),
      ),
    );
    this.fit();
  }

  get limit() {
    return this.screen.limits[this.rule.limit];
  }

  /** Choose the bars so that the limit is among them. */
  fit() {
    const { integer, value } = this.rule;
    this.bins = chooseBins(this.sorted, { shown: [value, this.limit], integer });
    this.places = binIndices(this.values, this.bins);
    const end = this.bins.low + this.bins.count * this.bins.width;
    this.beyond = [countBelow(this.sorted, this.bins.low), this.sorted.length - countBelow(this.sorted, end)];
    if (this.screen.decision) this.update();
  }

  moveTo(value, fit = false) {
    this.screen.set(this.rule.limit, value);
    this.field.removeAttribute("aria-invalid");
    this.field.value = value;
    if (fit) this.fit();
  }

  /** Take the value of the field, if it is one. */
  read() {
    const value = this.field.valueAsNumber;
    const { low, high, integer } = this.rule;
    const fine = value >= (low ?? -Infinity) && value <= (high ?? Infinity) && (!integer || Number.isInteger(value));
    if (fine) this.screen.set(this.rule.limit, value);
    this.field.setAttribute("aria-invalid", !fine);
  }

  update() {
    const { decision, pictures } = this.screen;
    const before = this.rule.value;
    const counts = countByFate(pictures, decision.verdicts, this.number, this.places, this.bins.count);
    const value = this.limit;
    const old = before === value ? undefined : before;
    this.chart.update({ bins: this.bins, counts, value, before: old, remark: this.describe(counts) });
    if (document.activeElement !== this.field) this.field.value = value;
    this.undo.disabled = before === value;
    this.element.dataset.changed = before !== value;
  }

  /** Say how many pictures this limit rejects, and how many lie outside of the chart. */
  describe(counts) {
    const [, , rejected, newly] = counts.map((each) => each.reduce((sum, count) => sum + count, 0));
    const { low, count, width } = this.bins;
    const parts = [
      rejected + newly ? `rejects ${formatNumber(rejected + newly)}` : "rejects none",
      newly && `${formatNumber(newly)} of them newly`,
      this.beyond[0] && `${formatNumber(this.beyond[0])} pictures below ${formatNumber(low)} are in the first bar`,
      this.beyond[1] && `${formatNumber(this.beyond[1])} pictures from ${formatNumber(low + count * width)} are in the last bar`,
    ];
    return parts.filter(Boolean).join(", ");
  }

  showPictures() {
    const { decision } = this.screen;
    const { inside, outside } = nearestTo(decision.verdicts, this.rule, this.number, this.values, this.limit, BESIDE);
    for (const [strip, indices] of [[this.inside, inside], [this.outside, outside]]) {
      if (strip.dataset.shown === indices.join()) continue;
      strip.dataset.shown = indices.join();
      replace(strip, indices.length ? this.screen.strip(indices) : el("p.small.muted", {}, "None"));
    }
  }
}

/** Count how many of sorted numbers are below a value. */
function countBelow(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What clean would do with all limits: counts, the waterfall, and the pictures that enter or leave. */
class Summary {
  constructor(screen) {
    this.screen = screen;
    this.said = el("p.number");
    this.bar = el(
      "div.save-bar",
      { hidden: true },
      this.said,
      el("button", { type: "button", onclick: () => screen.reset() }, icon("undo"), "Undo all"),
      el("button.primary", { type: "button", onclick: () => screen.write() }, `Write to ${screen.answer.params.file}…`),
    );
    this.kept = el("p.kept.number", { "aria-live": "polite" });
    this.moves = el("p.moves");
    this.warning = el("p.caveat", { role: "alert", hidden: true });
    this.falls = waterfall();
    this.entering = el("div.pictures");
    this.leaving = el("div.pictures");
    this.enterHead = el("h3");
    this.leaveHead = el("h3");
    this.same = el("p.muted", {}, "Nothing: clean would make the dataset that is there.");
    this.changes = el("div.moved", {}, this.enterHead, this.entering, this.leaveHead, this.leaving);
    this.element = el(
      "aside",
      { "aria-label": "What these limits do" },
      el("section.panel", {}, this.kept, this.moves, this.warning, this.falls.element),
      el("section.panel", {}, el("h2", {}, "What changes in the dataset"), this.same, this.changes),
    );
  }

  update() {
    const { answer, decision, pictures } = this.screen;
    const names = Object.keys(this.screen.changed());
    this.bar.hidden = !names.length;
    replace(this.said, `${names.join(", ")}: ${formatNumber(decision.written)} of ${formatNumber(decision.taken)} kept`);
    this.found = changes(pictures, decision.verdicts);
    const { enter, leave } = this.found;
    replace(this.kept, el("strong", {}, formatNumber(decision.written)), ` of ${formatNumber(decision.taken)} pictures kept`);
    replace(
      this.moves,
      enter.length ? el("span.badge.good", {}, `+${formatNumber(enter.length)} enter`) : null,
      leave.length ? el("span.badge.bad", {}, `−${formatNumber(leave.length)} leave`) : null,
      enter.length + leave.length ? null : el("span.badge", {}, "as in the dataset"),
    );
    this.warning.hidden = !decision.stops;
    const bound = `more than clean.tolerance, ${formatNumber(answer.tolerance)} %`;
    replace(this.warning, `With these limits clean stops: it would reject ${decision.written ? bound : "all pictures"}.`);
    this.falls.update(stepsOf(answer, decision));
    this.same.hidden = enter.length + leave.length > 0;
    this.changes.hidden = !this.same.hidden;
    replace(this.enterHead, headOf(enter, "enter"));
    replace(this.leaveHead, headOf(leave, "leave"));
  }

  showPictures() {
    for (const [strip, indices] of [[this.entering, this.found.enter], [this.leaving, this.found.leave]]) {
      const shown = indices.slice(0, MOST_CHANGES);
      if (strip.dataset.shown === shown.join()) continue;
      strip.dataset.shown = shown.join();
      replace(strip, this.screen.strip(shown));
    }
  }
}

function headOf({ length }, verb) {
  if (length < 2) return `${length || "None"} ${verb}s`;
  return `${formatNumber(length)} ${verb}${length > MOST_CHANGES ? `, of which ${MOST_CHANGES} are here` : ""}`;
}

/** List the steps from what search found to what pack packs. */
export function stepsOf({ flow, rules, unusable }, { taken, written, rejected }) {
  const rows = [];
  const lose = (reasons, before = reasons) => {
    for (const reason of new Set([...Object.keys(reasons), ...Object.keys(before)])) {
      rows.push({ label: reason, count: -(reasons[reason] ?? 0), before: -(before[reason] ?? 0), step: true });
    }
  };
  if (flow.posts !== null) {
    const skipped = Object.values(flow.skipped).reduce((sum, count) => sum + count, 0);
    rows.push({ label: "found by search", count: flow.posts + skipped });
    lose(flow.skipped);
    rows.push({ label: "posts taken", count: flow.posts });
    lose(flow.missing);
  }
  rows.push({ label: "pictures fetched", count: taken });
  const order = [...Object.keys(unusable), ...rules.map(({ reason }) => reason), "dropped", "duplicate"];
  const listed = (reasons) => Object.fromEntries(order.filter((name) => reasons[name]).map((name) => [name, reasons[name]]));
  const all = Object.fromEntries(order.filter((name) => rejected[name] || flow.rejected[name]).map((name) => [name, rejected[name] ?? 0]));
  lose(all, listed(flow.rejected));
  rows.push({ label: "kept by clean", count: written, before: flow.cleaned });
  if (flow.packed !== null) rows.push({ label: "packed", count: written, before: flow.packed });
  return rows;
}
