/**
 * The only file that knows Plotly. It draws axes, grid and hover; but a redraw of one small chart costs it 10 to 20 ms,
 * and a page has dozens. So while a chart's axes stay, its lines are written straight into the paths that Plotly has made
 * (about 1 ms), and Plotly hears of the new data when an axis moves, the size changes or a pointer comes near.
 */

import { AXES } from "../data/axis.js";
import { faded, mixed, ramp } from "./colors.js";
import { makePreview } from "./preview.js";

/**
 * @typedef {import("./plotly.js").Trace} Trace
 * @typedef {import("./plotly.js").Layout} Layout
 * @typedef {import("../lines/column.js").Column} Column
 *
 * @typedef {object} Brush what a run brings to a chart
 * @property {string} name
 * @property {string} color
 * @property {string} dash
 *
 * @typedef {object} Heat
 * @property {Float64Array} x
 * @property {Float64Array} y
 * @property {Float64Array[]} z
 * @property {number} [most] of z, from 0; else all of z is shown
 * @property {Float64Array[]} [values] what is said of each cell where the pointer is
 *
 * @typedef {object} Drawing what a chart shall show now
 * @property {[number, number]} x
 * @property {[number, number]} y
 * @property {Column[]} lines for each run, one of each role of the figure
 * @property {Heat[]} [heats] for the first traces, instead of lines
 * @property {{tickvals: number[], ticktext: string[]} | null} [xticks]
 * @property {{tickvals: number[], ticktext: string[]} | null} [yticks]
 * @property {import("../data/axis.js").Axis} [along] what the x axis is, if runs may be laid along others too
 */

const HOVER_PERIOD = 400;
/** Pixels that a picture is higher than the chart, for its title and its legend. */
const HEAD = 44;
const FOOT = 26;
/** Pixels that a picture is wide at least: its title needs them. */
const NARROWEST = 520;

/** Whether Plotly is here: it is large, and the rest of the page does not wait for it. */
export function canDraw() {
  return window.Plotly !== undefined;
}

/** Plotly, once it is here. */
async function plotly() {
  while (!window.Plotly) await new Promise((again) => setTimeout(again, 50));
  return window.Plotly;
}

export class Chart {
  /**
   * @param {HTMLElement} host
   * @param {import("../types.js").Figure} figure
   * @param {Record<string, unknown>} config
   */
  constructor(host, figure, config) {
    this.host = host;
    this.figure = figure;
    this.config = config;
    /** @type {Trace[]} */
    this.traces = [];
    /** @type {{fill: SVGPathElement | null, line: SVGPathElement | null}[]} */
    this.paths = [];
    this.key = "";
    this.revision = 0;
    this.toldAt = 0;
    /** Whether Plotly has not heard of what the paths show. */
    this.stale = false;
    this.hovered = false;
    this.size = { width: 0, height: 0 };
    /** What is shown without Plotly, if anything. @type {"preview" | "picture" | null} */
    this.sketched = null;
    /** @type {Drawing | null} */
    this.drawing = null;
    host.addEventListener("pointerenter", () => this.#pointer(true));
    host.addEventListener("pointerleave", () => this.#pointer(false));
  }

  /**
   * Give each run its colours; the next drawing redraws all.
   * @param {Brush[]} brushes
   * @param {Record<string, unknown>} theme
   */
  dress(brushes, theme) {
    this.theme = theme;
    this.brushes = brushes;
    this.traces = brushes.flatMap((brush) => this.figure.roles.map((role) => makeTrace(role, brush, theme)));
    this.key = "";
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    if (width === this.size.width && height === this.size.height) return false;
    this.size = { width, height };
    return true;
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    if (!canDraw()) return this.#sketch(drawing);
    const { width, height } = this.size;
    const key = [width, height, ...drawing.x, ...drawing.y, drawing.yticks?.ticktext, drawing.xticks?.ticktext, drawing.along?.title].join();
    const due = this.hovered && performance.now() - this.toldAt > HOVER_PERIOD;
    if (key !== this.key || drawing.heats || due || !this.#write(drawing)) this.#tell(drawing, key);
    else this.stale = true;
  }

  /** Show what can be shown without Plotly. @param {Drawing} drawing */
  #sketch(drawing) {
    if (this.sketched === "picture") return; // the server has drawn the same
    const { margin } = /** @type {Layout} */ (this.figure.layout);
    const place = this.#places(drawing);
    this.host.replaceChildren(makePreview(drawing, this.traces, this.size, margin, this.theme ?? {}, (line) => pathOf(line, place)));
    this.sketched = "preview";
  }

  /** @param {boolean} inside */
  #pointer(inside) {
    this.hovered = inside;
    if (inside && this.stale && this.drawing) this.#tell(this.drawing, this.key);
  }

  /**
   * Let Plotly draw everything.
   * @param {Drawing} drawing
   * @param {string} key
   */
  #tell(drawing, key) {
    const { Plotly } = window;
    if (!Plotly) return;
    this.#fill(drawing);
    if (this.sketched) this.host.replaceChildren();
    this.sketched = null;
    void Plotly.react(this.host, this.traces, this.#layout(drawing), this.config);
    const groups = this.host.querySelectorAll(".scatterlayer > .trace");
    this.paths = [...groups].map((group) => ({
      fill: group.querySelector("path.js-fill"),
      line: group.querySelector("path.js-line"),
    }));
    this.key = key;
    this.stale = false;
    this.toldAt = performance.now();
  }

  /** @param {Drawing} drawing */
  #fill({ heats = [], lines, along }) {
    const { roles } = this.figure;
    this.traces.forEach((trace, i) => {
      const { hovertemplate } = roles[i % roles.length];
      if (along && hovertemplate) trace.hovertemplate = String(hovertemplate).replace(AXES.step.hover, along.hover);
      const heat = heats[i];
      if (heat) Object.assign(trace, { x: heat.x, y: heat.y, z: heat.z, ...(heat.most ? { zmin: 0, zmax: heat.most } : {}), ...(heat.values ? { customdata: heat.values } : {}) });
      else Object.assign(trace, lines[i].points, { customdata: lines[i].more.length ? lines[i].more : undefined });
    });
  }

  /**
   * What is shown as a picture that stands alone: with a title and a legend.
   * @param {"png" | "svg"} format
   * @param {[string, string]} words the title and what is below it
   * @param {string} paper the background
   * @returns {Promise<string>} a data URL, twice as large as on the page
   */
  async picture(format, [title, below], paper) {
    const Plotly = await plotly();
    if (!this.drawing) throw new Error("nothing is drawn yet");
    this.#fill(this.drawing);
    const layout = this.#layout(this.drawing);
    const { margin, height } = layout;
    const width = Math.max(layout.width, NARROWEST);
    const text = `<b>${escaped(title)}</b><br><sub>${escaped(below)}</sub>`;
    Object.assign(layout, {
      ...{ paper_bgcolor: paper, plot_bgcolor: paper, showlegend: true },
      ...{ width, height: height + HEAD + FOOT, margin: { ...margin, t: margin.t + HEAD, b: margin.b + FOOT } },
      title: { text, x: 0, xref: "container", xanchor: "left", pad: { l: 14 }, y: 1 - 20 / (height + HEAD + FOOT), yref: "container", font: { size: 14 } },
      legend: { orientation: "h", x: 0, y: 0, yref: "container", yanchor: "bottom", font: { size: 11 } },
    });
    const traces = this.traces.map((trace) => ({ ...trace, showlegend: false }));
    const figure = { data: [...traces, ...(this.brushes ?? []).map(legendTrace)], layout, config: this.config };
    return Plotly.toImage(figure, { format, width, height: layout.height, scale: 2 });
  }

  /** @param {Drawing} drawing @returns {Layout} */
  #layout({ x, y, xticks, yticks, along }) {
    const own = /** @type {Layout} */ (structuredClone(this.figure.layout));
    const under = /** @type {Layout} */ (structuredClone(this.theme ?? {}));
    /** @param {"xaxis" | "yaxis"} name @param {[number, number]} range @param {typeof xticks} ticks */
    const axis = (name, range, ticks) => {
      const [a, b] = [under[name], own[name]];
      const title = { .../** @type {object} */ (a.title), .../** @type {object} */ (b.title) };
      return { ...a, ...b, title, range, ...(ticks ? { tickmode: "array", ...ticks } : {}) };
    };
    const axes = { xaxis: axis("xaxis", x, xticks), yaxis: axis("yaxis", y, yticks) };
    if (along) Object.assign(axes.xaxis.title, { text: along.title });
    return { ...under, ...own, ...this.size, ...axes, datarevision: ++this.revision };
  }

  /**
   * Write the lines into the paths that are there.
   * @param {Drawing} drawing
   * @returns {boolean} false if a path is missing and Plotly has to make it
   */
  #write(drawing) {
    const { lines } = drawing;
    if (this.paths.length !== lines.length) return false;
    const place = this.#places(drawing);
    const markers = this.traces.some((trace) => trace.marker !== undefined);
    if (markers || lines.some((line, i) => line.n > 0 && !this.paths[i].line && !this.paths[i].fill)) return false;
    lines.forEach((line, i) => {
      const d = pathOf(line, place);
      const { fill, line: outline } = this.paths[i];
      const trace = this.traces[i];
      if (trace.fill) fill?.setAttribute("d", d && `${d}Z`);
      if (!trace.fill || trace.line?.width) outline?.setAttribute("d", d);
    });
    return true;
  }

  /** Where the drawing area begins and how wide it is, in pixels. */
  get span() {
    const { l, r } = /** @type {Layout} */ (this.figure.layout).margin;
    return { left: l, width: this.size.width - l - r };
  }

  /**
   * The axes as offsets and factors to pixels.
   * @param {Drawing} drawing
   */
  #places({ x, y }) {
    const { t, b } = /** @type {Layout} */ (this.figure.layout).margin;
    const sx = this.span.width / (x[1] - x[0]);
    const sy = (this.size.height - t - b) / (y[1] - y[0]);
    return { x0: x[0], sx, y1: y[1], sy };
  }

  remove() {
    window.Plotly?.purge(this.host);
  }
}

/**
 * @param {Record<string, unknown>} role
 * @param {Brush} brush
 * @param {Record<string, unknown>} theme
 * @returns {Trace}
 */
function makeTrace(role, { name, color: own, dash }, theme) {
  const { font, hoverlabel } = /** @type {{font: {color: string}, hoverlabel: {bgcolor: string}}} */ (theme);
  const [ink, paper] = [font.color, hoverlabel.bgcolor];
  const color = role.meta && "ink" in /** @type {object} */ (role.meta) ? ink : own;
  const trace = /** @type {Trace} */ (structuredClone(role));
  const alpha = Number(trace.meta?.alpha ?? 1);
  trace.meta = { ...trace.meta, name: escaped(name) };
  trace.line = { ...trace.line, color, dash };
  if (trace.marker) trace.marker.color = color;
  if (trace.fill) trace.fillcolor = trace.meta.opaque ? mixed(paper, color, alpha) : faded(color, alpha);
  if (trace.type === "heatmap") trace.colorscale = ramp((t) => faded(color, t));
  // Contours lie on top of each other, so they have to be opaque.
  if (trace.type === "contour") trace.colorscale = ramp((t) => mixed(paper, color, t * alpha));
  return trace;
}

/** An arm's entry in the legend: a line of its own, as some charts have no lines. @param {Brush} brush */
function legendTrace({ name, color, dash }) {
  const line = { color, dash, width: 2 };
  return { type: "scatter", mode: "lines", name: escaped(name), x: [null], y: [null], line, showlegend: true };
}

/** Words that Plotly shall not read as markup. @param {string} words */
function escaped(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "&#37;{");
}

/**
 * A line as an SVG path, in tenths of a pixel; points without a value break it.
 * @param {Column} line
 * @param {{x0: number, sx: number, y1: number, sy: number}} place
 */
function pathOf({ x, y, n }, { x0, sx, y1, sy }) {
  let path = "";
  let pen = "M";
  for (let i = 0; i < n; i++) {
    const top = (y1 - y[i]) * sy;
    if (top - top !== 0) {
      pen = "M"; // not finite
      continue;
    }
    path += pen + ((x[i] - x0) * sx * 10 + 0.5 | 0) / 10 + "," + (Math.max(-1e6, Math.min(1e6, top)) * 10 + 0.5 | 0) / 10;
    pen = "L";
  }
  return path;
}
