/** Pen, mouse, fingers and wheel on the canvas, as a tool's start, move and end in pixels of the drawing. */

const TAP = { time: 260, reach: 12 }; // milliseconds and CSS pixels within which fingers tap
const ERASER_END = 32; // of PointerEvent.buttons: the other end of the pen

/**
 * @typedef {object} Place of the drawing, in its pixels
 * @property {number} x
 * @property {number} y
 * @property {number|null} pressure from 0 to 1; null of what has none
 * @property {"strokes"|"result"} pane that it was pointed at in
 */

/**
 * Listen on a host; return a function that stops.
 *
 * `actions` are tool(), start(tool, place, {line}), move(places), end(), cancel(), hover(point or null),
 * undo() and redo(). A tool of "hand" moves the view here.
 */
export function listen(host, view, actions) {
  const fingers = new Map();
  let [drawing, panning, gesture, penSeen, space] = [null, null, null, false, false];
  let corner = { left: 0, top: 0 }; // of the host; it is asked for once a stroke, not at each move

  function findCorner() {
    corner = host.getBoundingClientRect();
  }

  function point(event) {
    return { x: event.clientX - corner.left, y: event.clientY - corner.top };
  }

  function place(event, pane) {
    const { x, y } = view.toImage(point(event), pane);
    return { x, y, pressure: event.pointerType === "pen" ? event.pressure : null, pane: pane.shows };
  }

  function toolOf(event) {
    if (event.button === 1 || space) return "hand";
    if (event.button === 2 || event.altKey) return "picker";
    if (event.buttons & ERASER_END) return "eraser";
    return actions.tool();
  }

  function down(event) {
    if (event.target.closest("button, input, [role=slider]") || !view.scene) return;
    event.preventDefault();
    findCorner();
    host.focus({ preventScroll: true });
    if (event.pointerType === "pen") penSeen = true;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, point(event));
      if (fingers.size > 1) return beginGesture();
    }
    if (drawing || panning) return;
    host.setPointerCapture(event.pointerId);
    const tool = event.pointerType === "touch" && penSeen ? "hand" : toolOf(event);
    if (tool === "hand") {
      panning = { id: event.pointerId, last: point(event) };
      host.classList.add("panning");
      return;
    }
    const pane = view.paneAt(point(event));
    drawing = { id: event.pointerId, pane };
    actions.start(tool, place(event, pane), { line: event.shiftKey });
  }

  function move(event) {
    if (fingers.has(event.pointerId)) {
      fingers.set(event.pointerId, point(event));
      if (gesture) return moveGesture();
    }
    if (panning?.id === event.pointerId) {
      const now = point(event);
      view.pan(now.x - panning.last.x, now.y - panning.last.y);
      panning.last = now;
    } else if (drawing?.id === event.pointerId) {
      const events = event.getCoalescedEvents?.() ?? [];
      actions.move((events.length ? events : [event]).map((each) => place(each, drawing.pane)));
    }
    actions.hover(event.pointerType === "touch" ? null : point(event));
  }

  function up(event) {
    fingers.delete(event.pointerId);
    if (gesture) return endGesture();
    if (panning?.id === event.pointerId) stopPanning();
    if (drawing?.id !== event.pointerId) return;
    drawing = null;
    actions.end();
  }

  function canceled(event) {
    fingers.delete(event.pointerId);
    if (!fingers.size) gesture = null;
    if (panning?.id === event.pointerId) stopPanning();
    if (drawing?.id !== event.pointerId) return;
    drawing = null;
    actions.end(); // what was painted so far stays: no stroke is lost
  }

  function stopPanning() {
    panning = null;
    host.classList.remove("panning");
  }

  function beginGesture() {
    if (drawing) {
      drawing = null;
      actions.cancel();
    }
    if (panning) stopPanning();
    const moved = gesture?.moved ?? false;
    const since = gesture?.since ?? performance.now();
    gesture = { ...spread(), most: fingers.size, since, moved, from: spread() };
  }

  /** The middle of the fingers, and how far two of them are apart. */
  function spread() {
    const [one, other = one] = [...fingers.values()];
    const middle = { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
    return { middle, apart: Math.max(1, Math.hypot(one.x - other.x, one.y - other.y)) };
  }

  function moveGesture() {
    if (fingers.size < 2) return;
    const { middle, apart } = spread();
    const { from } = gesture;
    const moved = Math.hypot(middle.x - from.middle.x, middle.y - from.middle.y);
    gesture.moved ||= moved + Math.abs(apart - from.apart) > TAP.reach;
    if (gesture.moved) {
      view.pan(middle.x - gesture.middle.x, middle.y - gesture.middle.y);
      view.zoom(apart / gesture.apart, middle);
    }
    Object.assign(gesture, { middle, apart });
  }

  function endGesture() {
    if (fingers.size) return;
    const { most, since, moved } = gesture;
    gesture = null;
    if (moved || performance.now() - since > TAP.time) return;
    if (most === 2) actions.undo();
    else if (most === 3) actions.redo();
  }

  function wheel(event) {
    if (!view.scene) return;
    event.preventDefault();
    findCorner();
    const unit = event.deltaMode === 1 ? 20 : 1;
    const [right, down] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey) view.pan(-(right || down), 0);
    else if (right && !event.ctrlKey) view.pan(-right, -down); // two fingers on a pad
    else view.zoom(Math.exp(-down * (event.ctrlKey ? 0.01 : 0.0016)), point(event));
  }

  function leave() {
    actions.hover(null);
  }

  function keyDown(event) {
    if (event.key !== " " || event.target.closest("button, input, a, select, dialog")) return;
    if (!host.isConnected || host.closest("[hidden]")) return;
    event.preventDefault();
    space = true;
    host.classList.add("movable");
  }

  function keyUp(event) {
    if (event.key !== " ") return;
    space = false;
    host.classList.remove("movable");
  }

  const stop = new AbortController();
  const { signal } = stop;
  const on = (target, name, handler) => target.addEventListener(name, handler, { signal, passive: false });
  on(host, "pointerenter", findCorner);
  on(host, "pointerdown", down);
  on(host, "pointermove", move);
  on(host, "pointerup", up);
  on(host, "pointercancel", canceled);
  on(host, "pointerleave", leave);
  on(host, "wheel", wheel);
  on(host, "contextmenu", (event) => event.preventDefault());
  on(host, "auxclick", (event) => event.preventDefault());
  on(window, "keydown", keyDown);
  on(window, "keyup", keyUp);
  on(window, "blur", () => keyUp({ key: " " }));
  return () => stop.abort();
}
