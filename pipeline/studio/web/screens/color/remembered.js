/** What the browser remembers from one visit to the next: the brush, the colors used last, and the view. */

const NAME = "inkwash-brush";
const FIRST = { tool: "brush", size: 24, color: [224, 122, 95], before: [61, 90, 128], pressure: true };

/** @returns {{brush: object, used: number[][], mode: string|null}} */
export function recall() {
  try {
    const { brush, used, mode } = JSON.parse(localStorage.getItem(NAME));
    return { brush: { ...FIRST, ...brush }, used, mode };
  } catch {
    return { brush: { ...FIRST }, used: [], mode: null }; // the first visit, or a browser that keeps nothing
  }
}

export function remember(what) {
  try {
    localStorage.setItem(NAME, JSON.stringify(what));
  } catch {
    // the next visit begins with the first brush
  }
}
