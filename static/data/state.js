/** What the page knows: the experiment, each run's history, and the view. Everything that draws reads from here. */

import { KINDS } from "./frame.js";
import { bound, History } from "./history.js";
import { conditionsOf, shownRuns } from "./shown.js";
import { formatView, parseView } from "./view.js";

/**
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {import("../types.js").Experiment} Experiment
 * @typedef {import("./view.js").View} View
 * @typedef {import("./frame.js").Frame} Frame
 *
 * @typedef {object} Layer a layer as the page lists it
 * @property {string} name
 * @property {string} type
 * @property {Set<string>} kinds what is watched of it in any of the runs
 */

/** How many summaries a frame of a run has at most. @param {Run} run */
const summariesOf = (run) => run.layers.reduce((sum, layer) => sum + layer.kinds.length, 0);

export class State {
  /**
   * @param {Experiment} experiment
   * @param {string} query
   */
  constructor(experiment, query) {
    this.experiment = experiment;
    this.view = parseView(query);
    /** @type {Map<string, History>} */
    this.histories = new Map(experiment.runs.map((run) => [run.id, new History(bound(summariesOf(run)))]));
    /** Arms in the order of their first run: an arm's place gives its colour. */
    this.arms = [...new Set(experiment.runs.map((run) => run.arm))];
    /** What differs from run to run beside the arm, with its values. */
    this.conditions = conditionsOf(experiment.runs);
    /** The runs that the view shows. @type {Run[]} */
    this.runs = [];
    /** What differs among them. @type {string[]} */
    this.differing = [];
    this.#choose();
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

  /** Runs as the server now describes them, whole or in short. @param {(Run | BriefRun)[]} runs */
  setRuns(runs) {
    const places = new Map(this.experiment.runs.map((run, i) => [run.id, i]));
    for (const run of runs) {
      const at = places.get(run.id);
      if (at === undefined) continue;
      const { arm, seed, varied } = this.experiment.runs[at];
      // Where runs of any experiments are compared, the page has named them.
      const own = this.experiment.id ? {} : { arm, seed, varied };
      const known = (this.experiment.runs[at] = { ...this.experiment.runs[at], ...run, ...own });
      this.history(run.id).limit = bound(summariesOf(known));
    }
    this.#choose();
    this.changed("run");
  }

  #choose() {
    this.runs = shownRuns(this.experiment.runs, this.view);
    this.differing = [...conditionsOf(this.runs).keys()];
  }

  /** The layers of all shown runs, each once, in the order of the first run that has them. */
  get layers() {
    /** @type {Map<string, Layer>} */
    const layers = new Map();
    for (const run of this.runs) {
      for (const { name, type, kinds } of run.layers) {
        const known = layers.get(name);
        const all = new Set([...(known?.kinds ?? []), ...kinds]);
        layers.set(name, { name, type: known && known.type !== "Identity" ? known.type : type, kinds: all });
      }
    }
    return [...layers.values()];
  }

  /** What of layers is shown: the index of one of KINDS, of which there is something. */
  get kind() {
    const { kinds } = this;
    const wanted = KINDS.findIndex(([name]) => name === this.view.kind);
    return kinds.length && !kinds.includes(wanted) ? kinds[0] : wanted;
  }

  /** What there is of layers in the shown runs, as indices of KINDS. */
  get kinds() {
    const known = new Set(this.layers.flatMap((layer) => [...layer.kinds]));
    return KINDS.flatMap(([name], i) => (known.has(name) ? [i] : []));
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
    this.#choose();
    this.changed("view");
  }

  /** The view as the URL holds it. */
  get query() {
    return formatView(this.view);
  }
}
