/** The tab of everything that runs tell as one number a step: a chart for each series, found by its name. */

import { make, write } from "../element.js";
import { scalarLine } from "../lines/lines.js";
import { seriesTable } from "../lines/table.js";
import { matches } from "../data/view.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../charts/panel.js").Panel} Panel
 * @typedef {import("../data/frame.js").Frame} Frame
 */

/** Charts on the page at once, at most: more are found by their names. */
const MOST = 60;

export class SeriesTab {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** Those that have been told so far, by run. @type {Map<string, Set<string>>} */
    this.told = new Map();
    /** Frames that have been looked at. @type {WeakSet<Frame>} */
    this.seen = new WeakSet();
    /** @type {Map<string, Panel>} */
    this.panels = new Map();
    this.filter = make("input", {
      type: "search",
      "data-testid": "series-filter",
      placeholder: "find series, e.g. lr or grad*",
      "aria-label": "Find series",
      title: "Names or globs",
      input: () => desk.state.show({ series: this.filter.value.split(/[\s,]+/).filter(Boolean) }),
    });
    this.filter.value = desk.state.view.series.join(" ");
    this.note = make("p", { class: "reading", role: "status", "data-testid": "series-note" });
    this.grid = make("div", { class: "pair" });
    this.element = make("section", { class: "series" }, make("h2", { class: "unseen" }, "Series"), make("div", { class: "tools" }, this.filter, this.note), this.grid);
    /** @type {import("../types.js").Theme | null} */
    this.theme = null;
    this.key = "";
  }

  /** Look whether there are series that nobody knew of. */
  reveal() {
    let found = false;
    for (const { id } of this.desk.state.runs) {
      const told = this.told.get(id) ?? new Set();
      this.told.set(id, told);
      const before = told.size;
      for (const frame of this.desk.state.whole(id).frames) {
        if (this.seen.has(frame)) continue;
        this.seen.add(frame);
        for (const [name, { mean }] of frame.series) if (mean.length === 1) told.add(name);
      }
      found ||= told.size > before;
    }
    if (found) this.#place();
  }

  arrange() {
    const { state, theme } = this.desk;
    this.reveal();
    this.#place();
    const key = [theme, ...state.runs.map((run) => run.id)].join();
    if (key === this.key) return;
    this.key = key;
    for (const panel of this.panels.values()) this.desk.dress(panel);
  }

  /** Show the charts of those that are asked for, in the order of their names. */
  #place() {
    const { state } = this.desk;
    const all = [...new Set(state.runs.flatMap((run) => [...(this.told.get(run.id) ?? [])]))].sort();
    const wanted = all.filter((name) => matches(name, state.view.series.join(" ")));
    const shown = wanted.slice(0, MOST);
    write(this.note, all.length ? `${shown.length} of ${all.length} series` : "Nothing was told yet.");
    for (const [name, panel] of this.panels) {
      if (shown.includes(name)) continue;
      this.desk.remove(panel);
      this.panels.delete(name);
    }
    const panels = shown.map((name) => this.panels.get(name) ?? this.#panel(name));
    panels.forEach(({ element }, i) => {
      if (this.grid.children[i] !== element) this.grid.insertBefore(element, this.grid.children[i] ?? null);
    });
  }

  /** @param {string} name */
  #panel(name) {
    const { desk } = this;
    const { charts } = desk.figures;
    charts[`series ${name}`] ??= { ...charts.series, title: name };
    const scalar = (/** @type {import("../data/frame.js").Series} */ { mean }) => mean[0];
    const table = seriesTable([{ column: name, series: name, of: scalar }], desk.framesOf);
    const panel = desk.linesPanel(
      `series ${name}`,
      { testid: "chart-series", quiet: true, series: name, table },
      (run, [line]) => scalarLine(desk.state.history(run.id), name, line),
      (run) => desk.state.lastWith(run.id, name)?.scalar(name) ?? NaN,
    );
    this.panels.set(name, panel);
    desk.dress(panel);
    return panel;
  }
}
