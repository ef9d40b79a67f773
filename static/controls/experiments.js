/** A list of experiments that follows what happens to them. */

import { ApiError } from "../server/api.js";
import { overall } from "./controls.js";
import { find, make, write } from "../element.js";
import { LiveSocket } from "../server/feed.js";
import { isDone, progressOf } from "../data/shown.js";

/**
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {import("../types.js").BriefRun} BriefRun
 */

/** Arms that a row names. */
const MOST_ARMS = 4;

export class ExperimentList {
  /**
   * @param {import("../server/api.js").Api} api
   * @param {object} options
   * @param {number} [options.claim] only this claim's
   * @param {string} options.empty what to say as long as there are none
   * @param {(experiments: BriefExperiment[]) => void} options.known called whenever the list was asked for
   */
  constructor(api, options) {
    this.api = api;
    this.options = options;
    this.list = find("experiments", HTMLElement);
    this.note = find("connection", HTMLElement);
    /** @type {BriefExperiment[] | null} */
    this.experiments = null;
    this.asking = false;
    this.search = find("search", HTMLInputElement);
    this.search.value = new URLSearchParams(location.search).get("q") ?? "";
    this.search.addEventListener("input", () => {
      const wanted = this.search.value.trim();
      history.replaceState(null, "", wanted ? `?q=${encodeURIComponent(wanted)}` : location.pathname);
      this.#show(this.experiments ?? []);
    });
    /** Those whose row is old. @type {Set<BriefExperiment>} */
    this.old = new Set();
    this.live = new LiveSocket(api.socket("/ws/live"), {
      opened: () => {
        this.live.send({ type: "list" });
        void this.#refresh();
      },
      closed: () => this.#say("Connection lost. Reconnecting…"),
      text: (message) => message.type === "run" && this.#update(message.run),
    });
  }

  close() {
    this.live.close();
  }

  /** @param {string} sentence */
  #say(sentence) {
    write(this.note, sentence);
    this.note.hidden = !sentence;
  }

  /** Ask for the whole list again. */
  async #refresh() {
    if (this.asking) return;
    this.asking = true;
    try {
      /** @type {{experiments: BriefExperiment[]}} */
      const { experiments } = await this.api.get("/api/experiments");
      const { claim, known } = this.options;
      this.experiments = claim === undefined ? experiments : experiments.filter((experiment) => experiment.claim === claim);
      this.#say("");
      this.#show(this.experiments);
      known(this.experiments);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#say(error.message);
    }
    this.asking = false;
  }

  /** @param {BriefRun} run */
  #update(run) {
    const experiment = this.experiments?.find(({ id }) => id === run.experiment);
    const at = experiment?.runs.findIndex(({ id }) => id === run.id) ?? -1;
    if (!experiment || at < 0) return void this.#refresh();
    experiment.runs[at] = run;
    if (!this.old.size) requestAnimationFrame(() => this.#renew());
    this.old.add(experiment);
  }

  #renew() {
    for (const experiment of this.old) {
      this.list.querySelector(`[data-experiment="${CSS.escape(experiment.id)}"]`)?.replaceWith(this.#row(experiment));
    }
    this.old.clear();
  }

  /** @param {BriefExperiment[]} experiments */
  #show(experiments) {
    this.search.hidden = !experiments.length;
    if (!experiments.length) return this.list.replaceChildren(make("p", { class: "empty" }, this.options.empty));
    const found = experiments.filter((experiment) => holds(experiment, this.search.value));
    if (!found.length) return this.list.replaceChildren(make("p", { class: "empty", role: "status" }, "No experiment has all these words."));
    const titles = ["name", "arms", "status", "progress", "when"].map((title) => make("span", {}, title));
    const head = make("div", { class: "experiment-head", "aria-hidden": "true" }, ...titles);
    this.list.replaceChildren(head, ...found.map((experiment) => this.#row(experiment)));
  }

  /** @param {BriefExperiment} experiment */
  #row({ id, name, runs, created }) {
    const status = overall(runs);
    const done = progressOf(runs);
    const bar = make("progress", { max: 1, value: done || 0, "aria-label": "progress" });
    bar.hidden = Number.isNaN(done);
    return make(
      "a",
      { class: "experiment-row", href: `${this.api.root}/e/${id}`, "data-testid": "experiment-row", "data-experiment": id },
      make("b", {}, name),
      make("span", { class: "arms" }, armsOf(runs)),
      make("span", { class: "status", "data-status": status }, status === "running" ? "live" : status),
      make("span", { class: "progress" }, bar, reached(runs)),
      make("time", { datetime: new Date(1000 * created).toISOString() }, when(created)),
    );
  }
}

/**
 * Whether an experiment has every one of some words: in its name, its arms or its status.
 * @param {BriefExperiment} experiment
 * @param {string} words
 */
export function holds({ name, runs }, words) {
  const text = [name, ...runs.map((run) => run.arm || run.name), overall(runs)].join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** @param {BriefRun[]} runs */
function armsOf(runs) {
  const arms = [...new Set(runs.map((run) => run.arm || run.name))];
  const more = arms.length - MOST_ARMS;
  return [...arms.slice(0, MOST_ARMS), ...(more > 0 ? [`${more} more`] : [])].join(" · ");
}

/**
 * How many runs are done where each arm has several; else the step.
 * @param {BriefRun[]} runs
 */
function reached(runs) {
  const number = (/** @type {number} */ value) => value.toLocaleString("en");
  if (runs.length > new Set(runs.map((run) => run.arm)).size) return `${number(runs.filter(isDone).length)} / ${number(runs.length)} runs`;
  const steps = Math.max(0, ...runs.map((run) => run.steps ?? 0));
  const step = Math.max(0, ...runs.map((run) => run.last_step + 1));
  return steps ? `${number(step)} / ${number(steps)}` : number(step);
}

/** @param {number} time unix seconds */
function when(time) {
  const minutes = Math.max(0, (Date.now() / 1000 - time) / 60);
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (minutes < 1) return "just now";
  if (minutes < 60) return relative.format(-Math.round(minutes), "minute");
  if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), "hour");
  return new Date(1000 * time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}
