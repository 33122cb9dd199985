/** The canvas with what lies on it: the brush's ring, the crosshair, the divider, and the buttons to zoom. */

import { el, iconButton } from "../../dom.js";
import { listen } from "./input.js";
import { View } from "./view.js";

const STEP = 1 / 40; // of the shorter side of the view, by which an arrow moves the crosshair

/**
 * Make the canvas.
 *
 * `actions` are those of `listen`, and color(place), which reads the color that is seen at a place, or null;
 * brush() is {tool, size, color}: the size in pixels of the drawing.
 *
 * @returns {{host: HTMLElement, view: View, showBrush: () => void, close: () => void}}
 */
export function makeCanvas(actions) {
  const picture = el("canvas", { "aria-hidden": "true" });
  const rings = [el("span.ring", { hidden: true }), el("span.ring.echo", { hidden: true })];
  const cross = el("span.cross", { hidden: true });
  const divider = el("div.divider", {
    role: "slider", tabindex: "0", hidden: true, "aria-label": "Border between strokes and result",
    "aria-valuemin": "0", "aria-valuemax": "100", onpointerdown: grab, onpointermove: slide, onkeydown: nudge,
  }, el("span"));
  const percent = el("button.plain.percent.number", {
    type: "button", title: "One pixel for a pixel (1)", onclick: () => view.setScale(1),
  });
  const mirror = iconButton("mirror", "Mirror the view (M)", {
    "aria-pressed": "false", onclick: () => view.setMirror(!view.mirror),
  });
  const zoom = el(
    "div.zoom", { role: "group", "aria-label": "Zoom" },
    iconButton("minus", "Zoom out (-)", { onclick: () => view.zoomOut() }),
    percent,
    iconButton("plus", "Zoom in (+)", { onclick: () => view.zoomIn() }),
    iconButton("fit", "Fit the window (0)", { onclick: () => view.fit() }),
    mirror,
  );
  const host = el(
    "div.canvas",
    {
      tabindex: "0", role: "application", "aria-label": "Canvas", "aria-describedby": "canvas-keys",
      data: { state: "empty" }, onkeydown: key, onblur: hideCross,
      onpointerdown: () => host.classList.add("pointing"),
    },
    picture, rings, cross, divider, zoom,
    el("p.visually-hidden", { id: "canvas-keys" }, "Arrows move a crosshair, Enter uses the tool there."),
  );
  const shown = { point: null, cross: null };
  const view = new View(host, picture, moved);
  const stop = listen(host, view, { ...actions, hover });

  function moved() {
    percent.textContent = `${Math.round(view.scale * 100)} %`;
    percent.setAttribute("aria-label", `Zoom: ${percent.textContent}. Show one pixel for a pixel`);
    mirror.setAttribute("aria-pressed", String(view.mirror));
    divider.hidden = view.mode !== "split" || !view.scene;
    divider.style.setProperty("left", `${view.divide * 100}%`);
    divider.setAttribute("aria-valuenow", Math.round(view.divide * 100));
    host.dataset.mode = view.mode === "both" && view.stacked ? "stacked" : view.mode;
    host.dataset.zoom = view.scale.toFixed(4);
    showBrush();
    showCross();
  }

  function hover(point) {
    shown.point = point;
    showBrush();
  }

  function showBrush() {
    const { tool, size, color } = actions.brush();
    host.dataset.tool = tool;
    const { point } = shown;
    const isRound = tool === "brush" || tool === "eraser";
    const seen = point && view.scene && (isRound || tool === "picker");
    const under = seen && tool === "picker" ? actions.color(placeOf(point)) : null;
    const panes = view.panes();
    const here = seen && view.paneAt(point);
    rings.forEach((ring, at) => {
      const pane = at && view.mode === "both" ? panes.find((each) => each !== here) : here;
      ring.hidden = !seen || (at && view.mode !== "both") || (tool === "picker" && !under);
      if (ring.hidden) return;
      const center = at ? view.toScreen(view.toImage(point, here), pane) : point;
      const across = isRound ? Math.max(4, size * view.scale) : 30;
      ring.style.setProperty("--at", `${center.x}px ${center.y}px`);
      ring.style.setProperty("--across", `${across}px`);
      ring.style.setProperty("--color", `rgb(${(under ?? color).join(" ")})`);
    });
  }

  function placeOf(point) {
    const pane = view.paneAt(point);
    return { ...view.toImage(point, pane), pressure: null, pane: pane.shows };
  }

  function grab(event) {
    event.stopPropagation();
    divider.setPointerCapture(event.pointerId);
  }

  function slide(event) {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const { left, width } = host.getBoundingClientRect();
    view.setDivide((event.clientX - left) / width);
  }

  function nudge(event) {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    view.setDivide(view.divide + by);
  }

  function key(event) {
    host.classList.remove("pointing");
    if (event.target !== host || !view.scene || event.ctrlKey || event.metaKey) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) moveCross(way, event);
    else if (event.key === "Enter") useTool(event);
    else return;
    event.preventDefault();
  }

  function moveCross([right, down], { shiftKey, altKey }) {
    const { scene } = view;
    const step = altKey ? 1 : (Math.min(view.width, view.height) * STEP * (shiftKey ? 5 : 1)) / view.scale;
    const at = shown.cross ?? { x: view.x, y: view.y };
    const clamp = (value, most) => Math.min(most - 1, Math.max(0, value));
    const x = clamp(at.x + (view.mirror ? -right : right) * step, scene.width);
    shown.cross = { x, y: clamp(at.y + down * step, scene.height) };
    bringIntoView();
    showCross();
  }

  function bringIntoView() {
    const [{ box }] = view.panes();
    const { x, y } = view.toScreen(shown.cross);
    const over = (value, from, to) => Math.max(0, value - to + 20) - Math.max(0, from + 20 - value);
    const right = over(x, box.left, box.left + box.width);
    const down = over(y, box.top, box.top + box.height);
    if (right || down) view.pan(-right, -down);
  }

  function showCross() {
    cross.hidden = !shown.cross || !view.scene;
    if (cross.hidden) return;
    const { x, y } = view.toScreen(shown.cross);
    cross.style.setProperty("--at", `${x}px ${y}px`);
  }

  function hideCross() {
    cross.hidden = true;
    host.classList.remove("pointing");
  }

  function useTool({ shiftKey }) {
    shown.cross ??= { x: view.x, y: view.y };
    showCross();
    const tool = actions.tool();
    if (tool === "hand") return;
    actions.start(tool, { ...shown.cross, pressure: null, pane: view.panes()[0].shows }, { line: shiftKey });
    actions.end();
  }

  return {
    host, view, showBrush,
    close() {
      stop();
      view.close();
    },
  };
}
