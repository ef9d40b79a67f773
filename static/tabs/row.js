/** A layer's row: each run's bands or heat map on one shared value axis, and all densities at the cursor. */

import { Column, niceRange, steadyRange } from "../lines/column.js";
import { make, write } from "../element.js";
import { countsOf, momentsOf, percentilesOf, placeOf, warm } from "../data/layer.js";
import { bandExtent, bandLines, densityLines } from "../lines/lines.js";
import { histogramTable, percentilesTable } from "../lines/table.js";
import { makeScale, number, unitOf } from "../lines/scale.js";
import { addRow, difference, grid, heat, RIDGES, ridges } from "../lines/shares.js";
import { jensenShannon, kolmogorovSmirnov, quantiles, wasserstein } from "../data/sketch.js";

/**
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../charts/panel.js").Panel} Panel
 * @typedef {import("../charts/charts.js").Drawing} Drawing
 */

const MOST_CELLS = 56;
const LEAST_CELLS = 14;
/** Least milliseconds between two drawings of what takes long. */
const SLOW = 700;

export class LayerRow {
  /**
   * @param {import("../charts/desk.js").Desk} desk
   * @param {import("../data/state.js").Layer} layer
   */
  constructor(desk, { name, type }) {
    this.desk = desk;
    this.name = name;
    this.state = desk.state;
    this.distance = make("span", { class: "distance" });
    this.numbers = make("span", { class: "numbers" });
    const head = make("header", {}, make("h2", {}, name), make("small", {}, type), this.numbers, this.distance);
    /** What each panel over steps is of. @type {[Panel, Run[]][]} */
    this.panels = [];
    /** @type {Panel | null} */
    this.histogram = null;
    this.element = make("section", { class: "row", "data-testid": "layer-row", "data-layer": name }, head);
    /** @type {[number, number] | null} */
    this.range = null;
    this.rangeVersion = -1;
    /** @type {[number, number] | null} */
    this.valueRange = null;
    /** @type {[number, number] | null} */
    this.densityRange = null;
    this.scale = makeScale("linear", 1);
  }

  /** Make the charts: of many rows only those that come near the window have any. */
  fill() {
    if (this.histogram) return;
    this.panels = shownTogether(this.state).map((runs) => [this.#stepsPanel(runs), runs]);
    this.histogram = this.#histogramPanel();
    const charts = [...this.panels.map(([panel]) => panel), this.histogram].map((panel) => panel.element);
    this.element.append(make("div", { class: "charts", style: `--charts:${columnsFor(charts.length)}` }, ...charts));
  }

  dress() {
    if (!this.histogram) return;
    for (const [panel, runs] of this.panels) {
      this.desk.dress(panel, runs);
      panel.title.replaceChildren(...runs.flatMap((run, i) => [i ? " or " : "", this.#named(run)]));
    }
    this.desk.dress(this.histogram);
  }

  /** A run's name in its colour. @param {Run} run */
  #named(run) {
    return make("span", { style: `color:var(--text${this.desk.colorOf(run)})` }, this.desk.nameOf(run));
  }

  remove() {
    for (const panel of [...this.panels.map(([p]) => p), this.histogram]) if (panel) this.desk.remove(panel);
    this.element.remove();
  }

  /** Where the layer is in each run that has it. */
  get places() {
    const places = this.state.runs.map((run) => ({ run, place: placeOf(run, this.name, this.state.kind) }));
    return places.filter(({ place }) => place >= 0);
  }

  /**
   * The value axis that all runs share.
   * @param {number} deadline
   * @returns {boolean} whether all percentiles that it needs are there
   */
  #measure(deadline) {
    if (this.rangeVersion === this.state.version) return true;
    const { places } = this;
    if (!places.every(({ run, place }) => warm(this.state.history(run.id), place, deadline))) return false;
    const extents = places.map(({ run, place }) => bandExtent(this.state.history(run.id), place));
    const low = Math.min(...extents.map((e) => e.low));
    const high = Math.max(...extents.map((e) => e.high));
    const scale = makeScale(this.state.view.scale, unitOf(Math.max(...extents.map((e) => e.spread)) / 4));
    if (scale.key !== this.scale.key) this.range = this.valueRange = this.densityRange = null;
    this.scale = scale;
    this.range = steadyRange(this.range, niceRange(scale.to(low), scale.to(high)));
    this.rangeVersion = this.state.version;
    return true;
  }

  /**
   * The layer in a run.
   * @param {Run} run
   */
  #source(run) {
    return { history: this.state.history(run.id), place: placeOf(run, this.name, this.state.kind) };
  }

  /**
   * A panel over steps of some of the runs, as the view's mode says.
   * @param {Run[]} runs
   */
  #stepsPanel(runs) {
    const { mode } = this.state.view;
    const lines = Array.from({ length: mode === "ridges" ? RIDGES : 3 }, () => new Column());
    const table = (mode === "bands" ? percentilesTable : histogramTable)(this.name, this.desk.framesOf, () => this.state.kind);
    const shared = { testid: "chart-bands", quiet: true, layer: this.name, table };
    const options = { ...shared, steps: mode !== "ridges", period: mode === "bands" ? undefined : SLOW };
    return this.desk.panel(mode, options, (_, deadline) => {
      if (!this.#measure(deadline)) return null;
      const range = this.range ?? [0, 1];
      const sources = runs.map((run) => this.#source(this.state.runs.find(({ id }) => id === run.id) ?? run));
      const values = this.scale.ticks(range);
      if (mode === "ridges") return { x: range, y: ridges(sources[0], this.scale, range, lines), lines, xticks: values };
      /** @type {Drawing} */
      const drawing = { ...this.desk.along, y: range, lines, yticks: values };
      if (mode === "heat") drawing.heats = [heat(sources[0], this.scale, range)];
      else if (mode === "difference") drawing.heats = difference(sources[0], sources[1], this.scale, range);
      else bandLines(sources[0].history, sources[0].place, this.scale, lines);
      return drawing;
    });
  }

  #histogramPanel() {
    const { state, desk } = this;
    const lines = state.runs.flatMap(() => [new Column(), new Column()]);
    const atCursor = (/** @type {Run} */ { id }) => [state.frameAtCursor(id)].filter((frame) => frame !== undefined);
    const table = histogramTable(this.name, atCursor, () => state.kind);
    return desk.panel("histogram", { testid: "chart-histogram", quiet: true, layer: this.name, table }, (panel, deadline) => {
      if (!this.#measure(deadline)) return null;
      const shown = state.runs.map((run) => rowAtCursor(state, run, this.name));
      this.valueRange = steadyRange(this.valueRange, this.#valuesAt(shown));
      const edges = grid(this.valueRange, cellsFor(shown));
      const values = edges.map(this.scale.from);
      let most = 0;
      shown.forEach((at, i) => {
        const shares = new Float64Array(edges.length - 1);
        if (at) addRow(at.frame, at.row, values, shares);
        densityLines(edges, shares, this.scale, lines.slice(2 * i, 2 * i + 2));
        most = Math.max(most, crest(lines[2 * i + 1]));
      });
      this.densityRange = steadyRange(this.densityRange, [0, niceRange(0, most)[1]]);
      this.#say(panel, shown);
      return { x: this.valueRange, y: this.densityRange, lines, xticks: this.scale.ticks(this.valueRange) };
    });
  }

  /**
   * The values worth showing at the cursor: all but the outermost half percents.
   * @param {(ReturnType<typeof rowAtCursor>)[]} shown
   */
  #valuesAt(shown) {
    let low = Infinity;
    let high = -Infinity;
    for (const at of shown) {
      if (!at) continue;
      const moments = momentsOf(at.frame, at.row);
      const [a, b] = quantiles(at.frame.histogram(at.row), [0.005, 0.995], moments.low, moments.high);
      if (a < low) low = a;
      if (b > high) high = b;
    }
    return niceRange(this.scale.to(low), this.scale.to(high));
  }

  /**
   * Write the numbers at the cursor.
   * @param {Panel} panel
   * @param {(ReturnType<typeof rowAtCursor>)[]} shown
   */
  #say(panel, shown) {
    write(panel.title, this.state.view.step === null ? "Newest step" : `At ${this.state.axis.say(this.state.step)}`);
    const texts = shown.map((at) => {
      if (!at) return "–";
      const { mean, std } = momentsOf(at.frame, at.row);
      return `${number(mean)} ± ${number(std)}`;
    });
    while (this.numbers.childElementCount < texts.length) this.numbers.append(make("b"));
    texts.forEach((text, i) => {
      const element = /** @type {HTMLElement} */ (this.numbers.children[i]);
      write(element, text);
      const about = `Mean ± standard deviation at the cursor${basisOf(shown[i])}`;
      if (element.title !== about) element.title = about;
      element.style.color = `var(--text${this.desk.colorOf(this.state.runs[i])})`;
    });
    this.#sayDistance(shown);
  }

  /** @param {(ReturnType<typeof rowAtCursor>)[]} shown */
  #sayDistance([a, b]) {
    if (!a || !b) return write(this.distance, "");
    const [p, q] = [a.frame.histogram(a.row), b.frame.histogram(b.row)];
    write(this.distance, `W₁ ${number(wasserstein(p, q))}`);
    this.distance.title =
      `Wasserstein-1 distance of the first two runs at the cursor: how far values would have to move to turn one ` +
      `distribution into the other. Jensen–Shannon ${number(jensenShannon(p, q))} bits, ` +
      `Kolmogorov–Smirnov ${number(kolmogorovSmirnov(p, q))}.`;
  }
}

/** The runs that each panel over steps is of: one, or, where their difference is shown, the first two. @param {import("../data/state.js").State} state */
function shownTogether({ runs, view }) {
  if (view.mode === "difference") return runs.length > 1 ? [runs.slice(0, 2)] : [];
  return runs.map((run) => [run]);
}

/** Charts side by side: at most four, and rows of equal length. @param {number} charts */
function columnsFor(charts) {
  return Math.ceil(charts / Math.ceil(charts / 4));
}

/**
 * How many cells a density is worth: twice the cube root of the values in it, as in Rice's rule.
 * @param {(ReturnType<typeof rowAtCursor>)[]} shown
 */
function cellsFor(shown) {
  const counts = shown.flatMap((at) => (at ? at.frame.histogram(at.row).counts.reduce((sum, n) => sum + n, 0) : []));
  const cells = Math.round(2 * Math.cbrt(Math.min(...counts)));
  return Math.max(LEAST_CELLS, Math.min(MOST_CELLS, cells));
}

/**
 * A run's row of a layer at the cursor.
 * @param {import("../data/state.js").State} state
 * @param {Run} run
 * @param {string} name
 */
function rowAtCursor(state, run, name) {
  const frame = state.frameAtCursor(run.id);
  const row = frame?.row(placeOf(run, name, state.kind)) ?? -1;
  return frame && row >= 0 && !Number.isNaN(percentilesOf(frame, row)[2]) ? { frame, row } : null;
}

/**
 * What the numbers at the cursor are of, and how exact.
 * @param {ReturnType<typeof rowAtCursor>} at
 */
function basisOf(at) {
  if (!at) return "";
  const { values, finite, counted } = countsOf(at.frame, at.row);
  const [all, some] = [values, counted].map((n) => n.toLocaleString("en"));
  // At the median, where it is largest: twice the standard error of a share of one half, √(¼ / n).
  const rank = number(100 / Math.sqrt(counted), 2);
  const histogram = counted >= finite ? "The histogram is of all of them" : `The histogram is of ${some}: a percentile’s rank may be off by ${rank} %`;
  return `, exact, of ${all} values. ${histogram}.`;
}

/** The height to show: a lone spike, such as a rectifier's zeros, may run out of the picture. @param {Column} line */
function crest({ points }) {
  const sorted = points.y.slice().sort();
  const [most, third] = [sorted[sorted.length - 1], sorted[sorted.length - 4]];
  return third > 0 ? Math.min(most, 4 * third) : most;
}
