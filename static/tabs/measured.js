/** A tab of what is measured beside the layers' values: a chart for each quantity. */

import { niceRange, steadyRange, Column } from "../lines/column.js";
import { make } from "../element.js";
import { extent, measuredLines, profileLines } from "../lines/lines.js";
import { pointsTable, seriesTable } from "../lines/table.js";
import { LINEAR, LOGARITHMIC } from "../lines/scale.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../types.js").Run} Run
 */

/** Measuring is seldom, and its charts are slow: they have markers. */
const PERIOD = 500;

export class MeasuredTab {
  /**
   * @param {Desk} desk
   * @param {import("../types.js").Measured[]} charts
   */
  constructor(desk, charts) {
    this.desk = desk;
    this.names = charts.map(({ name }) => name);
    this.panels = charts.map(({ name, logarithmic, over }) => {
      return (over === "layers" ? profilePanel : measuredPanel)(desk, name, logarithmic ? LOGARITHMIC : LINEAR);
    });
    this.grid = make("div", { class: "pair" }, ...this.panels.map((panel) => panel.element));
    const text = "Nothing was measured yet. The first numbers come when training begins, then more every few steps, as the settings ask.";
    this.empty = make("p", { class: "empty" }, text);
    this.element = make("section", { class: "measured" }, this.empty, this.grid);
    this.key = "";
  }

  /** Say that there is nothing, until there is. */
  reveal() {
    const { state } = this.desk;
    const known = () => state.runs.some((run) => this.names.some((name) => state.whole(run.id).lastWith(name, null)));
    this.empty.hidden ||= known();
    this.grid.hidden = !this.empty.hidden;
  }

  arrange() {
    const { state, theme } = this.desk;
    this.reveal();
    const key = [theme, ...state.runs.map((run) => run.id)].join();
    if (key === this.key) return;
    this.key = key;
    for (const panel of this.panels) this.desk.dress(panel);
  }
}

/**
 * The mean over layers of what was last measured up to the cursor.
 * @param {Desk} desk
 * @param {Run} run
 * @param {string} name
 */
function measured({ state }, run, name) {
  const values = [...(state.lastWith(run.id, name)?.series.get(name)?.mean ?? [])].filter(Number.isFinite);
  return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;
}

/**
 * @param {Desk} desk
 * @param {string} name
 * @param {import("../lines/scale.js").Scale} scale
 */
function measuredPanel(desk, name, scale) {
  return desk.linesPanel(
    name,
    { testid: `chart-${name}`, period: PERIOD, table: measuredTable(desk, name) },
    (run, lines) => measuredLines(desk.state.history(run.id), name, scale, lines),
    (run) => measured(desk, run, name),
    { scale, about: "at the cursor, mean over layers" },
  );
}

/**
 * What was measured once, over layers.
 * @param {Desk} desk
 * @param {string} name
 * @param {import("../lines/scale.js").Scale} scale
 */
function profilePanel(desk, name, scale) {
  const { state } = desk;
  /** @type {[number, number] | null} */
  let range = null;
  const table = pointsTable(["layer", name], (run) => {
    const line = new Column();
    const frame = state.lastWith(run.id, name);
    profileLines(frame, name, LINEAR, line);
    return { step: frame?.firstStep ?? NaN, line };
  });
  return desk.panel(name, { testid: `chart-${name}`, period: PERIOD, table }, (panel) => {
    const lines = state.runs.map((run) => {
      const line = new Column();
      profileLines(state.lastWith(run.id, name), name, scale, line);
      return line;
    });
    const { low, high } = extent(lines);
    range = steadyRange(range, niceRange(low, high));
    desk.readOut(panel, (run) => measured(desk, run, name));
    const last = Math.max(2, ...lines.map(({ x, n }) => (n ? x[n - 1] : 0)));
    return { x: [0.5, last + 0.5], y: range, lines, yticks: scale.ticks(range) };
  });
}

/**
 * @param {Desk} desk
 * @param {string} name
 */
function measuredTable(desk, name) {
  /** @param {string} column @param {(values: number[]) => number} of */
  const over = (column, of) => {
    const finite = (/** @type {import("../data/frame.js").Series} */ { mean }) => of([...mean].filter(Number.isFinite));
    return { column: `${name} ${column}`, series: name, of: finite };
  };
  const mean = (/** @type {number[]} */ values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const quantities = [over("mean", mean), over("low", (v) => Math.min(...v)), over("high", (v) => Math.max(...v))];
  return seriesTable(quantities, desk.framesOf);
}
