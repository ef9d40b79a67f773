/** Each run's surface: the loss over the plane in which it has moved most, with its path. */

import { Column } from "../lines/column.js";
import { make, write } from "../element.js";
import { number } from "../lines/scale.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../charts/panel.js").Panel} Panel
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../data/frame.js").Frame} Frame
 */

const PERIOD = 500;

export class Surfaces {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {Panel[]} */
    this.panels = [];
    this.grid = make("div", { class: "pair" });
    const { title, sentence } = desk.figures.charts.surface;
    this.element = make("div", { class: "surfaces", hidden: true }, make("h2", {}, title), make("p", { class: "sentence" }, sentence), this.grid);
    this.key = "";
  }

  /** A panel for each shown run that has a surface, made anew where they have changed. @param {string} theme */
  arrange(theme) {
    const runs = this.desk.state.runs.filter((run) => frameOf(this.desk, run.id));
    const key = [theme, ...runs.map((run) => run.id)].join();
    this.element.hidden = !runs.length;
    if (key === this.key) return;
    this.key = key;
    for (const panel of this.panels) this.desk.remove(panel);
    this.panels = runs.map((run) => surfacePanel(this.desk, run));
    this.grid.replaceChildren(...this.panels.map((panel) => panel.element));
    runs.forEach((run, i) => this.desk.dress(this.panels[i], [run]));
  }
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
    const [a, b, losses] = ["a", "b", "loss"].map((name) => valuesOf(frame, name));
    fillPath(frame, path);
    // Losses of a plane span orders of magnitude. Rows of z lie along the second direction.
    const z = Array.from(b, (_, j) => Float64Array.from(a, (_, i) => Math.log10(losses[i * b.length + j])));
    return { x: [a[0], a[a.length - 1]], y: [b[0], b[b.length - 1]], lines: [path, path], heats: [{ x: a, y: b, z }] };
  });
  write(panel.title, desk.nameOf(run));
  panel.title.style.color = `var(--text${desk.colorOf(run)})`;
  const frame = frameOf(desk, run.id);
  const shares = frame ? Array.from(valuesOf(frame, "explained"), (share) => `${number(100 * share)} %`) : [];
  write(panel.readout, `${shares.join(" and ")} of the path`);
  panel.readout.title = "How much of the path's variance lies along the first direction and the second. Of a path by chance it would be much, too.";
  return panel;
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
