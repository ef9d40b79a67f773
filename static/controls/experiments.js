/** A list of experiments that follows what happens to them, and lets a person put them in order. */

import { countAlerts } from "./alerts.js";
import { ApiError } from "../server/api.js";
import { edit, makeTags } from "./edit.js";
import { armsOf, formatOrder, holds, KEYS, parseOrder, reached, sorted } from "../data/listing.js";
import { isDone, overall, progressOf } from "../data/shown.js";
import { find, make, write } from "../element.js";
import { Listed } from "../server/listed.js";
import { LiveSocket } from "../server/socket.js";
import { makeMenu } from "./menu.js";
import { allOf } from "./settings.js";
import { toast } from "./toast.js";

/**
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {import("../types.js").BriefRun} BriefRun
 */

/** How many are listed until a person asks for more: what can be started is not to be far below. */
const FIRST = 8;

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
    this.listed = new Listed(api, options.claim);
    this.whole = false;
    const given = new URLSearchParams(location.search);
    this.order = parseOrder(given.get("sort"));
    this.search = find("search", HTMLInputElement);
    this.search.value = given.get("q") ?? "";
    this.search.addEventListener("input", () => this.#arrange());
    /** Ids of those that a person has marked. @type {Set<string>} */
    this.marked = new Set();
    this.bulk = make("div", { class: "bulk", role: "group", "aria-label": "With those that are marked", "data-testid": "bulk", hidden: true });
    this.list.before(this.bulk);
    /** What writes into a row how its experiment is now, by id: a row that were made anew would slip from under a pointer. @type {Map<string, () => void>} */
    this.renewals = new Map();
    /** Those whose row is old. @type {Set<BriefExperiment>} */
    this.old = new Set();
    this.live = new LiveSocket(api.socket("/ws/live"), {
      opened: () => {
        this.live.send({ type: "list" });
        void this.#refresh();
      },
      closed: (note) => this.#say(note),
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

  /** Those that are known; null as long as the server has not answered. */
  get experiments() {
    return this.listed.experiments;
  }

  /** Ask for the whole list again. */
  async #refresh() {
    const come = () => {
      this.#say("");
      this.#show();
      this.options.known(this.experiments ?? []);
    };
    await this.#guarded(() => this.listed.ask(come));
  }

  /** @param {() => Promise<void>} work */
  async #guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#say(error.message);
    }
  }

  /** @param {BriefRun} run */
  #update(run) {
    const experiment = this.listed.take(run);
    if (!experiment) return this.listed.lacks(run) ? void this.#refresh() : undefined;
    if (!this.old.size) requestAnimationFrame(() => this.#renew());
    this.old.add(experiment);
  }

  #renew() {
    for (const { id } of this.old) this.renewals.get(id)?.();
    this.old.clear();
    if (this.marked.size) this.#showBulk();
  }

  /** Show what was searched and sorted for, which the address keeps. */
  #arrange() {
    const kept = new URLSearchParams(location.search);
    for (const [name, value] of [["q", this.search.value.trim()], ["sort", formatOrder(this.order)]]) {
      if (value) kept.set(name, value);
      else kept.delete(name);
    }
    history.replaceState(null, "", location.pathname + (kept.size ? `?${kept}` : ""));
    this.#show();
  }

  #show() {
    /** @type {BriefExperiment[]} */
    const experiments = this.experiments ?? [];
    this.search.hidden = !experiments.length;
    const known = new Set(experiments.map(({ id }) => id));
    for (const id of this.marked) if (!known.has(id)) this.marked.delete(id);
    this.#showBulk();
    if (!experiments.length) return this.list.replaceChildren(make("p", { class: "empty" }, this.options.empty));
    const found = sorted(experiments, this.order).filter((experiment) => holds(experiment, this.search.value));
    if (!found.length) return this.list.replaceChildren(make("p", { class: "empty", role: "status" }, "No experiment has all these words."));
    this.renewals.clear();
    const shown = this.whole || this.search.value.trim() || found.length <= FIRST + 2 ? found : found.slice(0, FIRST);
    /** @type {HTMLElement[]} */
    const rows = [this.#head(shown), ...shown.map((experiment) => this.#row(experiment))];
    if (shown.length < found.length) rows.push(this.#rest(found.length));
    this.list.replaceChildren(...rows);
  }

  /** @param {number} count */
  #rest(count) {
    const click = () => {
      this.whole = true;
      this.#show();
    };
    return make("button", { type: "button", class: "rest", "data-testid": "show-all", click }, `Show all ${count}`);
  }

  /** The columns' names, by which the list is sorted. @param {BriefExperiment[]} found */
  #head(found) {
    const all = found.every(({ id }) => this.marked.has(id));
    const change = () => {
      for (const { id } of found) this.#mark(id, !all);
      this.#show();
    };
    const box = make("input", { type: "checkbox", checked: all, change, "aria-label": "Mark all", "data-testid": "mark-all" });
    const titles = KEYS.map(([key, downFirst]) => {
      const chosen = this.order.key === key;
      const sign = chosen ? (this.order.down ? " ↓" : " ↑") : "";
      const click = () => {
        this.order = { key, down: chosen ? !this.order.down : downFirst };
        this.#arrange();
      };
      return make("button", { type: "button", class: "quiet", "aria-pressed": String(chosen), title: `Sort by ${key}`, "data-testid": `sort-${key}`, click }, key + sign);
    });
    return make("div", { class: "experiment-head" }, box, ...titles, make("span", {}));
  }

  /** @param {BriefExperiment} experiment */
  #row(experiment) {
    const { id, name, runs, tags, notes, created } = experiment;
    const bar = make("progress", { max: 1, "aria-label": "progress" });
    const text = make("span", {});
    const alerts = make("span", { class: "count", "data-testid": "count" });
    const status = make("span", { class: "status" });
    const stop = make("button", { type: "button", "data-testid": "stop-one", click: () => void this.#stop([id]) }, "Stop");
    const renew = () => {
      const now = overall(experiment.runs);
      const done = progressOf(experiment.runs);
      status.dataset.status = now;
      write(status, now === "running" ? "live" : now);
      bar.value = done || 0;
      bar.hidden = Number.isNaN(done);
      write(text, reached(experiment.runs));
      stop.hidden = experiment.runs.every(isDone);
      countAlerts(alerts, experiment.runs);
    };
    renew();
    this.renewals.set(id, renew);
    const change = () => {
      this.#mark(id, box.checked);
      this.#showBulk();
    };
    const box = make("input", { type: "checkbox", checked: this.marked.has(id), change, "aria-label": `Mark ${name}`, "data-testid": "mark" });
    const title = make("a", { href: `${this.api.root}/e/${id}`, title: notes, "data-enter": true }, name);
    return make(
      "div",
      { class: "experiment-row", "data-testid": "experiment-row", "data-experiment": id },
      box,
      make("span", { class: "title" }, title, alerts, ...makeTags(tags)),
      make("span", { class: "arms" }, armsOf(runs)),
      status,
      make("span", { class: "progress" }, bar, text),
      make("time", { datetime: new Date(1000 * created).toISOString() }, when(created)),
      this.#menu(experiment, stop),
    );
  }

  /**
   * What can be done with an experiment.
   * @param {BriefExperiment} experiment
   * @param {HTMLElement} stop
   */
  #menu(experiment, stop) {
    const { id, name, claim, settings, runs } = experiment;
    const button = (/** @type {string} */ testid, /** @type {string} */ label, /** @type {() => void} */ click) =>
      make("button", { type: "button", "data-testid": testid, click }, label);
    /** @type {HTMLElement[]} */
    const items = [button("edit", "Name, tags, notes…", () => edit(this.api, experiment, () => this.#show()))];
    if (claim !== null) {
      const arms = [...new Set(runs.map((run) => run.arm))];
      const href = `${this.api.root}/c/${claim}?${allOf(settings, arms)}`;
      items.push(make("a", { href, "data-testid": "duplicate" }, "Start one like it…"));
    }
    items.push(stop, button("delete", "Delete", () => void this.#delete([id])));
    return makeMenu({ sign: "⋯", label: `More about ${name}`, testid: "more", kind: "list" }, items);
  }

  /** @param {string} id @param {boolean} on */
  #mark(id, on) {
    if (on) this.marked.add(id);
    else this.marked.delete(id);
  }

  /** What can be done with all that are marked. */
  #showBulk() {
    const ids = [...this.marked];
    this.bulk.hidden = !ids.length;
    const going = (this.experiments ?? []).filter(({ id, runs }) => this.marked.has(id) && !runs.every(isDone));
    const key = `${ids}|${going.map(({ id }) => id)}`;
    if (key === this.bulk.dataset.key) return;
    this.bulk.dataset.key = key;
    const stop = make("button", { type: "button", "data-testid": "bulk-stop", click: () => void this.#stop(going.map(({ id }) => id)) }, "Stop");
    stop.disabled = !going.length;
    const clear = () => {
      this.marked.clear();
      this.#show();
    };
    this.bulk.replaceChildren(
      make("span", {}, `${ids.length} marked`),
      stop,
      make("button", { type: "button", "data-testid": "bulk-delete", click: () => void this.#delete(ids) }, "Delete"),
      make("button", { type: "button", class: "quiet", click: clear }, "None"),
    );
  }

  /** @param {string[]} ids */
  async #stop(ids) {
    await this.#guarded(async () => {
      await Promise.all(ids.map((id) => this.api.post(`/api/experiments/${encodeURIComponent(id)}/stop`)));
      this.#showBulk();
    });
  }

  /** @param {string[]} ids */
  async #delete(ids) {
    const names = (this.experiments ?? []).filter(({ id }) => ids.includes(id)).map(({ name }) => name);
    await this.#guarded(async () => {
      await Promise.all(ids.map((id) => this.api.delete(`/api/experiments/${encodeURIComponent(id)}`)));
      const what = names.length === 1 ? `“${names[0]}”` : `${names.length} experiments`;
      toast(`Deleted ${what}.`, { label: "Undo", press: () => void this.#restore(ids) });
    });
    await this.#refresh();
  }

  /** @param {string[]} ids */
  async #restore(ids) {
    await this.#guarded(async () => {
      await Promise.all(ids.map((id) => this.api.post(`/api/experiments/${encodeURIComponent(id)}/restore`)));
    });
    await this.#refresh();
  }
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
