/** What the page knows: the experiment, each run's history, and the view. Everything that draws reads from here. */

import { AXES, lay } from "./axis.js";
import { closeupOf, sameSpan, sharpened } from "./closeup.js";
import { KINDS } from "./frame.js";
import { bound, History } from "./history.js";
import { netOf } from "./net.js";
import { conditionsOf, shownRuns } from "./shown.js";
import { formatView, parseView } from "./view.js";

/**
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {import("../types.js").Experiment} Experiment
 * @typedef {import("./view.js").View} View
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {import("./closeup.js").Closeup} Closeup
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
    /** What frames are laid along. */
    this.laid = this.view.by;
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
    /** Their layers. @type {import("./net.js").Net} */
    this.net = { layers: [], edges: [] };
    this.#choose();
    this.connected = true; // else nobody knows what goes on
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
    const closeup = closeupOf(whole, this.closeups.get(id), span);
    this.closeups.set(id, closeup);
    return closeup.history;
  }

  /**
   * New frames of a run, in order.
   * @param {string} id
   * @param {Frame[]} frames
   * @returns {boolean} whether there is no hole between the known frames and the new ones
   */
  take(id, frames) {
    const closeup = this.closeups.get(id);
    const joined = this.whole(id).add(frames);
    this.#lay(id, frames);
    closeup?.history.add(frames.filter((frame) => frame.from <= closeup.span[1]));
    return joined;
  }

  /**
   * Lay what is known of a run, and frames that are new, along the axis that is shown.
   * @param {string} id
   * @param {Frame[]} [more]
   */
  #lay(id, more = []) {
    const { by } = this.view;
    if (by === this.laid && by === "step") return; // which is how frames come
    const { frames } = this.whole(id);
    for (const some of [frames, this.closeups.get(id)?.history.frames ?? [], more]) lay(by, frames, some);
  }

  /**
   * What the store has of a run, but for frames that are newer.
   * @param {string} id
   * @param {Frame[]} frames
   * @returns {boolean} whether there is no hole between these and the newer ones
   */
  replace(id, frames) {
    const joined = this.whole(id).replace(frames);
    this.#lay(id);
    if (!this.closeups.get(id)?.sharp) this.closeups.delete(id);
    this.changed("frames");
    return joined;
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
    const whole = this.whole(id);
    lay(this.view.by, whole.frames, frames);
    this.closeups.set(id, sharpened(whole.limit, this.history(id), span, frames));
    this.changed("frames");
  }

  /** Runs that have joined the experiment since the page was opened. @param {Run[]} runs */
  join(runs) {
    const fresh = runs.filter((run) => !this.wholes.has(run.id));
    if (!fresh.length) return;
    for (const run of fresh) {
      this.wholes.set(run.id, new History(bound(summariesOf(run))));
      if (!this.arms.includes(run.arm)) this.arms.push(run.arm);
      this.experiment.runs.push(run);
    }
    this.conditions = conditionsOf(this.experiment.runs);
    this.#choose();
    this.changed("run");
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
    this.net = netOf(this.runs);
  }

  /** The layers of all shown runs, each once, none before what it takes. */
  get layers() {
    return this.net.layers;
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

  /** What runs are laid along. */
  get axis() {
    return AXES[this.view.by];
  }

  /** The last place on the axis that any shown run has come to. */
  get end() {
    return Math.max(0, ...this.runs.map((run) => this.whole(run.id).newest?.to ?? 0));
  }

  /** The first and the last of the places that are there and shown. @returns {[number, number]} */
  get bounds() {
    const { span } = this.view;
    return span ? [Math.min(span[0], this.end), Math.min(span[1], this.end)] : [0, this.end];
  }

  /** Where the cursor stands on the axis. */
  get step() {
    return this.view.step ?? this.end;
  }

  /**
   * The first and the last step of a run that a span of the axis shows.
   * @param {string} id
   * @param {[number, number]} span
   * @returns {[number, number]}
   */
  stepsIn(id, [first, last]) {
    if (this.view.by === "step") return [first, last];
    const whole = this.whole(id);
    return [whole.stepAt(first), whole.stepAt(last)];
  }

  /**
   * What the store has of a run for the place where the cursor stands.
   * @param {string} id
   * @param {number} place
   * @param {Frame} frame
   */
  pin(id, place, frame) {
    lay(this.view.by, this.whole(id).frames, [frame]);
    frame.from = Math.min(frame.from, place); // where it lies between others was reckoned
    frame.to = Math.max(frame.to, place);
    this.exact.set(id, frame);
  }

  /**
   * What a run sent for the step at the cursor, as exactly as it is known; undefined before its first frame.
   * @param {string} id
   * @returns {Frame | undefined}
   */
  frameAtCursor(id) {
    const { step } = this.view;
    const exact = this.exact.get(id);
    if (step !== null && exact && exact.from <= step && step <= exact.to) return exact;
    const shown = this.history(id).at(step);
    // The cursor may stand, or follow the newest, beside the span that is shown.
    const covered = shown && step !== null && shown.from <= step && step <= shown.to;
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
    if (this.view.by !== this.laid) this.#turn();
    if (this.view.step !== null && this.view.step < 0) this.view.step = 0;
    this.#choose();
    this.changed("view");
  }

  /** Lay everything along another axis, on which no place is what it was. */
  #turn() {
    this.exact.clear();
    this.closeups.clear();
    for (const id of this.wholes.keys()) this.#lay(id);
    this.laid = this.view.by;
  }

  /** The view as the URL holds it. */
  get query() {
    return formatView(this.view);
  }
}
