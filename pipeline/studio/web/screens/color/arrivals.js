/** Pictures that arrive by drop or paste, as the drawing or as the reference. */

import { el } from "../../dom.js";

/**
 * Listen for pictures while the screen is shown; return a function that stops.
 *
 * @param {HTMLElement} root of the screen
 * @param {object} actions isOpen(): is there a drawing? drawing(file), reference(file), palette(file)
 */
export function listenForPictures(root, actions) {
  const zones = [zone("Open as the drawing", "drawing"), zone("Use as the reference", "reference")];
  const overlay = el("div.drop-zones", { hidden: true }, zones);
  let inside = 0;
  root.append(overlay);

  function zone(title, kind) {
    const element = el("div.drop-zone", {
      data: { kind },
      ondragenter: () => element.classList.add("over"),
      ondragleave: () => element.classList.remove("over"),
      ondrop: (event) => drop(event, kind),
    }, el("span", {}, title));
    return element;
  }

  function hasFiles(event) {
    return !root.hidden && event.dataTransfer?.types.includes("Files");
  }

  function enter(event) {
    if (!hasFiles(event)) return;
    inside += 1;
    zones[1].hidden = !actions.isOpen();
    overlay.hidden = false;
  }

  function over(event) {
    if (hasFiles(event)) event.preventDefault();
  }

  function leave(event) {
    if (!hasFiles(event)) return;
    inside -= 1;
    if (inside <= 0) close();
  }

  function close() {
    inside = 0;
    overlay.hidden = true;
    for (const each of zones) each.classList.remove("over");
  }

  function drop(event, kind = "drawing") {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    close();
    take(event.dataTransfer.files[0], kind);
  }

  function take(file, kind) {
    if (!file) return;
    if (/\.gpl$/i.test(file.name)) actions.palette(file);
    else actions[kind](file);
  }

  function paste(event) {
    if (root.hidden) return;
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    if (actions.isOpen()) ask(file);
    else take(file, "drawing");
  }

  /** A pasted picture has no place that says what it is for. */
  function ask(file) {
    const answer = (kind) => () => {
      dialog.close();
      take(file, kind);
    };
    const dialog = el(
      "dialog.ask", { "aria-label": "The pasted picture", onclose: () => dialog.remove() },
      el("div.body", {}, el("h2", {}, "What is the pasted picture?")),
      el(
        "footer", {},
        el("button.plain", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        el("button", { type: "button", onclick: answer("drawing") }, "A new drawing"),
        el("button.primary", { type: "button", onclick: answer("reference") }, "The reference"),
      ),
    );
    root.append(dialog);
    dialog.showModal();
  }

  const stop = new AbortController();
  const handlers = { dragenter: enter, dragover: over, dragleave: leave, drop, paste };
  for (const [name, handler] of Object.entries(handlers)) {
    addEventListener(name, handler, { signal: stop.signal });
  }
  return () => stop.abort();
}
