/**
 * The page begins here: it reads page.json, offers the screens that this page has, and shows the one in the address.
 *
 * A screen is a module with `show(root, page)`, called once, when it is first opened. Its root stays in the page,
 * hidden while another is open, and gets the events `enter` (detail: the rest of the address, behind #NAME/) and
 * `leave`.
 */

import { keepToken } from "./api.js";
import { el, notify, replace } from "./dom.js";

const SCREENS = [
  { name: "color", title: "Color" },
  { name: "dataset", title: "Dataset", looks: true },
  { name: "limits", title: "Limits", looks: true },
  { name: "twins", title: "Twins", looks: true },
  { name: "sketches", title: "Sketches", looks: true },
  { name: "runs", title: "Runs", looks: true },
];
const roots = new Map();
const main = document.querySelector("main");
let current = null;

async function begin() {
  keepToken();
  try {
    const answer = await fetch("page.json");
    if (!answer.ok) throw new Error(`page.json: ${answer.status}`);
    const page = await answer.json();
    const screens = SCREENS.filter((screen) => !screen.looks || page.mode === "studio");
    if (screens.length > 1) addTabs(screens);
    addEventListener("hashchange", () => open(screens, page));
    await open(screens, page);
  } catch (error) {
    fail(`This page could not be loaded (${error.message}). Load it again.`);
  }
}

function addTabs(screens) {
  const links = screens.map(({ name, title }) => el("a", { href: `#${name}`, data: { screen: name } }, title));
  replace(document.querySelector(".tabs"), links);
}

async function open(screens, page) {
  const [name, ...rest] = location.hash.slice(1).split("/").map(decodeWord);
  const screen = screens.find((each) => each.name === name) ?? screens[0];
  if (current && current !== screen.name) {
    roots.get(current).hidden = true;
    roots.get(current).dispatchEvent(new CustomEvent("leave"));
  }
  current = screen.name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.screen === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${screen.title} · inkwash`;
  document.body.dataset.screen = screen.name;
  try {
    await load(screen, page);
  } catch (error) {
    return fail(`The screen ${screen.title} could not be loaded (${error.message}). Load the page again.`);
  }
  if (current !== screen.name) return;
  const root = roots.get(screen.name);
  root.hidden = false;
  document.body.dataset.state = "ready";
  root.dispatchEvent(new CustomEvent("enter", { detail: screen.name === name ? rest : [] }));
}

function decodeWord(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** Make the root of a screen and let the screen fill it, once. */
async function load({ name, title }, page) {
  if (roots.has(name)) return;
  const root = el("section.screen", { "aria-label": title, data: { screen: name } });
  roots.set(name, root);
  main.append(root);
  try {
    const { show } = await import(`./screens/${name}.js`);
    await show(root, page);
  } catch (error) {
    root.remove();
    roots.delete(name);
    throw error;
  }
}

function fail(sentence) {
  document.body.dataset.state = "failed";
  notify(sentence, { key: "page" });
}

begin();
