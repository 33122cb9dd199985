/** A button that opens a menu, by the mouse and by the keyboard. */

import { el } from "../../dom.js";

/**
 * Make it; the button gets what a menu's button needs.
 *
 * @param {HTMLButtonElement} button
 * @param {string} label of the menu
 * @returns {{element: HTMLElement, fill: (items: {content, data, run}[]) => void}}
 */
export function makeMenu(button, label) {
  let items = [];
  const menu = el("div.menu", { role: "menu", hidden: true, "aria-label": label });
  const element = el("div.with-menu", { onkeydown: key, onfocusout: leave }, button, menu);
  button.setAttribute("aria-haspopup", "menu");
  button.addEventListener("click", () => toggle());
  toggle(false);

  function fill(given) {
    items = given.map(({ content, data, run }) => el("button", {
      type: "button", role: "menuitem", tabindex: "-1", data,
      onclick: () => {
        toggle(false);
        button.focus();
        run();
      },
    }, content));
    menu.replaceChildren(...items);
  }

  function toggle(open = menu.hidden) {
    menu.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) items[0].focus();
  }

  function key(event) {
    if (menu.hidden) return;
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Escape") {
      toggle(false);
      button.focus();
    } else if (next !== undefined) {
      items.at(next % items.length).focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function leave(event) {
    if (!element.contains(event.relatedTarget)) toggle(false);
  }

  return { element, fill };
}
