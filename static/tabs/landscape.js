/** The tab of the loss landscape: what lies along the gradient, and around the path. */

import { Column, niceRange, steadyRange } from "../lines/column.js";
import { make } from "../element.js";
import { between, extent, extremeLine, spreadLines } from "../lines/lines.js";
import { Surfaces } from "./surface.js";
import { pointsTable, seriesTable } from "../lines/table.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../types.js").Run} Run
 */

export class Landscape {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.panels = [
      rangePanel(desk),
      curvePanel(desk),
      largestPanel(desk, "predictiveness"),
      largestPanel(desk, "beta"),
    ];
    this.spread = spreadPanel(desk);
    this.empty = make("p", { class: "empty" }, "Nothing was sampled along the gradient yet. It is done every few steps, if the settings ask for it.");
    this.surfaces = new Surfaces(desk);
    this.grid = make("div", { class: "pair" }, ...this.panels.map((panel) => panel.element));
    const runs = make("div", { class: "pair" }, this.spread.element);
    this.element = make("section", { class: "landscape" }, this.empty, this.grid, runs, this.surfaces.element);
    this.key = "";
  }

  /** Say that there is nothing, until there is. */
  reveal() {
    const { state } = this.desk;
    this.empty.hidden ||= state.runs.some((run) => state.whole(run.id).lastWith("landscape.loss", null));
    this.grid.hidden = !this.empty.hidden;
    this.spread.element.hidden = !state.runs.some((run) => siblings(state, run).length > 1);
    this.surfaces.arrange(this.desk.theme);
  }

  arrange() {
    const { state, theme } = this.desk;
    this.reveal();
    const key = [theme, ...state.runs.map((run) => run.id)].join();
    if (key === this.key) return;
    this.key = key;
    for (const panel of [...this.panels, this.spread]) this.desk.dress(panel);
  }
}

/**
 * The runs of a run's arm that are shown, if it is the first of them; else none.
 * @param {import("../data/state.js").State} state
 * @param {Run} run
 */
function siblings({ runs }, run) {
  const all = runs.filter(({ arm }) => arm === run.arm);
  return all[0].id === run.id ? all : [];
}

/** What lies between the losses of an arm's runs: each arm brings one band, with its first run. @param {Desk} desk */
function spreadPanel(desk) {
  const { state } = desk;
  const losses = (/** @type {Run} */ run) => siblings(state, run).map(({ id }) => state.frameAtCursor(id)?.scalar("loss") ?? NaN);
  return desk.linesPanel(
    "spread",
    { testid: "chart-spread", table: seriesTable([{ column: "loss", series: "loss", of: ({ mean }) => mean[0] }], desk.framesOf) },
    (run, lines) => spreadLines(siblings(state, run).map(({ id }) => state.history(id)), "loss", lines),
    (run) => (siblings(state, run).length ? Math.max(...losses(run)) - Math.min(...losses(run)) : null),
    { floor: 0, about: "largest less smallest loss of an arm’s runs at the cursor" },
  );
}

/** @param {Desk} desk */
function rangePanel(desk) {
  return alongPanel(desk, "landscape", "landscape.loss", ({ low, high }) => Math.max(...high) - Math.min(...low), "largest less smallest loss at the cursor");
}

/**
 * @param {Desk} desk
 * @param {"predictiveness" | "beta"} name
 */
function largestPanel(desk, name) {
  return alongPanel(desk, name, `landscape.${name}`, ({ high }) => Math.max(...high), "at worst, at the cursor");
}

/**
 * From the smallest to the largest of what was found along the gradient.
 * @param {Desk} desk
 * @param {string} name of the chart
 * @param {string} series
 * @param {(found: import("../data/frame.js").Series) => number} read the number at the cursor
 * @param {string} about it
 */
function alongPanel(desk, name, series, read, about) {
  const { state } = desk;
  return desk.linesPanel(
    name,
    { testid: `chart-${name}`, table: seriesTable([quantity(series, "low"), quantity(series, "high")], desk.framesOf) },
    (run, [range, high, low]) => {
      extremeLine(state.history(run.id), series, "high", high);
      extremeLine(state.history(run.id), series, "low", low);
      between(low, high, range);
    },
    (run) => {
      const found = probed(desk, run, series);
      return found ? read(found) : NaN;
    },
    { floor: 0, about },
  );
}

/**
 * A series at the last probed step up to the cursor.
 * @param {Desk} desk
 * @param {Run} run
 * @param {string} name
 */
function probed({ state }, run, name) {
  return state.lastWith(run.id, name)?.series.get(name);
}

/** @param {Desk} desk */
function curvePanel(desk) {
  const { state } = desk;
  /** @type {Column[]} */
  const lines = [];
  /** @type {[number, number] | null} */
  let range = null;
  const table = pointsTable(["eta", "loss"], (run) => {
    const line = new Column();
    fillCurve(desk, run, line);
    return { step: state.lastWith(run.id, "landscape.eta")?.firstStep ?? NaN, line };
  });
  return desk.panel("curve", { testid: "chart-curve", period: 120, table }, (panel) => {
    while (lines.length < state.runs.length) lines.push(new Column());
    const mine = lines.slice(0, state.runs.length);
    state.runs.forEach((run, i) => fillCurve(desk, run, mine[i]));
    const { low, high } = extent(mine);
    range = steadyRange(range, niceRange(low, high));
    const longest = Math.max(0, ...mine.map(({ x, n }) => (n ? x[n - 1] : 0)));
    desk.readOut(panel, (run) => state.lastWith(run.id, "landscape.eta")?.scalar("loss") ?? NaN);
    return { x: [-0.02 * longest, longest > 0 ? longest * 1.03 : 1], y: [Math.max(0, range[0]), range[1]], lines: mine };
  });
}

/**
 * The loss over the step length, from where the weights are.
 * @param {Desk} desk
 * @param {Run} run
 * @param {Column} line
 */
function fillCurve({ state }, run, line) {
  line.clear();
  const frame = state.lastWith(run.id, "landscape.eta");
  const eta = frame?.series.get("landscape.eta")?.mean ?? [];
  const loss = frame?.series.get("landscape.loss")?.mean ?? [];
  if (frame && loss.length) line.push(0, frame.scalar("loss"));
  for (let i = 0; i < loss.length; i++) line.push(eta[i], loss[i]);
}

/**
 * The smallest or largest of a vector, as a column.
 * @param {string} series
 * @param {"low" | "high"} which
 * @returns {import("../lines/table.js").Quantity}
 */
function quantity(series, which) {
  return { column: `${series} ${which}`, series, of: ({ low, high }) => (which === "low" ? Math.min(...low) : Math.max(...high)) };
}
