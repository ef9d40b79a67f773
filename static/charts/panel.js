/** A chart with its heading, on the page: knows whether it is seen and whether what it shows is old. */

import { canDraw, Chart } from "./charts.js";
import { make } from "../element.js";

/**
 * @typedef {import("./charts.js").Drawing} Drawing
 * @typedef {import("../types.js").Figure} Figure
 *
 * @typedef {object} Options
 * @property {string} testid
 * @property {boolean} [steps] whether the x axis is steps, so that the cursor is drawn and can be dragged on it
 * @property {boolean} [quiet] the sentence is in the heading's tooltip
 * @property {boolean} [first] drawn before all others
 * @property {number} [period] least milliseconds between two drawings
 * @property {string} [layer] whose numbers it shows
 * @property {boolean} [layered] whether it shows each layer of one run by itself
 * @property {string} [series] the one that it shows, where each has a chart
 * @property {import("../lines/table.js").Table} [table] its numbers in full
 */

/** Least milliseconds between two drawings of a chart, unless it says otherwise. */
const PERIOD = 80;

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) panels.get(target)?.resized(contentRect);
});
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const panel = panels.get(target);
      if (panel) panel.visible = isIntersecting;
    }
  },
  { rootMargin: "80px" },
);
/** @type {WeakMap<Element, Panel>} */
const panels = new WeakMap();

export class Panel {
  /**
   * @param {Figure} figure
   * @param {Record<string, unknown>} config
   * @param {Options} options
   * @param {(panel: Panel, deadline: number) => Drawing | null} prepare what to show; null if that takes longer
   */
  constructor(figure, config, options, prepare) {
    this.prepare = prepare;
    this.options = options;
    this.label = `${figure.title}. ${figure.sentence}`;
    this.host = make("div", { class: "host" });
    this.line = make("div", { class: "plot-cursor", hidden: true });
    this.band = make("div", { class: "plot-span", hidden: true });
    this.plot = make("div", { class: "plot", "data-testid": options.testid, "data-series": options.series ?? false, role: "img", "aria-label": this.label }, this.host, this.line, this.band);
    if (options.steps) this.plot.classList.add("steps");
    this.readout = make("span", { class: "readout" });
    this.title = options.quiet ? make("h3", { title: figure.sentence }, figure.title) : make("h2", {}, figure.title);
    this.caption = make("figcaption", {}, this.title, this.readout);
    this.element = make("figure", { class: "panel" }, this.caption);
    if (!options.quiet) this.element.append(make("p", { class: "sentence" }, figure.sentence));
    this.element.append(this.plot);
    this.chart = new Chart(this.host, figure, config);
    this.visible = false;
    /** The runs that it shows. @type {import("../types.js").Run[]} */
    this.runs = [];
    /** The state's version that is drawn; -1: draw anew. */
    this.drawn = -1;
    this.drawnAt = 0;
    panels.set(this.plot, this);
    sizes.observe(this.plot);
    seen.observe(this.plot);
  }

  /** @param {{width: number, height: number}} size */
  resized({ width, height }) {
    if (this.chart.resize(Math.round(width), Math.round(height))) this.drawn = -1;
  }

  /**
   * @param {import("./charts.js").Brush[]} brushes
   * @param {Record<string, unknown>} theme
   */
  dress(brushes, theme) {
    this.chart.dress(brushes, theme);
    this.drawn = -1;
  }

  /**
   * @param {number} version
   * @param {number} now
   */
  wants(version, now) {
    if (!this.visible || this.chart.size.width < 60) return false;
    if (this.chart.sketched && canDraw()) return true; // Plotly has come
    if (this.drawn === version) return false;
    return this.drawn < 0 || now - this.drawnAt >= (this.options.period ?? PERIOD);
  }

  /**
   * @param {number} version
   * @param {number} deadline
   */
  draw(version, deadline) {
    const drawing = this.prepare(this, deadline);
    this.drawnAt = performance.now();
    if (!drawing) return;
    this.chart.draw(drawing);
    if (this.step !== undefined) this.point(this.step);
    this.drawn = version;
  }

  /**
   * Put the cursor's line where it belongs.
   * @param {number} step
   */
  point(step) {
    this.step = step;
    const range = this.chart.drawing?.x;
    if (!this.visible || !this.options.steps || !range) return;
    const { left, width } = this.chart.span;
    const share = (step - range[0]) / (range[1] - range[0]); // on the axis that is drawn, which may be old
    this.line.hidden = !(share >= 0 && share <= 1);
    this.line.style.transform = `translateX(${(left + share * width).toFixed(1)}px)`;
  }

  /**
   * Shade some steps, or none.
   * @param {[number, number] | null} span
   */
  mark(span) {
    const range = this.chart.drawing?.x;
    if (!this.options.steps || !range) return;
    this.band.hidden = span === null;
    if (!span) return;
    const { left, width } = this.chart.span;
    const [from, to] = span.map((step) => left + width * Math.max(0, Math.min(1, (step - range[0]) / (range[1] - range[0]))));
    Object.assign(this.band.style, { left: `${from}px`, width: `${to - from}px` });
  }

  /** The step at a place of the window, between those that the chart shows. @param {number} clientX */
  stepAt(clientX) {
    const range = this.chart.drawing?.x ?? [0, 1];
    const { left, width } = this.chart.span;
    const share = (clientX - this.plot.getBoundingClientRect().left - left) / width;
    return range[0] + Math.max(0, Math.min(1, share)) * (range[1] - range[0]);
  }

  remove() {
    sizes.unobserve(this.plot);
    seen.unobserve(this.plot);
    this.chart.remove();
    this.element.remove();
  }
}
