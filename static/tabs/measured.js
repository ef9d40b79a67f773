/** A tab of what is measured beside the layers' values: a chart for each quantity. */

import { niceRange, steadyRange, Column } from "../lines/column.js";
import { make, write } from "../element.js";
import { layered, shadesOf } from "../lines/layered.js";
import { extent, finiteMean, measuredLines, profileLines } from "../lines/lines.js";
import { LINEAR, LOGARITHMIC, number } from "../lines/scale.js";
import { pointsTable, seriesTable, vectorTable } from "../lines/table.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../charts/panel.js").Panel} Panel
 * @typedef {import("../types.js").Run} Run
 */

/** Measuring is seldom, and its charts are slow: they have markers. */
const PERIOD = 500;
/** @type {Map<string, Run[]>} */
const NONE = new Map();

export class MeasuredTab {
  /**
   * @param {Desk} desk
   * @param {import("../types.js").Measured[]} charts
   */
  constructor(desk, charts) {
    this.desk = desk;
    this.charts = charts;
    this.names = charts.map(({ name }) => name);
    /** @type {Panel[]} */
    this.panels = [];
    this.grid = make("div", { class: "pair" });
    const text = "Nothing was measured yet. The first numbers come when training begins, then more every few steps, as the settings ask.";
    this.empty = make("p", { class: "empty" }, text);
    const title = "The mean, and the band from the least to the most";
    const mean = make("button", { type: "button", "data-view": "each=mean", title }, "Mean");
    this.each = make("button", { type: "button", "data-view": "each=layers", title: "Each by itself, over steps" });
    this.choice = make("div", { class: "segments each", role: "group", "aria-label": "How what is measured of several is drawn" }, mean, this.each);
    this.element = make("section", { class: "measured" }, this.empty, this.choice, this.grid);
    /** Of which quantities each layer is shown by itself. */
    this.shape = "";
    this.key = "";
  }

  /** Say that there is nothing, until there is. */
  reveal() {
    const { state } = this.desk;
    const known = () => state.runs.some((run) => this.names.some((name) => state.whole(run.id).lastWith(name, null)));
    this.empty.hidden ||= known();
    this.grid.hidden = !this.empty.hidden;
    if (!this.element.hidden) this.#build();
  }

  arrange() {
    this.reveal();
  }

  /** Make the charts, where they are not those that are there. */
  #build() {
    const { desk } = this;
    const { runs, view } = desk.state;
    /** The runs of which a quantity is there for several layers. @type {Map<string, Run[]>} */
    const vectors = new Map();
    for (const { name, over } of this.charts) {
      const of = over === "steps" ? runs.filter((run) => layersOf(desk, run, name) > 1) : [];
      if (of.length) vectors.set(name, of);
    }
    this.choice.hidden = this.grid.hidden || !vectors.size;
    write(this.each, this.charts.some(({ name, of }) => of === "layer" && vectors.has(name)) ? "Layers" : "Tenths");
    const layers = view.each === "layers" ? vectors : NONE;
    const shape = [...layers].map(([name, of]) => `${name} ${of.length}`).join();
    if (shape !== this.shape) {
      this.shape = shape;
      this.key = "";
      for (const panel of this.panels) desk.remove(panel);
      this.panels = [];
    }
    const key = [desk.theme, ...runs.map((run) => run.id)].join();
    if (key === this.key) return;
    this.key = key;
    for (const panel of this.panels.filter(({ options }) => options.layered)) desk.remove(panel);
    const kept = new Map(this.panels.filter(({ options }) => !options.layered).map((panel) => [panel.options.testid, panel]));
    this.panels = this.charts.flatMap(({ name, logarithmic, over, of }) => {
      const several = layers.get(name);
      if (several) return several.map((run) => layeredPanel(desk, name, logarithmic, run, of));
      const scale = logarithmic ? LOGARITHMIC : LINEAR;
      const panel = kept.get(`chart-${name}`) ?? (over === "layers" ? profilePanel : measuredPanel)(desk, name, scale, of);
      desk.dress(panel);
      return [panel];
    });
    this.grid.replaceChildren(...this.panels.map((panel) => panel.element));
  }
}

/**
 * Of how many layers something was measured.
 * @param {Desk} desk
 * @param {Run} run
 * @param {string} name
 */
function layersOf({ state }, run, name) {
  return state.whole(run.id).lastWith(name, null)?.series.get(name)?.mean.length ?? 0;
}

/**
 * Each layer by itself over steps, in one run; colours mean the same in all that are shown.
 * @param {Desk} desk
 * @param {string} name
 * @param {boolean} logarithmic
 * @param {Run} run
 * @param {string} of what each row is
 */
function layeredPanel(desk, name, logarithmic, run, of) {
  const { state } = desk;
  const table = vectorTable(name, layersOf(desk, run, name), desk.framesOf);
  const options = { testid: `chart-${name}`, steps: true, quiet: true, layered: true, period: PERIOD, table };
  const panel = desk.panel(`${name} by layer`, options, () => {
    const shades = shadesOf(state.runs.map(({ id }) => state.history(id)), name, logarithmic);
    const found = layered(state.history(run.id), name, shades);
    write(panel.readout, number(measured(desk, run, name)));
    return { ...desk.along, y: [0.5, Math.max(1, found.y.length) + 0.5], lines: [], heats: [found] };
  });
  panel.readout.title = `at the cursor, mean over ${of}s`;
  panel.title.append(" · ", make("span", { style: `color:var(--text${desk.colorOf(run)})` }, desk.nameOf(run)));
  desk.dress(panel, [run]);
  return panel;
}

/**
 * The mean over layers of what was last measured up to the cursor.
 * @param {Desk} desk
 * @param {Run} run
 * @param {string} name
 */
function measured({ state }, run, name) {
  return finiteMean(state.lastWith(run.id, name)?.series.get(name)?.mean ?? []);
}

/**
 * @param {Desk} desk
 * @param {string} name
 * @param {import("../lines/scale.js").Scale} scale
 * @param {string} of what several numbers belong to
 */
function measuredPanel(desk, name, scale, of) {
  return desk.linesPanel(
    name,
    { testid: `chart-${name}`, period: PERIOD, table: measuredTable(desk, name) },
    (run, lines) => measuredLines(desk.state.history(run.id), name, scale, lines),
    (run) => measured(desk, run, name),
    { scale, about: `at the cursor, mean over ${of}s` },
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
  const quantities = [over("mean", finiteMean), over("low", (v) => Math.min(...v)), over("high", (v) => Math.max(...v))];
  return seriesTable(quantities, desk.framesOf);
}
