/** What is around the canvas and the panel: the bar, the tools, the invitation, notes and the status line. */

import { el, icon, iconButton, replace } from "../../dom.js";
import { makeExports } from "./exports.js";
import { makeHelp } from "./keys.js";
import { makeMenu } from "./menu.js";
import { radios } from "./panel.js";

const TOOLS = [
  ["brush", "Brush (B)"], ["eraser", "Eraser (E)"], ["fill", "Fill a region (G)"],
  ["picker", "Pick a color (I)"], ["hand", "Move the view (H)"],
];
const VIEWS = { strokes: "Strokes", both: "Both", split: "Slider", result: "Result" };
const STEPS = { guide: "where colors come from", gap: "closing of gaps", strength: "strength of the model" };
const NO_MODEL = "No model: flats alone";

/**
 * Make the frame of a page of page.json around the elements of a canvas and a panel.
 *
 * `actions` are open(file), sample(), restore(id), undo(), redo(), mode(name), tool(name), panel() and
 * save(kind).
 */
export class Frame {
  constructor(page, canvas, panel, actions) {
    this.actions = actions;
    const picked = () => this.picked();
    this.files = el("input", { type: "file", accept: "image/*", hidden: true, onchange: picked });
    this.help = makeHelp();
    this.hint = el("div.hint", { hidden: true, role: "status" });
    this.empty = this.makeInvitation();
    const opening = el("div.opening", {}, el("span.spinner"), "Opening");
    const stage = el("div.stage", {}, canvas, this.empty, opening, this.hint);
    const body = el("div.color-body", {}, this.makeTools(), stage, panel);
    this.element = el(
      "div.color-screen", {}, this.makeBar(), body, this.makeStatus(page), this.files, this.help,
    );
  }

  makeBar() {
    const { actions } = this;
    const open = el(
      "button.plain.opener",
      {
        type: "button", "aria-label": "Open a drawing", title: "Open a drawing (Ctrl+O)",
        onclick: () => this.pick(),
      },
      icon("open"), el("span.wide", {}, "Open"),
    );
    this.title = el("span.name");
    this.earlier = makeMenu(iconButton("chevron", "Earlier drawings"), "Earlier drawings");
    this.earlier.element.hidden = true;
    this.undo = iconButton("undo", "Undo", { onclick: actions.undo });
    this.redo = iconButton("redo", "Redo", { onclick: actions.redo });
    this.views = radios("View", Object.entries(VIEWS), actions.mode);
    this.exports = makeExports(actions.save);
    const keys = iconButton("help", "Keys (?)", { onclick: () => this.help.showModal() });
    return el(
      "div.color-bar", { role: "toolbar", "aria-label": "Drawing" },
      el("div.start", {}, open, this.title, this.earlier.element),
      el("div.middle", {}, this.undo, this.redo, this.views.element),
      el("div.end", {}, keys, this.exports.element),
    );
  }

  makeTools() {
    const { actions } = this;
    this.tools = TOOLS.map(([name, title]) => iconButton(name, title, {
      data: { tool: name }, "aria-pressed": "false", onclick: () => actions.tool(name),
    }));
    const label = "Color and settings";
    this.current = el(
      "button.current",
      {
        type: "button", title: label, "aria-label": label, "aria-expanded": "false",
        onclick: () => actions.panel(),
      },
      el("span.before"), el("span.now"),
    );
    const tools = { role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" };
    return el("div.tools", tools, this.tools, this.current);
  }

  makeInvitation() {
    const { sample } = this.actions;
    return el(
      "div.empty.inviting", {},
      icon("image"),
      el("h2", {}, "Color a line drawing"),
      el("p", {}, "Drop it here, paste it or open it: dark lines on light paper, of any size."),
      el(
        "div.row", {},
        el("button.primary", { type: "button", onclick: () => this.pick() }, "Open a drawing"),
        el("button", { type: "button", onclick: sample }, "Try a sample"),
      ),
    );
  }

  makeStatus({ model, why, mode }) {
    this.seconds = el("span.number");
    this.work = el("span.work", { data: { state: "idle" } }, el("span.dot"));
    const about = model ? `${model.system}, ${model.engine}` : why;
    return el(
      "footer.color-status", {},
      this.work,
      el("span.model", { title: about }, model?.title ?? NO_MODEL),
      this.seconds,
      el("span.says", {}, "Coloring"),
      el("span.private", {}, `Nothing leaves this ${mode === "static" ? "browser" : "machine"}`),
    );
  }

  /** Let a person choose a file. */
  pick() {
    this.files.click();
  }

  picked() {
    const [file] = this.files.files;
    if (file) this.actions.open(file);
    this.files.value = ""; // so that the same file can be chosen again
  }

  /** Show what is open, as `Session` has it, and the brush. */
  show({ isOpen, name, scene, steps }, brush) {
    const size = isOpen && el("span.muted.number", {}, ` ${scene.width} × ${scene.height}`);
    replace(this.title, isOpen ? [name, size] : []);
    this.empty.hidden = isOpen;
    this.exports.enable(isOpen);
    showStep(this.undo, "Undo", steps.undo && steps.back, "Ctrl+Z");
    showStep(this.redo, "Redo", steps.redo && steps.forward, "Ctrl+Shift+Z");
    for (const tool of this.tools) tool.setAttribute("aria-pressed", tool.dataset.tool === brush.tool);
    this.current.style.setProperty("--color", `rgb(${brush.color.join(" ")})`);
    this.current.style.setProperty("--before", `rgb(${brush.before.join(" ")})`);
  }

  showEarlier(works) {
    this.earlier.element.hidden = !works.length;
    const restore = (id) => () => this.actions.restore(id);
    this.earlier.fill(works.map(({ id, title }) => ({ content: title, run: restore(id) })));
  }

  showSeconds(seconds) {
    this.seconds.textContent = `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  }

  /** Say something over the canvas, with at most one thing to do about it: {title, run}. */
  note(text, action = null) {
    const close = () => (this.hint.hidden = true);
    const act = () => {
      close();
      action.run();
    };
    this.hint.hidden = !text;
    replace(
      this.hint,
      el("p", {}, text),
      action && el("button.plain", { type: "button", onclick: act }, action.title),
      iconButton("close", "Dismiss", { onclick: close }),
    );
  }
}

function showStep(button, verb, step, key) {
  button.disabled = !step;
  button.title = step ? `${verb}: ${STEPS[step] ?? step} (${key})` : `${verb} (${key})`;
}
