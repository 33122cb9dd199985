/** Elements of the page. Texts enter as text nodes alone: no name, tag or reason can become markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element: el("button.primary", {type: "button", onclick}, "Save").
 *
 * @param {string} tag the name of the tag, with classes behind dots
 * @param {object} [given] attributes; a function is a listener (`onclick`), `data` holds data attributes,
 *   `css` custom properties and styles; true is an empty attribute, false and null leave one out
 * @param {...(Node|string|number|null|Array)} content
 * @returns {HTMLElement}
 */
export function el(tag, given = {}, ...content) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, given, content);
}

/** Make an element of SVG, as `el` does. */
export function svg(tag, given = {}, ...content) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(SVG, name), classes, given, content);
}

function fill(element, classes, given, content) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(given ?? {})) setAttribute(element, name, value);
  element.append(...present(content));
  return element;
}

function setAttribute(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "css") setStyles(element, value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

function setStyles(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
}

/** Replace the content of an element. */
export function replace(element, ...content) {
  element.replaceChildren(...present(content));
  return element;
}

function present(content) {
  return content.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
}

/**
 * Say something in a sentence above the screen: an error stays until it is dismissed or solved.
 *
 * @param {string} text
 * @param {{kind?: "error"|"news", key?: string}} [given] a notice replaces the one of its key
 * @returns {() => void} takes the notice away
 */
export function notify(text, { kind = "error", key = text } = {}) {
  const list = document.querySelector(".notices");
  const close = () => notice.remove();
  const notice = el(
    "div.notice",
    { data: { kind, key }, role: kind === "error" ? "alert" : null },
    el("p", {}, text),
    el("button.plain", { type: "button", "aria-label": "Dismiss", onclick: close }, icon("close")),
  );
  for (const other of [...list.children]) if (other.dataset.key === key) other.remove();
  list.append(notice);
  if (kind === "news") setTimeout(close, 6000);
  return close;
}

/** Take the notice of a key away, once what it said is no longer so. */
export function solve(key) {
  for (const notice of [...document.querySelector(".notices").children]) {
    if (notice.dataset.key === key) notice.remove();
  }
}

const PATHS = {
  brush: "M4 20c3 0 5-1 5-4a2.5 2.5 0 0 0-5 0c0 2-1 3-2 3.5M9.5 13.5 19 4a1.4 1.4 0 0 1 2 2l-9.5 9.5",
  check: "m5 12 5 5 9-10",
  chevron: "m9 6 6 6-6 6",
  close: "m6 6 12 12M18 6 6 18",
  download: "M12 4v11m-5-5 5 5 5-5M4 20h16",
  eraser: "m8 20-5-5a1.4 1.4 0 0 1 0-2l9-9a1.4 1.4 0 0 1 2 0l6 6a1.4 1.4 0 0 1 0 2l-8 8zm0 0h13M7.5 8.5l8 8",
  eye: "M2 12s3.5-7 10-7 10 7 10 7-3.5 7-10 7-10-7-10-7zm10-3a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  fill: "m5 11 7-7 7 7-7 7zM9 3l3 3M5 11h14m1 4s2 2.5 2 4a2 2 0 0 1-4 0c0-1.5 2-4 2-4z",
  fit: "M4 9V4h5m6 0h5v5m0 6v5h-5m-6 0H4v-5",
  help: "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.1-1.5 2.4m0 3.5v.1M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20",
  hand: "M8 12V5.5a1.5 1.5 0 0 1 3 0V11m0-6.5a1.5 1.5 0 0 1 3 0V11m0-5a1.5 1.5 0 0 1 3 0v8c0 4-2 7-6 7-3 0-4.5-1.5-6-4l-2.5-4a1.5 1.5 0 0 1 2.5-1.5L8 13",
  image: "M4 4h16v16H4zm0 12 5-5 4 4 3-3 4 4M9 8.5a.5.5 0 1 0 0 .1",
  layers: "m12 3 9 5-9 5-9-5zm-9 9 9 5 9-5M3 16l9 5 9-5",
  mask: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18M12 7h5m-5 5h8m-8 5h5",
  minus: "M5 12h14",
  mirror: "M12 3v18M8 7l-5 10h5zm8 0 5 10h-5z",
  more: "M5 12h.1M12 12h.1M19 12h.1",
  open: "M3 19V6h6l2 2h8v3M3 19l3-8h16l-3 8z",
  pan: "M12 2v20M2 12h20M12 2 9.5 4.5M12 2l2.5 2.5M12 22l-2.5-2.5M12 22l2.5-2.5M2 12l2.5-2.5M2 12l2.5 2.5M22 12l-2.5-2.5M22 12l-2.5 2.5",
  picker: "m13 7 4 4M11 9l4 4-8 8H3v-4zm3-3 2-2a2.1 2.1 0 0 1 3 0l1 1a2.1 2.1 0 0 1 0 3l-2 2",
  plus: "M12 5v14M5 12h14",
  redo: "m15 5 5 5-5 5m5-5H9a5 5 0 0 0 0 10h3",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 21 21",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5m4-5v5",
  undo: "m9 5-5 5 5 5m-5-5h11a5 5 0 0 1 0 10h-3",
};

/** Draw an icon of 24 x 24 units, in the color of the text around it; it says nothing to a screen reader. */
export function icon(name) {
  return svg("svg.icon", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}

/** Make a button with an icon alone; its label is its name and its tip. */
export function iconButton(name, label, given = {}) {
  const named = { type: "button", "aria-label": label, title: label };
  return el("button.icon-button", { ...named, ...given }, icon(name));
}
