/** What people are told of the runs that are shown: a list, each of which leads to its layer and step. */

import { ApiError } from "../server/api.js";
import { find, make, write } from "../element.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../types.js").Alert} Alert
 * @typedef {import("../types.js").Run} Run
 * @typedef {{run: Run, alert: Alert}} Told
 */

/** Alerts that are listed. */
const MOST = 100;
/** Of so many that last, at most, the list begins unfolded. */
const OPEN = 5;

export class Alerts {
  /**
   * @param {Desk} desk
   * @param {import("../server/api.js").Api} api
   * @param {(layer: string) => void} goTo
   */
  constructor(desk, api, goTo) {
    this.desk = desk;
    this.api = api;
    this.goTo = goTo;
    this.element = find("alerts", HTMLDetailsElement);
    const { children } = this.element;
    this.summary = /** @type {Element} */ (children[0].firstElementChild);
    this.list = children[1];
    /** What is known of each run: its alerts, and how many there were and lasted when they were asked for. @type {Map<string, {key: string, alerts: Alert[]}>} */
    this.known = new Map();
    desk.state.listen((what) => what !== "frames" && void this.#refresh());
    void this.#refresh();
  }

  /** Ask for the alerts of runs that have others by now, and list them. */
  async #refresh() {
    const { runs } = this.desk.state;
    const asked = runs.filter((run) => run.alerts && this.known.get(run.id)?.key !== keyOf(run));
    await Promise.all(
      asked.map(async (run) => {
        const question = { key: keyOf(run), alerts: this.known.get(run.id)?.alerts ?? [] };
        this.known.set(run.id, question);
        try {
          /** @type {{alerts: Alert[]}} */
          const { alerts } = await this.api.get(`/api/runs/${encodeURIComponent(run.id)}/alerts`);
          if (this.known.get(run.id) === question) question.alerts = alerts; // else a later question has been asked
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          if (this.known.get(run.id) === question) this.known.delete(run.id); // asked for again with the next news of the run
        }
      }),
    );
    this.#show();
  }

  #show() {
    const told = this.desk.state.runs.flatMap((run) => (this.known.get(run.id)?.alerts ?? []).map((alert) => ({ run, alert })));
    // Those that last before those that are over, and what was first, which is where to look for the cause, before the rest.
    told.sort((a, b) => Number(a.alert.cleared !== null) - Number(b.alert.cleared !== null) || a.alert.since - b.alert.since);
    const key = JSON.stringify([this.desk.state.runs.length > 1, told.map(({ run, alert }) => [run.id, alert.id, alert.cleared])]);
    if (key === this.element.dataset.key) return;
    this.element.dataset.key = key;
    const lasting = told.filter(({ alert }) => alert.cleared === null).length;
    if (this.element.hidden && lasting <= OPEN) this.element.open = lasting > 0;
    this.element.hidden = !told.length;
    this.element.classList.toggle("over", !lasting);
    write(this.summary, summaryOf(told.length, lasting));
    this.list.replaceChildren(...told.slice(0, MOST).map((one) => this.#item(one)));
  }

  /** @param {Told} told */
  #item({ run, alert }) {
    const { desk } = this;
    const name = make("span", { class: "of", style: `color:var(--text${desk.colorOf(run)})` }, desk.nameOf(run));
    const over = alert.cleared === null ? "" : ` Over at step ${alert.cleared.toLocaleString("en")}.`;
    const title = `Told at step ${alert.step.toLocaleString("en")}; go to where and when it began`;
    const button = make("button", { type: "button", title, click: () => this.#go(alert) }, alert.sentence);
    const named = desk.state.runs.length > 1 ? [name] : [];
    return make("li", { "data-testid": "alert", class: over ? "over" : "" }, ...named, button, make("small", {}, over));
  }

  /** Go to the layer and the step at which it began. @param {Alert} alert */
  #go({ since, places }) {
    const [place] = places;
    /** @type {Partial<import("../data/view.js").View>} */
    const view = { by: "step", step: since, span: null };
    if (place?.layer) Object.assign(view, { tab: "distributions", kind: place.kind, layers: [] });
    this.desk.state.show(view);
    if (place?.layer) this.goTo(place.layer);
  }
}

/** @param {Run} run */
function keyOf({ alerts, lasting }) {
  return `${alerts} ${lasting}`;
}

/** @param {number} all @param {number} lasting */
function summaryOf(all, lasting) {
  const number = (/** @type {number} */ n) => `${n.toLocaleString("en")} alert${n === 1 ? "" : "s"}`;
  if (!lasting) return `${number(all)}, over by now`;
  return number(lasting) + (all > lasting ? ` (and ${(all - lasting).toLocaleString("en")} over by now)` : "");
}

/**
 * Say how many alerts some runs have that last.
 * @param {Element} element
 * @param {{lasting: number}[]} runs
 */
export function countAlerts(element, runs) {
  const lasting = runs.reduce((sum, run) => sum + run.lasting, 0);
  write(element, lasting ? `⚠ ${lasting.toLocaleString("en")}` : "");
  element.setAttribute("title", lasting ? summaryOf(lasting, lasting) : "");
}
