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
 * @typedef {object} Closeup what is known of a span of a run's steps
 * @property {[number, number]} span
 * @property {History} history
 * @property {boolean} sharp whether the store has no more of it to show
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
   * @param {string[]} [arms] in order, if the experiment had more than these runs have
   */
  constructor(experiment, query, arms) {
    this.experiment = experiment;
    this.view = parseView(query);
    /** All that is known of each run, from its first step to its newest. @type {Map<string, History>} */
    this.wholes = new Map(experiment.runs.map((run) => [run.id, new History(bound(summariesOf(run)))]));
    /** Arms in the order of their first run: an arm's place gives its colour. */
    this.arms = arms ?? [...new Set(experiment.runs.map((run) => run.arm))];
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
    /** What is shown of the view's span, by run. @type {Map<string, Closeup>} */
    this.closeups = new Map();
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

  /** All that is known of a run. @param {string} id @returns {History} */
  whole(id) {
    const history = this.wholes.get(id);
    if (!history) throw new Error(`unknown run: ${id}`);
    return history;
  }

  /** What charts show of a run: all of it, or the view's span as sharp as it is known. @param {string} id @returns {History} */
  history(id) {
    const whole = this.whole(id);
    const { span } = this.view;
    if (!span) return whole;
    const known = this.closeups.get(id);
    if (known && sameSpan(known.span, span)) return known.history;
    const source = known?.sharp && known.span[0] <= span[0] && span[1] <= known.span[1] ? known.history : whole;
    const history = source.cut(span);
    const sharp = history.frames.length > 0 && history.frames.every((frame) => frame.level === 0);
    this.closeups.set(id, { span, history, sharp });
    return history;
  }

  /**
   * New frames of a run, in order.
   * @param {string} id
   * @param {Frame[]} frames
   * @returns {boolean} whether there is no hole between the known frames and the new ones
   */
  take(id, frames) {
    const closeup = this.closeups.get(id);
    closeup?.history.add(frames.filter((frame) => frame.firstStep <= closeup.span[1]));
    return this.whole(id).add(frames);
  }

  /**
   * What the store has of a run, but for frames that are newer.
   * @param {string} id
   * @param {Frame[]} frames
   */
  replace(id, frames) {
    this.whole(id).replace(frames);
    if (!this.closeups.get(id)?.sharp) this.closeups.delete(id);
    this.changed("frames");
  }

  /** Whether the store may have more to show of a run's span than the page. @param {string} id */
  blurred(id) {
    return this.view.span !== null && this.history(id) !== this.whole(id) && !this.closeups.get(id)?.sharp;
  }

  /**
   * What the store has of a span of a run; nothing changes if another span is shown by now.
   * @param {string} id
   * @param {[number, number]} span
   * @param {Frame[]} frames
   */
  sharpen(id, span, frames) {
    if (!this.view.span || !sameSpan(this.view.span, span)) return;
    const history = new History(this.whole(id).limit);
    const end = frames.length ? frames[frames.length - 1].end : 0;
    history.add([...frames, ...this.history(id).frames.filter((frame) => frame.seq >= end)]);
    this.closeups.set(id, { span, history, sharp: true });
    this.changed("frames");
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
      this.whole(run.id).limit = bound(summariesOf(known));
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
    return Math.max(-1, ...this.runs.map((run) => this.whole(run.id).newest?.lastStep ?? -1));
  }

  /** The first and the last of the steps that are there and shown. @returns {[number, number]} */
  get bounds() {
    const newest = Math.max(0, this.newestStep);
    const { span } = this.view;
    return span ? [Math.min(span[0], newest), Math.min(span[1], newest)] : [0, newest];
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
    const shown = this.history(id).at(step);
    // The cursor may stand, or follow the newest, beside the span that is shown.
    const covered = shown && step !== null && shown.firstStep <= step && step <= shown.lastStep;
    return covered ? shown : this.whole(id).at(step);
  }

  /**
   * The newest frame up to the cursor that holds a series; it may be sent at some steps only.
   * @param {string} id
   * @param {string} name
   */
  lastWith(id, name) {
    return this.whole(id).lastWith(name, this.view.step);
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

/** @param {[number, number]} a @param {[number, number]} b */
function sameSpan(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}
