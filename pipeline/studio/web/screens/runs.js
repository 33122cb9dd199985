/**
 * Runs: two of them side by side, as `prep diff` compares them, with the verdict first and the test pictures
 * that changed most at the end.
 */

import { getJson, sendJson } from "../api.js";
import { el, replace, solve } from "../dom.js";
import { ChangedPictures } from "./changedpictures.js";
import { showCondition, showCurves, showParams, showStages, showVerdict } from "./rundiff.js";

const WORKSPACE = "workspace";
const OTHER = "";
const KINDS = {
  workspace: "The files as they are",
  experiment: "Experiments",
  commit: "Commits with metrics",
};

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
    const swap = el(
      "button.icon-button",
      { type: "button", title: "Swap the runs", "aria-label": "Swap the runs", onclick: () => this.swap() },
      "⇄",
    );
    const bar = el(
      "section.panel.two-runs",
      { "aria-label": "The runs to compare" },
      before.element,
      swap,
      after.element,
    );
    replace(
      this.root,
      el("div.page.runs", {}, el("h1.visually-hidden", {}, "Runs"), bar, this.why, this.result),
    );
    try {
      const { runs, why } = await getJson("api/runs");
      this.runs = runs;
      this.why.textContent = why;
      this.why.hidden = !why;
    } catch (error) {
      this.fail(error.message);
    }
    for (const side of this.sides) side.offer(this.runs);
    before.word = this.runs.some(({ word }) => word === "HEAD") ? "HEAD" : OTHER;
    after.word = WORKSPACE;
  }

  /** Compare the runs that the address names, or else those that are chosen, if nothing was compared yet. */
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
      const words =
        before === after ? "Choose another run on one side." : "Name a revision, or the folder of a project.";
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
      if (!this.root.hidden)
        history.replaceState(null, "", `#runs/${[before, after].map(encodeURIComponent).join("/")}`);
    } catch (error) {
      if (turn === this.turn) this.fail(error.message);
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
    this.pictures = measured && new ChangedPictures({ before, after, id: found.id });
    this.result.classList.remove("stale");
    const [settings, counts] = [showParams(params, names), showStages(stages, names)];
    const columns = measured
      ? [measured.conditions.map((each) => showCondition(each, names)), [settings, counts]]
      : [settings, counts];
    replace(
      this.result,
      measured ? showVerdict(measured) : showReason(found.why),
      el(
        "div.runs-columns",
        {},
        columns.map((each) => el("div.runs-column", {}, each)),
      ),
      showCurves(lines, names),
      this.pictures?.element,
      measured && el("p.muted.small.about", {}, measured.about),
    );
  }
}

function showReason(why) {
  return el("section.panel", {}, el("h2", {}, "The measures cannot be compared"), el("p", {}, why));
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
    this.typed = el("input.mono", {
      type: "text",
      hidden: true,
      placeholder: "Revision, or path of a folder",
      "aria-label": `${title}: a revision or a folder`,
      spellcheck: "false",
    });
    this.select.addEventListener("change", () => {
      this.typed.hidden = this.select.value !== OTHER;
      if (this.typed.hidden) onchange();
      else this.typed.focus();
    });
    this.typed.addEventListener("change", onchange);
    this.element = el(
      "div.field.run-choice",
      { data: { side: name } },
      el("span", {}, title),
      this.select,
      this.typed,
    );
  }

  offer(runs) {
    const groups = Object.entries(KINDS).map(([kind, title]) => {
      const options = runs
        .filter((run) => run.kind === kind)
        .map((run) => el("option", { value: run.word }, titleRun(run).long));
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
