/**
 * Runs: two of them side by side, as `prep diff` compares them: the verdict, the measures with their intervals,
 * parameters, counts from search to pack, curves of training, and the test pictures that changed most.
 */

import { getJson, sendJson } from "../api.js";
import { binIndices, chooseBins, curves, histogram, waterfall } from "../charts.js";
import { sentence } from "../controls.js";
import { el, icon, notify, replace, solve } from "../dom.js";

const WORKSPACE = "workspace";
const OTHER = "";
const KINDS = { workspace: "The files as they are", experiment: "Experiments", commit: "Commits with metrics" };
const ASK_AGAIN = 400; // milliseconds between two questions about pictures
const MOODS = { better: "good", worse: "bad" };

export async function show(root) {
  root.dataset.state = "busy";
  const screen = new Screen(root);
  root.addEventListener("enter", ({ detail }) => screen.enter(detail));
  await screen.begin();
}

class Screen {
  constructor(root) {
    this.root = root;
    this.runs = [];
    this.sides = ["before", "after"].map((name) => new Side(name, () => this.compare()));
    this.result = el("div.result", { "aria-live": "polite" });
    this.why = el("p.muted", { hidden: true });
  }

  async begin() {
    const [before, after] = this.sides;
    const swap = el("button.icon-button", { type: "button", title: "Swap the runs", "aria-label": "Swap the runs", onclick: () => this.swap() }, "⇄");
    const bar = el("section.panel.two-runs", { "aria-label": "The runs to compare" }, before.element, swap, after.element);
    replace(this.root, el("div.page.runs", {}, el("h1.visually-hidden", {}, "Runs"), bar, this.why, this.result));
    try {
      const { runs, why } = await getJson("api/runs");
      this.runs = runs;
      this.why.textContent = why && sentence({ message: why });
      this.why.hidden = !why;
    } catch (error) {
      this.fail(sentence(error));
    }
    for (const side of this.sides) side.offer(this.runs);
    before.word = this.runs.some(({ word }) => word === "HEAD") ? "HEAD" : OTHER;
    after.word = WORKSPACE;
  }

  /** Compare the runs that the address names; without any, those that are chosen, if nothing was compared yet. */
  enter([before, after] = []) {
    if (before && after) [this.sides[0].word, this.sides[1].word] = [before, after];
    else if (this.turn) return;
    this.compare();
  }

  swap() {
    const [before, after] = this.sides;
    [before.word, after.word] = [after.word, before.word];
    this.compare();
  }

  titleOf(word) {
    return titleRun(this.runs.find((run) => run.word === word) ?? { word });
  }

  async compare() {
    const [before, after] = this.sides.map(({ word }) => word);
    this.pictures?.leave();
    if (!before || !after || before === after) {
      this.root.dataset.state = "ready";
      const words = before === after ? "Choose another run on one side." : "Name a revision, or the folder of a project.";
      return replace(this.result, empty("Two runs to compare", words));
    }
    this.root.dataset.state = "busy";
    this.result.classList.add("stale");
    const turn = (this.turn = Symbol());
    try {
      const found = await sendJson("POST", "api/diff", { before, after });
      if (turn !== this.turn) return;
      solve("runs");
      this.present(found, before, after);
      this.root.dataset.state = "ready";
      if (!this.root.hidden) history.replaceState(null, "", `#runs/${[before, after].map(encodeURIComponent).join("/")}`);
    } catch (error) {
      if (turn === this.turn) this.fail(tell(error.message, before, after));
    }
  }

  fail(words) {
    this.root.dataset.state = "failed";
    this.result.classList.remove("stale");
    replace(this.result, empty("These runs cannot be compared", words));
  }

  present(found, before, after) {
    const names = [this.titleOf(before), this.titleOf(after)].map(({ short }) => short);
    const { measured, params, stages, curves: lines } = found;
    this.pictures = measured && new Pictures({ before, after, id: found.id });
    this.result.classList.remove("stale");
    const [settings, counts] = [showParams(params, names), showStages(stages, names)];
    const columns = measured
      ? [measured.conditions.map((each) => showCondition(each, names)), [settings, counts]]
      : [settings, counts];
    replace(
      this.result,
      measured ? showVerdict(measured) : showReason(tell(found.why, before, after)),
      el("div.runs-columns", {}, columns.map((each) => el("div.runs-column", {}, each))),
      showCurves(lines, names),
      this.pictures?.element,
      measured && el("p.muted.small.about", {}, measured.about),
    );
  }
}

function showReason(why) {
  return el("section.panel", {}, el("h2", {}, "The measures cannot be compared"), el("p", {}, why));
}

/** Make a sentence of a message; the name of a run at its beginning keeps its letters. */
function tell(message, ...words) {
  return words.some((word) => message.startsWith(word)) ? `${message}.` : sentence({ message });
}

function empty(title, words) {
  return el("div.empty", {}, el("h2", {}, title), el("p", {}, words));
}

// ---------------------------------------------------------------- the runs

/** Chooses one run: from a list, or by a revision or a folder that a person types. */
class Side {
  constructor(name, onchange) {
    const title = { before: "From", after: "To" }[name];
    this.select = el("select", { "aria-label": `${title}: a run` });
    this.typed = el("input.mono", { type: "text", hidden: true, placeholder: "Revision, or path of a folder", "aria-label": `${title}: a revision or a folder`, spellcheck: "false" });
    this.select.addEventListener("change", () => {
      this.typed.hidden = this.select.value !== OTHER;
      if (this.typed.hidden) onchange();
      else this.typed.focus();
    });
    this.typed.addEventListener("change", onchange);
    this.element = el("div.field.run-choice", { data: { side: name } }, el("span", {}, title), this.select, this.typed);
  }

  offer(runs) {
    const groups = Object.entries(KINDS).map(([kind, title]) => {
      const options = runs.filter((run) => run.kind === kind).map((run) => el("option", { value: run.word }, titleRun(run).long));
      return options.length ? el("optgroup", { label: title }, options) : null;
    });
    replace(this.select, groups, el("option", { value: OTHER }, "Another revision or folder…"));
  }

  get word() {
    return this.select.value === OTHER ? this.typed.value.trim() : this.select.value;
  }

  set word(word) {
    const known = [...this.select.options].some(({ value }) => value === word);
    this.select.value = known ? word : OTHER;
    this.typed.hidden = this.select.value !== OTHER;
    if (!known) this.typed.value = word;
  }
}

/** Name a run: `short` in tables, `long` in the list. */
function titleRun({ word, kind, title = "", commit = "", tags = [], psnr = null }) {
  const measured = psnr === null ? "" : ` · ${psnr.toFixed(2)} dB`;
  if (kind === "commit") {
    const names = [word === "HEAD" ? "HEAD" : "", commit, ...tags].filter(Boolean).join(" ");
    return { short: tags[0] ?? word, long: `${names} · ${cut(title, 60)}${measured}` };
  }
  const name = kind === "experiment" ? title : word;
  const twin = kind === "experiment" && word !== title ? ` ${commit.slice(0, 7)}` : "";
  return { short: name + twin, long: `${name}${twin}${measured}` };
}

function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// ---------------------------------------------------------------- measures

function showVerdict(measured) {
  const [headline, lead] = split(measured.headline, ": ");
  const psnr = measured.conditions[0].measures.find(({ measure }) => measure === "psnr");
  return el("section.verdict", { data: { mood: MOODS[psnr.verdict] ?? "untold" } },
    el("h2", {}, headline), el("p.lead.number", {}, lead.replaceAll("-", "−")),
    el("div.scale", {}, bar(psnr, 1.25 * reach(psnr)), el("span.ends.small.muted", {}, el("span", {}, "worse"), el("span", {}, "no change"), el("span", {}, "better"))),
    el("p.muted", {}, measured.shared),
    measured.caveats.map((each) => el("p.caveat", {}, each)));
}

function split(text, mark) {
  const place = text.indexOf(mark);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + mark.length)];
}

/** Show the measures under a condition, and of PSNR the groups and how single pictures changed. */
function showCondition({ title, measures, groups, changes }, names) {
  const lists = Object.entries(groups).filter(([, rows]) => rows.length);
  return el("section.panel", { "aria-label": title },
    el("h2", {}, title),
    measureTable("", measures.map((each) => ({ ...each, name: each.title })), names),
    changes.length >= 6 ? showChanges(changes) : null,
    lists.map(([field, rows]) =>
      el("details", {}, el("summary", {}, `PSNR by ${field}`), measureTable(field, rows.map((each) => ({ ...each, name: each.name || "unknown" })), names, true))));
}

function measureTable(head, rows, names, counted = false) {
  const reaches = new Map();
  for (const row of rows) reaches.set(row.measure, Math.max(reaches.get(row.measure) ?? 0, reach(row)));
  const lines = rows.map((row) =>
    el("tr", { data: { mood: MOODS[row.verdict] ?? "untold" } },
      el("th", { scope: "row" }, row.name, counted ? el("span.muted.small", {}, ` ${row.pictures}`) : null),
      el("td.number", {}, row.before.toFixed(row.decimals)), el("td.number", {}, row.after.toFixed(row.decimals)),
      el("td.interval", {}, el("span.number", {}, el("strong", {}, signed(row.change, row)), ` [${signed(row.low, row)}, ${signed(row.high, row)}]`), bar(row, reaches.get(row.measure))),
      el("td.verdict-word", {}, row.verdict)));
  const heads = [head, ...names, "change", ""].map((name, index) => el(index === 1 || index === 2 ? "th.number" : "th", { scope: "col" }, name));
  return el("div.scroll", {}, el("table.measures", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines)));
}

function signed(value, { decimals }) {
  const text = Math.abs(value).toFixed(Math.max(2, decimals));
  return (value < 0 ? "−" : "+") + text;
}

function reach({ low, high }) {
  return Math.max(Math.abs(low), Math.abs(high)) || 1;
}

/** Draw an interval on a bar whose middle is no change; better is on the right, also where less is better. */
function bar({ low, high, change, less }, scale) {
  const place = (value) => 50 + (48 * (less ? -value : value)) / scale;
  const ends = [place(low), place(high)].sort((a, b) => a - b);
  const css = { "--low": `${ends[0]}%`, "--size": `${ends[1] - ends[0]}%`, "--middle": `${place(change)}%` };
  return el("span.bar-of-change", { "aria-hidden": "true", css }, el("i"), el("b"));
}

function showChanges(changes) {
  const bins = chooseBins(changes, { shown: [0], count: 32 });
  const counts = new Float64Array(bins.count);
  for (const place of binIndices(changes, bins)) counts[place]++;
  const chart = histogram({ label: "Change of PSNR by picture, dB", series: [{ name: "pictures", kind: "a" }], height: 110 });
  chart.update({ bins, counts: [counts], before: 0 });
  return el("figure.change-histogram", {}, el("figcaption.label", {}, "Change of PSNR by picture, dB"), chart.element);
}

// ---------------------------------------------------------------- parameters, counts, curves

function showParams(params, names) {
  const rows = params.map(([name, before, after]) =>
    el("tr", {}, el("th.mono", { scope: "row" }, name), el("td.mono", {}, before), el("td.mono", {}, after)));
  const heads = ["parameter", ...names].map((name) => el("th", { scope: "col" }, name));
  const table = el("div.scroll", {}, el("table.params", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
  return el("section.panel", {}, el("h2", {}, "Parameters that differ"), rows.length ? table : el("p.muted", {}, "None."));
}

/**
 * List the rows of a waterfall: a total for each stage, and before it a step for each reason.
 *
 * Stages that only draw are left out where they kept what the stage before them kept.
 */
export function waterfallRows(stages) {
  const rows = [];
  let last = null;
  for (const { name, before, after, reasons } of stages) {
    const own = { label: name, count: after ?? 0, before: before ?? 0 };
    const plain = !reasons.length && last && last.count === own.count && last.before === own.before;
    if (plain) continue;
    if (!last && reasons.length) rows.push(sumUp(own, reasons));
    for (const reason of reasons) {
      rows.push({ label: reason.name, count: -(reason.after ?? 0), before: -(reason.before ?? 0), step: true });
    }
    rows.push(own);
    if (!name.startsWith("pack")) last = own;
  }
  return rows;
}

function sumUp({ count, before }, reasons) {
  const all = (side) => reasons.reduce((sum, reason) => sum + (reason[side] ?? 0), 0);
  return { label: "found", count: count + all("after"), before: before + all("before") };
}

function showStages(stages, names) {
  const chart = waterfall();
  chart.update(waterfallRows(stages));
  const words = `Counts of ${names[1]}; where ${names[0]} had another, it is on the right.`;
  return el("section.panel", {}, el("h2", {}, "Pictures from search to pack"),
    stages.length ? [el("p.muted.small", {}, words), chart.element] : el("p.muted", {}, "Neither run has counts."));
}

function showCurves(lines, names) {
  const charts = lines.map(({ name, before, after }) => {
    const series = [{ name: names[0], points: before, kind: "b" }, { name: names[1], points: after, kind: "a" }];
    return curves({ series: series.filter(({ points }) => points.length), label: `${name} by step`, across: "step", up: name, height: 200 });
  });
  return el("section.panel", {}, el("h2", {}, "Training"),
    charts.length ? el("div.curve-grid", {}, charts) : el("p.muted", {}, "Neither run has curves in metrics/train/plots."));
}

// ---------------------------------------------------------------- pictures

/** The test pictures that changed most, colored again by both models when a person asks. */
class Pictures {
  constructor(pair) {
    this.pair = pair;
    this.body = el("div.pictures-body");
    this.element = el("section.panel.changed-pictures", { data: { state: "idle" } }, el("h2", {}, "Pictures that changed most"), this.body);
    this.offer();
  }

  offer() {
    this.element.dataset.state = "idle";
    const ask = el("button.primary", { type: "button", onclick: () => this.draw() }, icon("image"), "Color them again");
    replace(this.body, el("p.muted", {}, "Both models color the test pictures that gained and lost most. This takes some seconds."), ask);
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
      notify(sentence(error), { key: "runs" });
    }
  }

  /** Stop, if pictures are being drawn. */
  leave() {
    if (this.element.dataset.state !== "busy") return;
    this.turn = null;
    this.offer();
    sendJson("POST", "api/diff/pictures", { ...this.pair, stop: true }).catch((error) => notify(sentence(error), { key: "runs" }));
  }

  present({ figures, notes }) {
    this.element.dataset.state = "ready";
    const parts = [["Gained most", (each) => each.change > 0], ["Lost most", (each) => each.change <= 0]].map(([title, test]) => {
      const chosen = figures.filter(test);
      return chosen.length ? [el("h3", {}, title), chosen.map(showFigure)] : null;
    });
    replace(this.body, notes.map((note) => el("p.caveat", {}, note)), parts,
      figures.length ? null : el("p.muted", {}, "No picture has changed."));
  }
}

function showFigure({ key, artist, before, after, change, tiles }) {
  const images = tiles.map(({ caption, png }) => {
    const image = el("img", { alt: caption.split("\n")[0] });
    const address = URL.createObjectURL(new Blob([Uint8Array.from(atob(png), (each) => each.charCodeAt(0))], { type: "image/png" }));
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
  return el("figure.changed", { data: { mood: change > 0 ? "good" : "bad" } }, el("figcaption", {}, words), el("div.versions", {}, images));
}
