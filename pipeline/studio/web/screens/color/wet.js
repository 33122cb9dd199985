/** Strokes that the result does not have yet: they are drawn over it, until a result with them arrives. */

export class Wet {
  constructor() {
    this.strokes = [];
  }

  /** Begin a stroke of a color, [r, g, b]; null erases. */
  begin(color) {
    this.strokes.push({ color, points: [], version: Infinity });
  }

  /** Go on to a place of the drawing, with a radius there, all in its pixels. */
  add(x, y, radius) {
    this.strokes.at(-1).points.push({ x, y, radius });
  }

  /** The stroke is part of the work's version. */
  end(version) {
    const last = this.strokes.at(-1);
    if (last) last.version = Math.min(last.version, version);
  }

  cancel() {
    this.strokes.pop();
  }

  /** A result of this version has come. */
  dry(version) {
    this.strokes = this.strokes.filter((stroke) => stroke.version > version);
  }

  /** Draw what is within a part of the drawing; the context has its coordinates. */
  draw(context, part) {
    context.lineCap = context.lineJoin = "round";
    for (const { color, points } of this.strokes) {
      context.fillStyle = context.strokeStyle = color ? `rgb(${color.join(" ")})` : "rgb(255 255 255 / 70%)";
      if (points.length === 1) drawDot(context, points[0]);
      else drawRuns(context, points, part);
    }
  }
}

function drawDot(context, { x, y, radius }) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** Draw runs of points of about one width as one path, so that a translucent stroke covers itself once. */
function drawRuns(context, points, part) {
  for (let from = 0, to; from + 1 < points.length; from = to) {
    const { radius } = points[from + 1];
    for (to = from + 1; to + 1 < points.length && isNear(points[to + 1].radius, radius); to += 1);
    context.beginPath();
    context.lineWidth = 2 * radius;
    let isOn = false;
    for (let at = from + 1; at <= to; at += 1) {
      const isSeen = touches(points[at - 1], points[at], radius, part);
      if (isSeen && !isOn) context.moveTo(points[at - 1].x, points[at - 1].y);
      if (isSeen) context.lineTo(points[at].x, points[at].y);
      isOn = isSeen;
    }
    context.stroke();
  }
}

function isNear(one, other) {
  return Math.abs(one - other) <= other / 16;
}

function touches(one, other, radius, { left, top, right, bottom }) {
  return Math.max(one.x, other.x) + radius >= left && Math.min(one.x, other.x) - radius <= right
    && Math.max(one.y, other.y) + radius >= top && Math.min(one.y, other.y) - radius <= bottom;
}
