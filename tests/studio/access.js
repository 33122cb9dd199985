// What the tests of access ask of a page; it runs in every page before the page's own modules.

globalThis.access = (() => {
  const WORKING = `a[href], button, input, select, textarea, summary, [tabindex], [role=button], [role=slider],
    [role=checkbox], [role=tab], [role=option], [role=link]`;
  const GROUPS = `[role=toolbar], [role=radiogroup], [role=listbox], [role=grid], [role=tablist], [role=menu]`;

  function isShown(element) {
    return element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
      && !element.closest("[inert]") && element.getClientRects().length > 0;
  }

  function nameOf(element) {
    const name = element.getAttribute("aria-label") ?? element.textContent.trim().slice(0, 40);
    return `${element.localName}.${element.className?.baseVal ?? element.className} ${name}`;
  }

  /** Number what a person can use, and list it; an open dialog is all that can be used. */
  function mark() {
    for (const each of document.querySelectorAll("[data-walked]")) delete each.dataset.walked;
    const dialog = document.querySelector("dialog:modal");
    const found = [...document.querySelectorAll(WORKING)].filter((each) => isShown(each)
      && !each.matches(":disabled, main") && (!dialog || dialog.contains(each)));
    found.forEach((each, number) => {
      each.dataset.walked = number;
    });
    document.activeElement.blur();
    return found.map(nameOf);
  }

  /** The numbers of what has the focus, and of the item that is active in it, and whether the focus is seen. */
  function here() {
    const focused = document.activeElement;
    const item = document.getElementById(focused.getAttribute("aria-activedescendant"));
    const found = [focused, item].filter((each) => each?.dataset.walked !== undefined);
    return { numbers: found.map((each) => Number(each.dataset.walked)), ring: [focused, item].some(hasRing) };
  }

  function hasRing(element) {
    if (!element) return false;
    const style = getComputedStyle(element);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
  }

  let last = null;

  function blur() {
    last = document.activeElement;
    last.blur();
  }

  function restore() {
    last.focus();
  }

  /** The place on the screen of what has the focus, with its rim. */
  function place() {
    const { left, top, width, height } = document.activeElement.getBoundingClientRect();
    return { x: left - 6, y: top - 6, width: width + 12, height: height + 12 };
  }

  /** Focus a number, or the list whose active item it is. */
  function focus(number) {
    const element = document.querySelector(`[data-walked="${number}"]`);
    element.focus();
    if (document.activeElement !== element) element.closest(GROUPS).focus();
  }

  /** The group of each number, within which arrows move the focus; -1 for none. */
  function groups() {
    const all = [...document.querySelectorAll(GROUPS)];
    const groupOf = (each) => (each.type === "radio" && each.name ? `radio ${each.name}`
      : all.indexOf(each.parentElement.closest(GROUPS)));
    const walked = [...document.querySelectorAll("[data-walked]")];
    return walked.sort((a, b) => a.dataset.walked - b.dataset.walked).map(groupOf);
  }

  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  /** A color of CSS as [r, g, b] from 0 to 255 and alpha from 0 to 1. */
  function parse(color) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  function lay([r, g, b, a], below) {
    return [r, g, b].map((each, at) => each * a + below[at] * (1 - a)).concat(1);
  }

  function groundOf(element) {
    if (!element) return [255, 255, 255, 1];
    const color = parse(getComputedStyle(element).backgroundColor);
    return color[3] === 1 ? color : lay(color, groundOf(element.parentElement));
  }

  /** Relative luminance, as WCAG 2 defines it. */
  function lightOf(color) {
    const linear = color.slice(0, 3).map((each) => each / 255)
      .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  function contrastOf(element, style) {
    const ground = groundOf(element);
    const color = parse(element instanceof SVGElement ? style.fill : style.color);
    for (let each = element; each; each = each.parentElement) color[3] *= getComputedStyle(each).opacity;
    const [more, less] = [lightOf(lay(color, ground)), lightOf(ground)].sort((a, b) => b - a);
    return (more + 0.05) / (less + 0.05);
  }

  /** The texts whose contrast is below 4.5, or 3 where they are large. */
  function faint() {
    const found = new Set();
    const check = (element, text, style = getComputedStyle(element)) => {
      const size = parseFloat(style.fontSize);
      const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
      const contrast = contrastOf(element, style);
      if (contrast < least) found.add(`${contrast.toFixed(2)} ${nameOf(element)}: ${text.slice(0, 40)}`);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const [text, element] = [walker.currentNode.data.trim(), walker.currentNode.parentElement];
      const isOff = element.closest(":disabled, [aria-disabled=true], option, noscript");
      if (text && isShown(element) && !isOff) check(element, text);
    }
    for (const input of document.querySelectorAll("input, textarea")) {
      if (!isShown(input) || !input.placeholder || input.value) continue;
      check(input, input.placeholder, getComputedStyle(input, "::placeholder"));
    }
    return [...found];
  }

  /** What is wider than the window, and does not scroll in a part of its own. */
  function wide() {
    const isPage = (element) => element.matches("html, body, main, .screen");
    const scrolls = (element) => element && ((!isPage(element) && element.scrollWidth > element.clientWidth
      && ["auto", "scroll"].includes(getComputedStyle(element).overflowX)) || scrolls(element.parentElement));
    const over = [...document.querySelectorAll("body *")].filter((each) => isShown(each) && !scrolls(each)
      && !each.matches(".visually-hidden, .skip, svg *") && each.getBoundingClientRect().right > innerWidth + 0.5);
    const pages = [...document.querySelectorAll("html, body, main, .screen")]
      .filter((each) => each.scrollWidth > each.clientWidth + 1);
    return [...over, ...pages].map(nameOf);
  }

  return { mark, here, place, blur, restore, focus, groups, faint, wide };
})();
