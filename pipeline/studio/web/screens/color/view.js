/** The view of a drawing: zoom, pan and mirror of its panes, on one canvas, redrawn where it changes. */

const MOST_ZOOM = 32;
const MARGIN = 24; // CSS pixels around a drawing that is fitted
const STEP = 1.25; // of the zoom, by a key or a button
const RIM = 2; // pixels of the screen by which a changed part is redrawn wider, for smoothing

export const MODES = ["strokes", "both", "split", "result"];

/**
 * @typedef {object} Scene what a view shows; `null` where there is none
 * @property {number} width of the drawing, in pixels, like `height`
 * @property {Pyramid} drawing
 * @property {Pyramid} result
 * @property {TileCanvas} strokes
 * @property {TileCanvas} mask
 * @property {Wet} wet strokes that the result does not have yet
 */
export class View {
  /** @param {HTMLElement} host has the canvas and a size. `onMove` hears of each change of the view. */
  constructor(host, canvas, onMove) {
    Object.assign(this, { host, canvas, onMove, scene: null, mode: "both", divide: 0.5, mirror: false });
    Object.assign(this, { scale: 1, x: 0, y: 0, fitted: true, dirty: {}, frame: 0, masked: false });
    Object.assign(this, { width: 1, height: 1, density: 1 });
    this.context = canvas.getContext("2d", { alpha: true });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(host); // and hears of the size that it has now
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  resize() {
    const box = this.host.getBoundingClientRect();
    this.density = Math.min(window.devicePixelRatio || 1, 2);
    this.width = Math.max(1, box.width);
    this.height = Math.max(1, box.height);
    this.canvas.width = Math.round(this.width * this.density);
    this.canvas.height = Math.round(this.height * this.density);
    if (this.fitted) this.fit();
    this.moved();
  }

  show(scene) {
    this.scene = scene;
    this.fit();
  }

  /** The panes of the mode: what each shows, where it lies, and which part of it is seen, in CSS pixels. */
  panes() {
    const { width, height, mode } = this;
    const whole = { left: 0, top: 0, width, height };
    if (mode === "both" && !this.stacked) {
      const half = { ...whole, width: width / 2 };
      return [pane("strokes", half), pane("result", { ...half, left: width / 2 })];
    }
    if (mode === "both") {
      const half = { ...whole, height: height / 2 };
      return [pane("strokes", half), pane("result", { ...half, top: height / 2 })];
    }
    if (mode === "split") {
      const at = width * this.divide;
      return [
        pane("strokes", whole, { ...whole, width: at }),
        pane("result", whole, { ...whole, left: at, width: width - at }),
      ];
    }
    return [pane(mode, whole)];
  }

  /** Whether both panes, one above the other, show a larger drawing than side by side. */
  get stacked() {
    const { scene, width, height } = this;
    if (!scene) return width < height;
    const fits = (across, down) => Math.min(across / scene.width, down / scene.height);
    return fits(width, height / 2) > fits(width / 2, height);
  }

  setMode(mode) {
    this.mode = mode;
    if (this.fitted) this.fit();
    this.moved();
  }

  setDivide(share) {
    this.divide = Math.min(1, Math.max(0, share));
    this.invalidate();
    this.onMove(this);
  }

  setMirror(mirror) {
    this.mirror = mirror;
    this.moved();
  }

  fit() {
    if (!this.scene) return;
    const [{ box }] = this.panes();
    const room = (side) => Math.max(32, side - 2 * MARGIN);
    const { width, height } = this.scene;
    this.scale = Math.min(room(box.width) / width, room(box.height) / height, MOST_ZOOM);
    [this.x, this.y] = [width / 2, height / 2];
    this.fitted = true;
    this.moved();
  }

  /** Zoom by a factor, so that the point of the screen stays where it is; without one, the middle. */
  zoom(factor, point = null) {
    if (!this.scene) return;
    const { box } = point ? this.paneAt(point) : this.panes()[0];
    const at = point ?? { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    const before = this.toImage(at);
    const least = Math.min(1, 64 / Math.max(this.scene.width, this.scene.height));
    this.scale = Math.min(MOST_ZOOM, Math.max(least, this.scale * factor));
    const after = this.toImage(at);
    this.x += before.x - after.x;
    this.y += before.y - after.y;
    this.fitted = false;
    this.moved();
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  setScale(scale) {
    this.zoom(scale / this.scale);
  }

  /** Move the drawing by pixels of the screen. */
  pan(right, down) {
    if (!this.scene) return;
    const { width, height } = this.scene;
    const clamp = (value, most) => Math.min(most, Math.max(0, value));
    this.x = clamp(this.x - (this.mirror ? -right : right) / this.scale, width);
    this.y = clamp(this.y - down / this.scale, height);
    this.fitted = false;
    this.moved();
  }

  paneAt({ x, y }) {
    const inside = ({ seen }) => x >= seen.left && x < seen.left + seen.width
      && y >= seen.top && y < seen.top + seen.height;
    const panes = this.panes();
    return panes.find(inside) ?? panes[0];
  }

  /** The place in the drawing, in its pixels, of a point of the screen relative to the host. */
  toImage(point, { box } = this.paneAt(point)) {
    const across = (point.x - box.left - box.width / 2) / this.scale;
    return {
      x: this.x + (this.mirror ? -across : across),
      y: this.y + (point.y - box.top - box.height / 2) / this.scale,
    };
  }

  /** The point of the screen, relative to the host, of a place in the drawing. */
  toScreen({ x, y }, { box } = this.panes()[0]) {
    const across = (x - this.x) * this.scale;
    return {
      x: box.left + box.width / 2 + (this.mirror ? -across : across),
      y: box.top + box.height / 2 + (y - this.y) * this.scale,
    };
  }

  moved() {
    this.invalidate();
    this.onMove(this);
  }

  /**
   * Redraw at the next frame.
   *
   * @param {{left, top, right, bottom}|null} part of the drawing; null is everything
   * @param {string|null} shows the panes that changed, "strokes" or "result"; null is all of them
   */
  invalidate(part = null, shows = null) {
    for (const name of shows ? [shows] : ["strokes", "result"]) {
      const { [name]: before = null } = this.dirty;
      this.dirty[name] = !part || before === "all" ? "all" : union(before, part);
    }
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const { dirty } = this;
      this.dirty = {};
      this.render(dirty);
    });
  }

  render(dirty) {
    const { context, density } = this;
    context.setTransform(density, 0, 0, density, 0, 0);
    for (const each of this.panes()) {
      const part = dirty[each.shows];
      const place = part === "all" ? each.seen : part && cut(this.onScreen(part, each), each.seen);
      if (!place) continue;
      context.save();
      context.beginPath();
      context.rect(place.left, place.top, place.width, place.height);
      context.clip();
      context.clearRect(place.left, place.top, place.width, place.height);
      if (this.scene) this.renderPane(each, place);
      context.restore();
    }
  }

  /** A rectangle of the drawing as one of the screen, in whole device pixels. */
  onScreen({ left, top, right, bottom }, pane) {
    const one = this.toScreen({ x: left, y: top }, pane);
    const other = this.toScreen({ x: right, y: bottom }, pane);
    const low = (a, b) => Math.floor(Math.min(a, b) * this.density - RIM) / this.density;
    const high = (a, b) => Math.ceil(Math.max(a, b) * this.density + RIM) / this.density;
    const [x, y] = [low(one.x, other.x), low(one.y, other.y)];
    return { left: x, top: y, width: high(one.x, other.x) - x, height: high(one.y, other.y) - y };
  }

  renderPane(each, place) {
    const { context, scene, density } = this;
    const { width, height } = scene;
    const corner = this.toScreen({ x: 0, y: 0 }, each);
    const across = this.scale * density * (this.mirror ? -1 : 1);
    context.setTransform(across, 0, 0, this.scale * density, corner.x * density, corner.y * density);
    const part = this.visible(each, place);
    if (!part) return;
    const scale = this.scale * density;
    context.fillStyle = "#fff";
    context.fillRect(part.left, part.top, part.right - part.left, part.bottom - part.top);
    context.imageSmoothingQuality = "low"; // the copy has about the size; better takes several times as long
    if (each.shows === "result") {
      (scene.result ?? scene.drawing).draw(context, width, height, part, scale);
      if (!this.masked && scene.wet.strokes.length) {
        scene.wet.draw(context, part);
        context.globalCompositeOperation = "darken"; // lines that are there already stay as dark as they are
        scene.drawing.draw(context, width, height, part, scale);
        context.globalCompositeOperation = "source-over";
      }
    } else {
      if (!this.masked) scene.strokes.draw(context, part, scale);
      context.globalCompositeOperation = "multiply";
      scene.drawing.draw(context, width, height, part, scale);
      context.globalCompositeOperation = "source-over";
      if (this.masked) scene.mask.draw(context, part, scale, 0.55);
    }
  }

  /** The rectangle of the drawing, in whole pixels, that is seen in a place of the screen. */
  visible(pane, { left, top, width, height }) {
    const one = this.toImage({ x: left, y: top }, pane);
    const other = this.toImage({ x: left + width, y: top + height }, pane);
    const part = {
      left: Math.max(0, Math.floor(Math.min(one.x, other.x)) - 1),
      top: Math.max(0, Math.floor(Math.min(one.y, other.y)) - 1),
      right: Math.min(this.scene.width, Math.ceil(Math.max(one.x, other.x)) + 1),
      bottom: Math.min(this.scene.height, Math.ceil(Math.max(one.y, other.y)) + 1),
    };
    return part.left < part.right && part.top < part.bottom ? part : null;
  }
}

function pane(shows, box, seen = box) {
  return { shows, box, seen };
}

/** The smallest rectangle around two; either may be null. */
export function union(one, other) {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

function cut(one, other) {
  const left = Math.max(one.left, other.left);
  const top = Math.max(one.top, other.top);
  const width = Math.min(one.left + one.width, other.left + other.width) - left;
  const height = Math.min(one.top + one.height, other.top + other.height) - top;
  return width > 0 && height > 0 ? { left, top, width, height } : null;
}
