/** What clean would do with all limits: counts, waterfall, pictures that enter or leave, the bar to save. */

import { formatNumber, waterfall } from "../../charts.js";
import { el, icon, replace } from "../../dom.js";
import { changes, listSteps } from "../../engine/limits.js";

const MOST_CHANGES = 24; // pictures shown of those that enter or leave

export class Summary {
  constructor(screen) {
    this.screen = screen;
    this.kept = el("p.kept.number", { "aria-live": "polite" });
    this.moves = el("p.moves");
    this.warning = el("p.caveat", { role: "alert", hidden: true });
    this.falls = waterfall();
    this.same = el("p.muted", {}, "Nothing: clean would make the dataset that is there.");
    this.entering = new Movement("enter");
    this.leaving = new Movement("leave");
    this.element = el(
      "aside",
      { "aria-label": "What these limits do" },
      el("section.panel", {}, this.kept, this.moves, this.warning, this.falls.element),
      el(
        "section.panel",
        {},
        el("h2", {}, "What changes in the dataset"),
        this.same,
        this.entering.element,
        this.leaving.element,
      ),
    );
    this.makeBar();
  }

  /** Make the bar that appears at the bottom once a limit differs from params.yaml. */
  makeBar() {
    const { screen } = this;
    this.said = el("p.number");
    const undo = el("button", { type: "button", onclick: () => screen.reset() }, icon("undo"), "Undo all");
    const text = `Write to ${screen.answer.params.file}…`;
    const write = el("button.primary", { type: "button", onclick: () => screen.write() }, text);
    this.bar = el("div.save-bar", { hidden: true }, this.said, undo, write);
  }

  update() {
    const { answer, decision, pictures } = this.screen;
    const { taken, written, stops } = decision;
    const names = Object.keys(this.screen.changed());
    const count = `${formatNumber(written)} of ${formatNumber(taken)}`;
    this.bar.hidden = !names.length;
    replace(this.said, `${names.join(", ")}: ${count} kept`);
    replace(this.kept, el("strong", {}, formatNumber(written)), ` of ${formatNumber(taken)} pictures kept`);
    this.found = changes(pictures, decision.verdicts);
    const { enter, leave } = this.found;
    replace(
      this.moves,
      enter.length ? el("span.badge.good", {}, `+${formatNumber(enter.length)} enter`) : null,
      leave.length ? el("span.badge.bad", {}, `${formatNumber(-leave.length)} leave`) : null,
      enter.length || leave.length ? null : el("span.badge", {}, "as in the dataset"),
    );
    const bound = written ? `more than clean.tolerance, ${formatNumber(answer.tolerance)} %` : "all pictures";
    this.warning.hidden = !stops;
    replace(this.warning, `With these limits clean stops: it would reject ${bound}.`);
    this.falls.update(listSteps(answer, decision));
    this.same.hidden = enter.length + leave.length > 0;
    this.entering.update(enter);
    this.leaving.update(leave);
  }

  showPictures() {
    this.screen.strip(this.entering.pictures, this.found.enter.slice(0, MOST_CHANGES));
    this.screen.strip(this.leaving.pictures, this.found.leave.slice(0, MOST_CHANGES));
  }
}

/** The pictures that enter the dataset, or those that leave it. */
class Movement {
  constructor(verb) {
    this.verb = verb;
    this.head = el("h3");
    this.pictures = el("div.pictures");
    this.element = el("div.moved", {}, this.head, this.pictures);
  }

  update({ length }) {
    this.element.hidden = !length;
    const verb = length === 1 ? `${this.verb}s` : this.verb;
    const few = length > MOST_CHANGES ? `, of which ${MOST_CHANGES} are here` : "";
    replace(this.head, `${formatNumber(length)} ${verb}${few}`);
  }
}
