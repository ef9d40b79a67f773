/** Which runs are shown: the arms, and of what was varied one condition and one seed; and how far all runs are. */

import { find, make, write } from "../element.js";
import { countAlerts } from "./alerts.js";
import { ALL, chosenValue, isDone, progressOf, tally, wordsOf } from "../data/shown.js";

/** @typedef {import("../charts/desk.js").Desk} Desk */

export class Chooser {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.arms = find("arms", HTMLElement);
    this.tally = find("tally", HTMLElement);
    this.progress = find("progress", HTMLProgressElement);
    this.cut = find("cut", HTMLElement);
    this.conditions = find("conditions", HTMLElement);
    /** @type {{name: string, values: string[], select: HTMLSelectElement, element: HTMLElement}[]} */
    this.selects = [];
    this.offered = "";
    this.key = "";
  }

  /** Offer what differs from run to run; a run that joins may bring another value, or differ in more. */
  #offer() {
    const { conditions } = this.desk.state;
    const offered = JSON.stringify([...conditions]);
    if (offered === this.offered) return this.selects;
    this.offered = offered;
    this.selects = [...conditions].map(([name, values]) => this.#select(name, values));
    this.conditions.replaceChildren(...this.selects.map(({ element }) => element));
    return this.selects;
  }

  /** @param {string} name @param {string[]} values */
  #select(name, values) {
    const { state } = this.desk;
    const options = [...values, ALL].map((value) => make("option", { value }, value));
    const select = make("select", { "data-testid": `choose-${name}` }, ...options);
    select.addEventListener("change", () => {
      const where = { ...state.view.where, [name]: select.value };
      if (select.value === values[0]) delete where[name];
      state.show({ where, runs: [] });
    });
    return { name, values, select, element: make("label", {}, wordsOf(name), select) };
  }

  /** Show what the view says. */
  arrange() {
    const { state } = this.desk;
    for (const { name, values, select } of this.#offer()) select.value = chosenValue(state.view, name, values);
    const key = JSON.stringify([state.runs.map((run) => run.id), state.experiment.runs.length, this.desk.theme]);
    if (key === this.key) return;
    this.key = key;
    this.arms.replaceChildren(...state.arms.map((arm, place) => this.#arm(arm, place)));
    const arms = new Set(state.runs.map((run) => run.arm)).size;
    const text = `${state.runs.length} of ${state.experiment.runs.length} runs are shown`;
    write(this.cut, state.runs.length > arms ? text : "");
  }

  /** @param {string} arm @param {number} place */
  #arm(arm, place) {
    const { state } = this.desk;
    const first = state.experiment.runs.find((run) => run.arm === arm) ?? state.experiment.runs[0];
    const attributes = {
      class: "arm",
      style: `--arm:var(--arm${this.desk.colorOf(first)})`,
      "aria-pressed": String(state.runs.some((run) => run.arm === arm)),
      title: "Show or hide",
      click: () => this.#toggle(place),
    };
    const alerts = make("span", { class: "count", "data-alerts": place });
    return make("button", attributes, make("i"), arm || first.name, make("small", { "data-arm": place }), alerts);
  }

  /** @param {number} place among the arms */
  #toggle(place) {
    const { state } = this.desk;
    const shown = new Set(state.runs.map((run) => state.arms.indexOf(run.arm)));
    if (!shown.delete(place)) shown.add(place);
    const whole = shown.size === 0 || shown.size === state.arms.length;
    state.show({ arms: whole ? [] : [...shown].sort((a, b) => a - b), runs: [] });
  }

  /** Write how far the runs are. */
  report() {
    const { state } = this.desk;
    const { runs } = state.experiment;
    const several = runs.length > state.arms.length;
    this.tally.hidden = this.progress.hidden = !several;
    if (several) {
      write(this.tally, tally(runs));
      this.progress.value = progressOf(runs) || 0;
    }
    for (const element of this.arms.querySelectorAll("[data-arm]")) {
      write(element, this.#statusOf(state.arms[Number(element.getAttribute("data-arm"))]));
    }
    for (const element of this.arms.querySelectorAll("[data-alerts]")) {
      const arm = state.arms[Number(element.getAttribute("data-alerts"))];
      countAlerts(element, runs.filter((run) => run.arm === arm));
    }
  }

  /** How far an arm's runs are, those that are shown. @param {string} arm */
  #statusOf(arm) {
    const { state } = this.desk;
    const runs = state.runs.filter((run) => run.arm === arm);
    if (runs.length > 1) return `${runs.filter(isDone).length}/${runs.length} done`;
    const [run] = runs;
    if (!run) return "";
    const step = state.whole(run.id).newest?.lastStep ?? run.last_step;
    return run.status === "running" && step >= 0 ? step.toLocaleString("en") : run.status;
  }
}
