/** Each run's surface: the loss over a plane through its last weights, with its path; coarse until all of it is computed. */

import { Column } from "../lines/column.js";
import { stillMenu } from "../charts/take.js";
import { make, write } from "../element.js";
import { isDone } from "../data/shown.js";
import { Relief } from "./relief.js";
import { number } from "../lines/scale.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../charts/panel.js").Panel} Panel
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../data/frame.js").Frame} Frame
 */

const PERIOD = 500;
const RANDOM = "Each filter's part of a direction is as long as the filter itself, so that 1 is as far as its own length.";
const EXPLAINED = "How much of the path's variance lies along the first direction and the second. Of a path by chance it would be much, too.";

export class Surfaces {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Panel[]} */
    this.panels = [];
    this.grid = make("div", { class: "pair" });
    /** @type {Relief[]} */
    this.reliefs = [];
    this.eye = { azimuth: 0.7, elevation: 0.55 };
    const { title, sentence } = desk.figures.charts.surface;
    const shapes = [["contours", "Contours"], ["relief", "3-D"]].map(([shape, text]) => make("button", { type: "button", "data-view": `shape=${shape}` }, text));
    const segments = make("div", { class: "segments", role: "group", "aria-label": "How surfaces are drawn" }, ...shapes);
    const head = make("div", { class: "heading" }, make("h2", {}, title), segments);
    this.element = make("div", { class: "surfaces", hidden: true }, head, make("p", { class: "sentence" }, sentence), this.grid);
    this.key = "";
  }

  /** A panel for each shown run that has a surface, made anew where these are others. @param {string} theme */
  arrange(theme) {
    const runs = this.desk.state.runs.filter((run) => frameOf(this.desk, run.id));
    const { shape } = this.desk.state.view;
    const key = [theme, shape, ...runs.map((run) => run.id)].join();
    this.element.hidden = !runs.length;
    if (key !== this.key) this.#build(runs);
    this.key = key;
    for (const shown of this.reliefs) shown.refine();
    this.panels.forEach((panel, i) => sayMore(this.desk, panel, runs[i]));
  }

  /** @param {Run[]} runs */
  #build(runs) {
    for (const panel of this.panels) this.desk.remove(panel);
    this.panels = [];
    this.reliefs = [];
    if (this.desk.state.view.shape === "relief") return this.#showReliefs(runs);
    this.panels = runs.map((run) => surfacePanel(this.desk, run));
    this.grid.replaceChildren(...this.panels.map((panel) => panel.element));
    runs.forEach((run, i) => this.desk.dress(this.panels[i], [run]));
  }

  /** @param {Run[]} runs */
  #showReliefs(runs) {
    const { themes } = this.desk.figures;
    const { font, hoverlabel } = /** @type {{font: {color: string}, hoverlabel: {bgcolor: string}}} */ (themes[this.desk.theme].layout);
    this.reliefs = runs.map((run) => {
      const color = this.desk.colorOf(run);
      const data = () => {
        const frame = frameOf(this.desk, run.id);
        const [path_a, path_b] = ["path_a", "path_b"].map((name) => (frame ? valuesOf(frame, name) : []));
        const path = /** @type {[ArrayLike<number>, ArrayLike<number>]} */ ([path_a, path_b]);
        return { version: frame?.seq ?? -1, surface: frame ? surfaceOf(frame) : { a: [], b: [], z: [] }, path, progress: progressOf(this.desk, run.id) };
      };
      const colors = { color: themes[this.desk.theme].arms[color], paper: hoverlabel.bgcolor, ink: font.color };
      const turned = () => this.reliefs.forEach((other) => other.draw());
      const menu = (/** @type {SVGElement} */ drawing) => reliefMenu(this.desk, run, drawing);
      return new Relief({ name: this.desk.nameOf(run), style: `color:var(--text${color})`, data, colors, eye: this.eye, turned, menu });
    });
    this.grid.replaceChildren(...this.reliefs.map((shown) => shown.element));
  }
}

/**
 * @param {Desk} desk
 * @param {Run} run
 * @param {SVGElement} drawing
 */
function reliefMenu(desk, run, drawing) {
  const { title } = desk.figures.charts.surface;
  const { name } = desk.state.experiment;
  const called = desk.nameOf(run);
  return stillMenu({
    drawing,
    about: `${called}, ${title}`,
    names: () => [name, title, called],
    heading: () => [`${called}: ${title}`, `Height and strength of colour are log10 of the loss; ${name}`],
    csv: () => [["a", "b", "loss"], ...pointsOf(frameOf(desk, run.id))].map((row) => `${row.join()}\r\n`).join(""),
  });
}

/**
 * What a run sent with its surface.
 * @param {Desk} desk
 * @param {string} id
 */
function frameOf({ state }, id) {
  return state.whole(id).lastWith("surface.loss", null);
}

/** @param {Desk} desk @param {Run} run */
function surfacePanel(desk, run) {
  const path = new Column();
  const table = { columns: ["a", "b", "loss"], rows: () => pointsOf(frameOf(desk, run.id)) };
  const panel = desk.panel("surface", { testid: "chart-surface", quiet: true, period: PERIOD, table }, () => {
    const frame = frameOf(desk, run.id);
    if (!frame) return null;
    fillPath(frame, path);
    const { a, b, z } = surfaceOf(frame);
    return { x: [a[0], a[a.length - 1]], y: [b[0], b[b.length - 1]], lines: [path, path], heats: [{ x: a, y: b, z }] };
  });
  write(panel.title, desk.nameOf(run));
  panel.title.style.color = `var(--text${desk.colorOf(run)})`;
  panel.readout.setAttribute("role", "status");
  return panel;
}

/**
 * Say beside a surface how much of the path lies in its plane; before, also to those who do not see it, how far it is.
 * @param {Desk} desk
 * @param {Panel} panel
 * @param {Run} run
 */
function sayMore(desk, { plot, readout, label }, run) {
  const progress = progressOf(desk, run.id);
  const frame = frameOf(desk, run.id);
  const shares = frame?.series.has("surface.explained") ? Array.from(valuesOf(frame, "explained"), (share) => `${number(100 * share)} %`) : [];
  write(readout, progress || (shares.length ? `${shares.join(" and ")} of the path` : "two random directions"));
  readout.title = progress ? "" : shares.length ? EXPLAINED : RANDOM;
  plot.setAttribute("aria-label", progress ? `${label} Shown: ${progress}.` : label);
}

/**
 * How much of a run's surface is there, in words; empty if all of it is.
 * @param {Desk} desk
 * @param {string} id
 */
function progressOf(desk, id) {
  const done = frameOf(desk, id)?.series.get("surface.done")?.high[0] ?? 1; // of merged frames, that of the finest
  if (done >= 1) return "";
  const share = `${Math.round(100 * done)} % of the points`;
  const run = desk.state.runs.find((one) => one.id === id);
  return run && isDone(run) ? `${share}, as the run ended` : `${share} so far`;
}

/** Losses of a plane span orders of magnitude: their logarithms. Rows of z lie along the second direction. @param {Frame} frame */
function surfaceOf(frame) {
  const [a, b, losses] = ["a", "b", "loss"].map((name) => valuesOf(frame, name));
  const z = Array.from(b, (_, j) => Float64Array.from(a, (_, i) => Math.log10(losses[i * b.length + j])));
  return { a, b, z };
}

/** Each point of a surface with its loss. @param {Frame | undefined} frame */
function pointsOf(frame) {
  if (!frame) return [];
  const [a, b, losses] = ["a", "b", "loss"].map((name) => valuesOf(frame, name));
  return Array.from(losses, (loss, i) => [a[Math.floor(i / b.length)], b[i % b.length], loss]);
}

/** @param {Frame} frame @param {string} name */
function valuesOf(frame, name) {
  return frame.series.get(`surface.${name}`)?.mean ?? new Float64Array(0);
}

/** @param {Frame} frame @param {Column} path */
function fillPath(frame, path) {
  const [x, y] = [valuesOf(frame, "path_a"), valuesOf(frame, "path_b")];
  path.clear();
  x.forEach((value, i) => path.push(value, y[i]));
}
