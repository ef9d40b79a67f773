/** A list of experiments that follows what happens to them, and lets a person put them in order. */

import { ApiError } from "../server/api.js";
import { edit } from "./edit.js";
import { Entry } from "./entry.js";
import { formatOrder, holds, KEYS, parseOrder, sorted } from "../data/listing.js";
import { isDone } from "../data/shown.js";
import { find, make, place, write } from "../element.js";
import { Listed } from "../server/listed.js";
import { LiveSocket } from "../server/socket.js";
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
    /** Rows by their experiment's id: one that were made anew would slip from under a pointer. @type {Map<string, Entry>} */
    this.entries = new Map();
    /** Those that have a row now, in order. @type {BriefExperiment[]} */
    this.shown = [];
    this.all = make("input", { type: "checkbox", change: () => this.#markAll(), "aria-label": "Mark all", "data-testid": "mark-all" });
    this.titles = KEYS.map((column) => this.#makeTitle(column));
    this.head = make("div", { class: "experiment-head" }, this.all, ...this.titles, make("span", {}));
    /** Ids of those whose row is old. @type {Set<string>} */
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
      if (this.live.open) this.#say(""); // the answer may come after the connection has gone
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
    this.old.add(experiment.id);
  }

  #renew() {
    for (const experiment of this.shown) if (this.old.has(experiment.id)) this.#entry(experiment);
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
    for (const id of this.entries.keys()) if (!known.has(id)) this.entries.delete(id);
    const found = sorted(experiments, this.order).filter((experiment) => holds(experiment, this.search.value));
    this.shown = this.whole || this.search.value.trim() || found.length <= FIRST + 2 ? found : found.slice(0, FIRST);
    this.#renewHead();
    place(this.list, found.length ? [this.head, ...this.shown.map((one) => this.#entry(one)), ...this.#rest(found.length)] : [this.#nothing()]);
  }

  /** What stands there where no row does. */
  #nothing() {
    if (!this.experiments?.length) return make("p", { class: "empty" }, this.options.empty);
    return make("p", { class: "empty", role: "status" }, "No experiment has all these words.");
  }

  /** The button for those that are not shown, if there are any. @param {number} count */
  #rest(count) {
    if (this.shown.length === count) return [];
    const click = () => {
      this.whole = true;
      this.#show();
    };
    return [make("button", { type: "button", class: "rest", "data-testid": "show-all", click }, `Show all ${count}`)];
  }

  /**
   * A column's name, by which the list is sorted.
   * @param {(typeof KEYS)[number]} column
   */
  #makeTitle([key, downFirst]) {
    const click = () => {
      this.order = { key, down: this.order.key === key ? !this.order.down : downFirst };
      this.#arrange();
    };
    return make("button", { type: "button", class: "quiet", title: `Sort by ${key}`, "data-testid": `sort-${key}`, click });
  }

  #markAll() {
    for (const { id } of this.shown) this.#mark(id, this.all.checked);
    this.#show();
  }

  #renewHead() {
    this.all.checked = this.shown.every(({ id }) => this.marked.has(id));
    KEYS.forEach(([key], at) => {
      const chosen = this.order.key === key;
      write(this.titles[at], key + (chosen ? (this.order.down ? " ↓" : " ↑") : ""));
      this.titles[at].setAttribute("aria-pressed", String(chosen));
    });
  }

  /** An experiment's row, which stays the same element as long as the experiment is listed. @param {BriefExperiment} experiment */
  #entry(experiment) {
    const { id } = experiment;
    const entry = this.entries.get(id) ?? new Entry(experiment, this.api.root, {
      mark: (on) => {
        this.#mark(id, on);
        this.#renewHead();
        this.#showBulk();
      },
      edit: (now) => edit(this.api, now, (words) => {
        this.listed.describe(id, words);
        this.#show();
      }),
      stop: () => void this.#stop([id]),
      remove: () => void this.#delete([id]),
    });
    this.entries.set(id, entry);
    entry.show(experiment, this.marked.has(id));
    return entry.element;
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
    const answers = await Promise.allSettled(ids.map((id) => this.api.delete(`/api/experiments/${encodeURIComponent(id)}`)));
    const gone = ids.filter((_, i) => answers[i].status === "fulfilled");
    if (gone.length) {
      const what = names.length === 1 ? `“${names[0]}”` : gone.length === 1 ? "one experiment" : `${gone.length} experiments`;
      toast(`Deleted ${what}.`, { label: "Undo", press: () => void this.#restore(gone) });
    }
    await this.#refresh();
    const refused = answers.find((answer) => answer.status === "rejected");
    if (refused) await this.#guarded(() => Promise.reject(refused.reason));
  }

  /** @param {string[]} ids */
  async #restore(ids) {
    await this.#guarded(async () => {
      await Promise.all(ids.map((id) => this.api.post(`/api/experiments/${encodeURIComponent(id)}/restore`)));
    });
    await this.#refresh();
  }
}
