/** What the page knows: the experiment, each run's history, and the view. Everything that draws reads from here. */

import { bound, History } from "./history.js";
import { formatView, parseView } from "./view.js";

/**
 * @typedef {import("./types.js").Run} Run
 * @typedef {import("./types.js").Experiment} Experiment
 * @typedef {import("./view.js").View} View
 * @typedef {import("./frame.js").Frame} Frame
 *
 * @typedef {object} Layer a layer as the page lists it
 * @property {string} name
 * @property {string} type
 */

const DONE = new Set(["finished", "stopped", "failed"]);

/** Whether a run will send no more frames. @param {Run} run */
export function isDone(run) {
  return DONE.has(run.status);
}

export class State {
  /**
   * @param {Experiment} experiment
   * @param {string} query
   */
  constructor(experiment, query) {
    this.experiment = experiment;
    this.view = parseView(query);
    /** @type {Map<string, History>} */
    this.histories = new Map(experiment.runs.map((run) => [run.id, new History(bound(run.layers.length))]));
    /** Arms in the order of their first run: an arm's place gives its colour. */
    this.arms = [...new Set(experiment.runs.map((run) => run.arm))];
    /** Grows whenever anything that charts show may have changed. */
    this.version = 1;
    /** @type {Set<(what: "frames" | "run" | "view") => void>} */
    this.listeners = new Set();
    /** Exact frames that were fetched for the cursor, by run. @type {Map<string, Frame>} */
    this.exact = new Map();
  }

  /** @param {(what: "frames" | "run" | "view") => void} listener */
  listen(listener) {
    this.listeners.add(listener);
  }

  /** @param {"frames" | "run" | "view"} what */
  changed(what) {
    this.version++;
    for (const listener of this.listeners) listener(what);
  }

  /** @param {string} id @returns {History} */
  history(id) {
    const history = this.histories.get(id);
    if (!history) throw new Error(`unknown run: ${id}`);
    return history;
  }

  /** A run as the server now describes it. @param {Run} run */
  setRun(run) {
    const at = this.experiment.runs.findIndex((known) => known.id === run.id);
    if (at < 0) return;
    this.experiment.runs[at] = run;
    this.history(run.id).limit = bound(run.layers.length);
    this.changed("run");
  }

  /** The runs that the view shows. */
  get runs() {
    const chosen = this.experiment.runs.filter((run) => this.view.runs.includes(run.id));
    return chosen.length ? chosen : this.experiment.runs;
  }

  /** The layers of all shown runs, each once, in the order of the first run that has them. */
  get layers() {
    /** @type {Map<string, Layer>} */
    const layers = new Map();
    for (const run of this.runs) {
      for (const { name, type } of run.layers) {
        const known = layers.get(name);
        if (!known || known.type === "Identity") layers.set(name, { name, type });
      }
    }
    return [...layers.values()];
  }

  /** The newest step of any shown run; -1 before the first. */
  get newestStep() {
    return Math.max(-1, ...this.runs.map((run) => this.history(run.id).newest?.lastStep ?? -1));
  }

  /** Where the cursor stands. */
  get step() {
    return this.view.step ?? Math.max(0, this.newestStep);
  }

  /**
   * What a run sent for the step at the cursor, as exactly as it is known; undefined before its first frame.
   * @param {string} id
   * @returns {Frame | undefined}
   */
  frameAtCursor(id) {
    const { step } = this.view;
    const exact = this.exact.get(id);
    if (step !== null && exact && exact.firstStep <= step && step <= exact.lastStep) return exact;
    return this.history(id).at(step);
  }

  /** @param {Partial<View>} changes */
  show(changes) {
    Object.assign(this.view, changes);
    if (this.view.step !== null && this.view.step < 0) this.view.step = 0;
    this.changed("view");
  }

  /** The view as the URL holds it. */
  get query() {
    return formatView(this.view);
  }
}
