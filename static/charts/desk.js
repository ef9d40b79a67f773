/** What everything that draws shares: the state, the figures, the painter, and how runs look. */

import { Column, niceRange, stepRange, steadyRange } from "../lines/column.js";
import { extent } from "../lines/lines.js";
import { Panel } from "./panel.js";
import { number } from "../lines/scale.js";
import { ticksOf } from "../data/axis.js";
import { labelOf } from "../data/shown.js";
import { takeMenu } from "./take.js";

/**
 * @typedef {import("./charts.js").Brush} Brush
 * @typedef {import("../types.js").Run} Run
 */

const DASHES = ["solid", "dash", "dot", "longdash", "dashdot"];

export class Desk {
  /**
   * @param {import("../data/state.js").State} state
   * @param {import("../types.js").Figures} figures
   * @param {import("./painter.js").Painter} painter
   */
  constructor(state, figures, painter) {
    this.state = state;
    this.figures = figures;
    this.painter = painter;
    /** @type {import("../types.js").Theme} */
    this.theme = "light";
    /** @type {Set<Panel>} */
    this.panels = new Set();
  }

  /** What people call a run among those that are shown. @param {Run} run */
  nameOf(run) {
    return labelOf(run, this.state.differing);
  }

  /** All frames that the page has of a run. */
  framesOf = (/** @type {Run} */ { id }) => this.state.history(id).frames;

  /** The place of a run's colour among the theme's. @param {Run} run */
  colorOf(run) {
    return this.state.arms.indexOf(run.arm) % this.figures.themes[this.theme].arms.length;
  }

  /** @param {Run} run @returns {Brush} */
  brushOf(run) {
    const color = this.colorOf(run);
    const siblings = this.state.runs.filter((other) => this.colorOf(other) === color);
    const dash = DASHES[siblings.findIndex(({ id }) => id === run.id) % DASHES.length];
    return { name: this.nameOf(run), color: this.figures.themes[this.theme].arms[color], dash };
  }

  /** What every chart over steps has: the axis that runs are laid along, and its ticks. */
  get along() {
    const { axis } = this.state;
    return { x: this.steps, xticks: ticksOf(axis, this.steps), along: axis };
  }

  /** The part of the axis that is shown. @returns {[number, number]} */
  get steps() {
    return this.state.view.span ?? this.allSteps;
  }

  /** The whole axis. */
  get allSteps() {
    const { state } = this;
    const planned = state.view.by === "step" ? Math.max(0, ...state.runs.map((run) => run.steps ?? 0)) : 0;
    return stepRange(state.end, planned);
  }

  /**
   * @param {string} name of the figure
   * @param {import("./panel.js").Options} options
   * @param {(panel: Panel, deadline: number) => import("./charts.js").Drawing | null} prepare
   */
  panel(name, options, prepare) {
    const panel = new Panel(this.figures.charts[name], this.figures.config, options, prepare);
    this.painter.jobs.add(panel);
    this.panels.add(panel);
    panel.caption.append(takeMenu(this, panel));
    return panel;
  }

  /** The panel over steps that something on the page belongs to. @param {EventTarget | null} target */
  panelAt(target) {
    const plot = target instanceof Element ? target.closest(".plot.steps") : null;
    return [...this.panels].find((panel) => panel.plot === plot && panel.chart.drawing);
  }

  /** @param {Panel} panel @param {Run[]} [runs] */
  dress(panel, runs = this.state.runs) {
    panel.runs = runs;
    const brushes = runs.map((run) => this.brushOf(run));
    if (runs.length === 1) brushes[0].dash = "solid"; // nothing to tell it from
    panel.dress(brushes, this.figures.themes[this.theme].layout);
  }

  /** @param {Panel} panel */
  remove(panel) {
    this.painter.jobs.delete(panel);
    this.panels.delete(panel);
    panel.remove();
  }

  /**
   * A panel of lines over steps, each run bringing one for each role of the figure.
   * @param {string} name
   * @param {import("./panel.js").Options} options
   * @param {(run: Run, lines: Column[]) => void} fill
   * @param {(run: Run) => number | null} read the number at the cursor, beside the heading; null for none
   * @param {{floor?: number, ceiling?: number, about?: string, scale?: import("../lines/scale.js").Scale}} [more]
   */
  linesPanel(name, options, fill, read, more = {}) {
    const roles = this.figures.charts[name].roles.length;
    /** @type {Column[]} */
    const lines = [];
    /** @type {[number, number] | null} */
    let range = null;
    const panel = this.panel(name, { steps: true, ...options }, () => {
      const { runs } = this.state;
      while (lines.length < runs.length * roles) lines.push(new Column());
      const mine = lines.slice(0, runs.length * roles);
      runs.forEach((run, i) => fill(run, mine.slice(i * roles, (i + 1) * roles)));
      const { low, high } = extent(mine);
      range = steadyRange(range, clipped(niceRange(low, high), more));
      this.readOut(panel, read);
      return { ...this.along, y: range, lines: mine, yticks: more.scale?.ticks(range) };
    });
    panel.readout.title = more.about ?? "at the cursor";
    return panel;
  }

  /**
   * Write each run's number at the cursor beside a panel's heading.
   * @param {Panel} panel
   * @param {(run: Run) => number | null} read
   */
  readOut(panel, read) {
    const { runs } = this.state;
    while (panel.readout.childElementCount > runs.length) panel.readout.lastElementChild?.remove();
    while (panel.readout.childElementCount < runs.length) panel.readout.append(document.createElement("b"));
    runs.forEach((run, i) => {
      const element = /** @type {HTMLElement} */ (panel.readout.children[i]);
      const value = read(run);
      const text = value === null ? "" : number(value);
      if (element.textContent !== text) element.textContent = text;
      const color = `var(--text${this.colorOf(run)})`;
      if (element.style.color !== color) element.style.color = color;
      element.setAttribute("aria-label", this.nameOf(run));
    });
  }
}

/**
 * A range that does not show what cannot be: shares above 100 %, losses below zero.
 * @param {[number, number]} range
 * @param {{floor?: number, ceiling?: number}} bounds
 * @returns {[number, number]}
 */
function clipped([low, high], { floor = -Infinity, ceiling = Infinity }) {
  return [low < 0 || floor === 0 ? Math.max(low, floor) : low, Math.min(high, ceiling)];
}
