/**
 * The page begins here: it reads page.json, offers the screens that this page has, and shows the one in the
 * address.
 *
 * A screen is a module with `show(root, page)`, called once, when it is first opened. Its root stays in the
 * page, hidden while another is open, and gets the events `enter` (detail: the rest of the address, behind
 * #NAME/) and `leave`.
 */

import { getJson, keepToken } from "./api.js";
import { el, notify, replace, solve } from "./dom.js";

const SCREENS = [
  { name: "color", title: "Color", colors: true },
  { name: "dataset", title: "Dataset", looks: true },
  { name: "limits", title: "Limits", looks: true },
  { name: "twins", title: "Twins", looks: true },
  { name: "sketches", title: "Sketches", looks: true },
  { name: "runs", title: "Runs", looks: true },
];
const screensMade = new Map(); // promises of their roots, by name
const main = document.querySelector("main");
let current = null; // the root of the screen that is shown

async function begin() {
  keepToken();
  try {
    const page = await getJson("page.json");
    const screens = SCREENS.filter((screen) => !screen.looks || page.mode === "studio");
    if (screens.length > 1) addTabs(screens);
    addEventListener("hashchange", () => open(screens, page));
    await open(screens, page);
  } catch (error) {
    fail(`This page could not be loaded (${error.message}). Load it again.`);
  }
}

function addTabs(screens) {
  const links = screens.map(({ name, title }) =>
    el("a", { href: `#${name}`, data: { screen: name } }, title),
  );
  replace(document.querySelector(".tabs"), links);
}

async function open(screens, page) {
  const [name, ...rest] = location.hash.slice(1).split("/").map(decodeWord);
  const screen = screens.find((each) => each.name === name) ?? screens[0];
  if (current && current.dataset.screen !== screen.name) leave();
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.screen === screen.name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${screen.title} · inkwash`;
  Object.assign(document.body.dataset, { screen: screen.name, state: "loading" });
  for (const section of main.children) section.hidden = section.dataset.screen !== screen.name;
  let root;
  try {
    root = await makeScreen(screen, page);
  } catch (error) {
    if (document.body.dataset.screen !== screen.name) return;
    return fail(`The screen ${screen.title} could not be loaded (${error.message}). Load the page again.`);
  }
  if (document.body.dataset.screen !== screen.name) return; // another was asked for in the meantime
  solve("page");
  current = root;
  document.body.dataset.state = "ready";
  root.dispatchEvent(new CustomEvent("enter", { detail: screen.name === name ? rest : [] }));
}

function leave() {
  current.dispatchEvent(new CustomEvent("leave"));
  current = null;
}

function decodeWord(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** Make a screen, once, and return its root. */
function makeScreen(screen, page) {
  const { name } = screen;
  if (!screensMade.has(name)) {
    screensMade.set(name, fillRoot(screen, page));
    screensMade.get(name).catch(() => screensMade.delete(name));
  }
  return screensMade.get(name);
}

async function fillRoot({ name, title, colors }, page) {
  const { show } = await import(`./screens/${name}.js`);
  if (colors && page.mode === "studio") Object.assign(page, await getJson("api/model"));
  const root = el("section.screen", { "aria-label": title, data: { screen: name } });
  root.hidden = document.body.dataset.screen !== name;
  main.append(root);
  try {
    await show(root, page);
  } catch (error) {
    root.remove();
    throw error;
  }
  return root;
}

function fail(sentence) {
  document.body.dataset.state = "failed";
  notify(sentence, { key: "page" });
}

begin();
