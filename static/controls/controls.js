/** The header: what the experiment is doing, and the buttons that control its runs. */

import { ApiError } from "../server/api.js";
import { find, make, write } from "../element.js";
import { isDone, labelOf, overall } from "../data/shown.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {import("../types.js").Run} Run
 */

const BUSY = new Set(["starting", "running"]);
const PACES = [1, 2, 5, 10, 20, 40, 100, 200];
/** Seconds over which the speed is reckoned. */
const RATE_SECONDS = 2;
/** Runs in trouble that are told of one by one. */
const MOST_BANNERS = 3;
const SENTENCES = {
  lost: "is not connected. It goes on by itself when its process comes back; its history until here is safe.",
  failed: "failed.",
};

export class Controls {
  /**
   * @param {Desk} desk
   * @param {Api} api
   */
  constructor(desk, api) {
    this.desk = desk;
    this.api = api;
    this.options = { first: true };
    this.drawnAt = 0;
    this.drawn = -1;
    this.status = find("status", HTMLElement);
    this.step = find("step-number", HTMLElement);
    this.rate = find("rate", HTMLElement);
    this.cost = find("cost", HTMLElement);
    this.errors = find("errors", HTMLElement);
    this.reasons = find("reasons", HTMLElement);
    this.trouble = "";
    this.shown = "";
    if (!api.readOnly && desk.state.experiment.id) this.#buttons();
    desk.painter.jobs.add(this);
  }

  #buttons() {
    const actions = /** @type {const} */ (["pause", "resume", "step", "stop"]);
    /** @type {Record<string, HTMLButtonElement>} */
    this.actions = Object.fromEntries(actions.map((name) => [name, find(name, HTMLButtonElement)]));
    for (const name of actions) this.actions[name].addEventListener("click", () => void this.#act(name));
    this.pace = find("pace", HTMLSelectElement);
    this.pace.append(make("option", { value: "" }, "no limit"), ...PACES.map((pace) => make("option", { value: pace }, String(pace))));
    this.pace.addEventListener("change", () => {
      void this.#act("pace", { steps_per_second: Number(this.pace?.value) || null });
    });
  }

  /**
   * Pause, resume and stop are for all runs of the experiment; a step and the pace for those that are shown.
   * @param {"pause" | "resume" | "step" | "stop" | "pace"} action
   * @param {object} [body]
   */
  async #act(action, body) {
    const { state } = this.desk;
    const whole = action !== "step" && action !== "pace";
    const [kind, ids] = whole ? ["experiments", [state.experiment.id]] : ["runs", state.runs.filter((run) => !isDone(run)).map(({ id }) => id)];
    try {
      // What the runs have become comes over the socket, in order; these answers may be older than its newest word.
      await Promise.all(ids.map((id) => this.api.post(`/api/${kind}/${encodeURIComponent(id)}/${action}`, body)));
      this.say("");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(`Could not ${action}. ${error.message}`);
    }
  }

  /** An error that a person should see. @param {string} sentence */
  say(sentence) {
    this.trouble = sentence;
    this.#banners();
  }

  /**
   * @param {number} version
   * @param {number} now
   */
  wants(version, now) {
    return this.drawn !== version && now - this.drawnAt > 150;
  }

  /** @param {number} version */
  draw(version) {
    this.drawn = version;
    this.drawnAt = performance.now();
    const { connected, experiment } = this.desk.state;
    const { runs } = experiment;
    const status = overall(runs);
    const unknown = !connected && !runs.every(isDone);
    write(this.status, unknown ? "disconnected" : status === "running" ? "live" : status);
    this.status.dataset.status = unknown ? "lost" : status;
    document.body.dataset.status = status;
    this.#numbers();
    this.#banners();
    this.#reasons();
    if (this.actions) this.#enable(runs, this.actions);
  }

  #numbers() {
    const { state } = this.desk;
    const { runs } = state;
    const planned = Math.max(0, ...runs.map((run) => run.steps ?? 0));
    const step = state.newestStep;
    const text = step < 0 ? "–" : step.toLocaleString("en");
    write(this.step, planned ? `${text} / ${(planned - 1).toLocaleString("en")}` : text);
    const going = runs.filter((run) => run.status === "running" && state.connected);
    const rates = going.map((run) => rateOf(state.whole(run.id))).filter(Number.isFinite);
    write(this.rate, rates.length ? (rates.reduce((a, b) => a + b) / rates.length).toFixed(rates[0] < 10 ? 1 : 0) : "–");
    const costs = runs.map((run) => latest(this.desk, run, "watch_cost")).filter(Number.isFinite);
    write(this.cost, costs.length ? `${(100 * Math.max(...costs)).toFixed(1)} %` : "–");
  }

  /**
   * @param {Run[]} runs
   * @param {Record<string, HTMLButtonElement>} actions
   */
  #enable(runs, actions) {
    const going = runs.filter((run) => !isDone(run) && run.status !== "stopping");
    const shown = going.filter((run) => this.desk.state.runs.includes(run));
    // Of runs that are not shown nobody tells whether they are to be held, only whether they are.
    const held = shown.length ? shown.every((run) => run.control.paused) : !going.some((run) => BUSY.has(run.status));
    const paused = going.length > 0 && held;
    actions.pause.hidden = paused || !going.length;
    actions.resume.hidden = !paused;
    actions.stop.hidden = !going.length;
    actions.step.hidden = !shown.length;
    if (!this.pace || document.activeElement === this.pace) return;
    this.pace.closest("label")?.toggleAttribute("hidden", !shown.length);
    const pace = shown[0]?.control.pace ?? null;
    const value = pace === null ? "" : String(pace);
    if (![...this.pace.options].some((option) => option.value === value)) this.pace.append(make("option", { value }, value));
    this.pace.value = value;
  }

  /** Why runs that are shown have not begun, those with the same reason together. */
  #reasons() {
    const { runs, conditions } = this.desk.state;
    /** @type {Map<string, string[]>} */
    const waiting = new Map();
    for (const run of runs) {
      if (!run.reason || (run.status !== "waiting" && run.status !== "starting")) continue;
      const labels = waiting.get(run.reason) ?? [];
      waiting.set(run.reason, [...labels, labelOf(run, conditions.keys())]);
    }
    write(this.reasons, [...waiting].map(([reason, labels]) => `${labels.join(", ")}: ${reason}.`).join("\n"));
  }

  /** What went wrong, above the charts. */
  #banners() {
    const { experiment, conditions } = this.desk.state;
    const told = experiment.runs.flatMap((run) => {
      if (run.status !== "failed" && run.status !== "lost") return [];
      return [`${labelOf(run, conditions.keys())} ${SENTENCES[run.status]} ${run.error ?? ""}`.trim()];
    });
    const sentences = told.slice(0, MOST_BANNERS);
    if (told.length > MOST_BANNERS) sentences.push(`${told.length - MOST_BANNERS} more runs have failed or are not connected.`);
    if (this.trouble) sentences.push(this.trouble);
    for (const run of this.desk.state.runs.filter(({ thinned }) => thinned > 1)) {
      sentences.push(`${labelOf(run, conditions.keys())}: up to ${run.thinned} steps were made one, as the server was long out of reach or the run is old.`);
    }
    const key = sentences.join("\n");
    if (key === this.shown) return;
    this.shown = key;
    this.errors.replaceChildren(...sentences.map((text) => make("p", { "data-testid": "error", role: "alert" }, text)));
  }
}

/**
 * A scalar in a run's newest frame.
 * @param {Desk} desk
 * @param {Run} run
 * @param {string} name
 */
function latest({ state }, run, name) {
  return state.lastWith(run.id, name)?.scalar(name) ?? NaN;
}

/**
 * Steps per second over the last seconds, waiting included.
 * @param {import("../data/history.js").History} history
 */
function rateOf({ frames, newest }) {
  if (!newest) return NaN;
  let at = frames.length - 1;
  while (at > 0 && newest.time - frames[at].time < RATE_SECONDS) at--;
  return (newest.lastStep - frames[at].lastStep) / (newest.time - frames[at].time);
}
