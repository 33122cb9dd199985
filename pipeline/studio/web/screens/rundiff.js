/** What changed from one run to another: the verdict, measures, parameters, counts and curves of training. */

import { binIndices, chooseBins, curves, histogram, waterfall } from "../charts.js";
import { el } from "../dom.js";

const MOODS = { better: "good", worse: "bad" };

export function showVerdict(measured) {
  const [headline, lead] = split(measured.headline, ": ");
  const psnr = measured.conditions[0].measures.find(({ measure }) => measure === "psnr");
  return el(
    "section.verdict",
    { data: { mood: MOODS[psnr.verdict] ?? "untold" } },
    el("h2", {}, headline),
    el("p.lead.number", {}, lead.replaceAll("-", "−")),
    el(
      "div.scale",
      {},
      bar(psnr, 1.25 * reach(psnr)),
      el(
        "span.ends.small.muted",
        {},
        el("span", {}, "worse"),
        el("span", {}, "no change"),
        el("span", {}, "better"),
      ),
    ),
    el("p.muted", {}, measured.shared),
    measured.caveats.map((each) => el("p.caveat", {}, each)),
  );
}

function split(text, mark) {
  const place = text.indexOf(mark);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + mark.length)];
}

/** Show the measures under a condition, and of PSNR the groups and how single pictures changed. */
export function showCondition({ title, measures, groups, changes }, names) {
  const lists = Object.entries(groups).filter(([, rows]) => rows.length);
  return el(
    "section.panel",
    { "aria-label": title },
    el("h2", {}, title),
    measureTable(
      "",
      measures.map((each) => ({ ...each, name: each.title })),
      names,
    ),
    changes.length >= 6 ? showChanges(changes) : null,
    lists.map(([field, rows]) =>
      el(
        "details",
        {},
        el("summary", {}, `PSNR by ${field}`),
        measureTable(
          field,
          rows.map((each) => ({ ...each, name: each.name || "unknown" })),
          names,
          true,
        ),
      ),
    ),
  );
}

function measureTable(head, rows, names, counted = false) {
  const reaches = new Map();
  for (const row of rows) reaches.set(row.measure, Math.max(reaches.get(row.measure) ?? 0, reach(row)));
  const lines = rows.map((row) =>
    el(
      "tr",
      { data: { mood: MOODS[row.verdict] ?? "untold" } },
      el("th", { scope: "row" }, row.name, counted ? el("span.muted.small", {}, ` ${row.pictures}`) : null),
      el("td.number", {}, row.before.toFixed(row.decimals)),
      el("td.number", {}, row.after.toFixed(row.decimals)),
      el(
        "td.interval",
        {},
        el(
          "span.number",
          {},
          el("strong", {}, signed(row.change, row)),
          ` [${signed(row.low, row)}, ${signed(row.high, row)}]`,
        ),
        bar(row, reaches.get(row.measure)),
      ),
      el("td.verdict-word", {}, row.verdict),
    ),
  );
  const heads = [head, ...names, "change", ""].map((name, index) =>
    el(index === 1 || index === 2 ? "th.number" : "th", { scope: "col" }, name),
  );
  return el(
    "div.scroll",
    {},
    el("table.measures", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, lines)),
  );
}

function signed(value, { decimals }) {
  const text = Math.abs(value).toFixed(Math.max(2, decimals));
  return (value < 0 ? "−" : "+") + text;
}

function reach({ low, high }) {
  return Math.max(Math.abs(low), Math.abs(high)) || 1;
}

/** Draw an interval on a bar whose middle is no change; better is on the right, also where less is better. */
function bar({ low, high, change, less }, scale) {
  const place = (value) => 50 + (48 * (less ? -value : value)) / scale;
  const ends = [place(low), place(high)].sort((a, b) => a - b);
  const css = { "--low": `${ends[0]}%`, "--size": `${ends[1] - ends[0]}%`, "--middle": `${place(change)}%` };
  return el("span.bar-of-change", { "aria-hidden": "true", css }, el("i"), el("b"));
}

function showChanges(changes) {
  const bins = chooseBins(changes, { shown: [0], count: 32 });
  const counts = new Float64Array(bins.count);
  for (const place of binIndices(changes, bins)) counts[place]++;
  const chart = histogram({
    label: "Change of PSNR by picture, dB",
    series: [{ name: "pictures", kind: "a" }],
    height: 110,
  });
  chart.update({ bins, counts: [counts], before: 0 });
  return el(
    "figure.change-histogram",
    {},
    el("figcaption.label", {}, "Change of PSNR by picture, dB"),
    chart.element,
  );
}

// ---------------------------------------------------------------- parameters, counts, curves

export function showParams(params, names) {
  const rows = params.map(([name, before, after]) =>
    el("tr", {}, el("th.mono", { scope: "row" }, name), el("td.mono", {}, before), el("td.mono", {}, after)),
  );
  const heads = ["parameter", ...names].map((name) => el("th", { scope: "col" }, name));
  const table = el(
    "div.scroll",
    {},
    el("table.params", {}, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)),
  );
  return el(
    "section.panel",
    {},
    el("h2", {}, "Parameters that differ"),
    rows.length ? table : el("p.muted", {}, "None."),
  );
}

/**
 * List the rows of a waterfall: a total for each stage, and before it a step for each reason.
 *
 * Stages that only draw are left out where they kept what the stage before them kept.
 */
export function waterfallRows(stages) {
  const rows = [];
  let last = null;
  for (const { name, before, after, reasons } of stages) {
    const own = { label: name, count: after ?? 0, before: before ?? 0 };
    const plain = !reasons.length && last && last.count === own.count && last.before === own.before;
    if (plain) continue;
    if (!last && reasons.length) rows.push(sumUp(own, reasons));
    for (const reason of reasons) {
      rows.push({
        label: reason.name,
        count: -(reason.after ?? 0),
        before: -(reason.before ?? 0),
        step: true,
      });
    }
    rows.push(own);
    if (!name.startsWith("pack")) last = own;
  }
  return rows;
}

function sumUp({ count, before }, reasons) {
  const all = (side) => reasons.reduce((sum, reason) => sum + (reason[side] ?? 0), 0);
  return { label: "found", count: count + all("after"), before: before + all("before") };
}

export function showStages(stages, names) {
  const chart = waterfall();
  chart.update(waterfallRows(stages));
  const words = `Counts of ${names[1]}; where ${names[0]} had another, it is on the right.`;
  return el(
    "section.panel",
    {},
    el("h2", {}, "Pictures from search to pack"),
    stages.length
      ? [el("p.muted.small", {}, words), chart.element]
      : el("p.muted", {}, "Neither run has counts."),
  );
}

export function showCurves(lines, names) {
  const charts = lines.map(({ name, before, after }) => {
    const series = [
      { name: names[0], points: before, kind: "b" },
      { name: names[1], points: after, kind: "a" },
    ];
    return curves({
      series: series.filter(({ points }) => points.length),
      label: `${name} by step`,
      across: "step",
      up: name,
      height: 200,
    });
  });
  return el(
    "section.panel",
    {},
    el("h2", {}, "Training"),
    charts.length
      ? el("div.curve-grid", {}, charts)
      : el("p.muted", {}, "Neither run has curves in metrics/train/plots."),
  );
}
