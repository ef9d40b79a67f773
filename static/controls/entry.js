/** An experiment's row in the list: how it is, and what can be done with it. */

import { countAlerts } from "./alerts.js";
import { makeTags } from "./edit.js";
import { armsOf, reached } from "../data/listing.js";
import { isDone, overall, progressOf } from "../data/shown.js";
import { make, write } from "../element.js";
import { makeMenu } from "./menu.js";
import { allOf } from "./settings.js";

/** @typedef {import("../types.js").BriefExperiment} BriefExperiment */

export class Entry {
  /**
   * @param {BriefExperiment} experiment
   * @param {string} root
   * @param {{mark: (on: boolean) => void, edit: (now: BriefExperiment) => void, stop: () => void, remove: () => void}} on
   */
  constructor(experiment, root, on) {
    this.experiment = experiment;
    const { id } = experiment;
    this.box = make("input", { type: "checkbox", change: () => on.mark(this.box.checked), "data-testid": "mark" });
    this.name = make("a", { href: `${root}/e/${id}`, "data-enter": true });
    this.alerts = make("span", { class: "count", "data-testid": "count" });
    this.tags = make("span", { class: "tags" });
    this.arms = make("span", { class: "arms" });
    this.status = make("span", { class: "status" });
    this.bar = make("progress", { max: 1, "aria-label": "progress" });
    this.reached = make("span", {});
    this.time = make("time", { datetime: new Date(1000 * experiment.created).toISOString() });
    this.stop = make("button", { type: "button", "data-testid": "stop-one", click: on.stop }, "Stop");
    /** What can be done with it. @type {HTMLElement[]} */
    const items = [make("button", { type: "button", "data-testid": "edit", click: () => on.edit(this.experiment) }, "Name, tags, notes…")];
    if (experiment.claim !== null) items.push(make("a", { href: patternOf(experiment, root), "data-testid": "duplicate" }, "Start one like it…"));
    items.push(this.stop, make("button", { type: "button", "data-testid": "delete", click: on.remove }, "Delete"));
    this.menu = makeMenu({ sign: "⋯", label: "More about it", testid: "more", kind: "list" }, items);
    this.element = make(
      "div",
      { class: "experiment-row", "data-testid": "experiment-row", "data-experiment": id },
      this.box,
      make("span", { class: "title" }, this.name, this.alerts, this.tags),
      this.arms,
      this.status,
      make("span", { class: "progress" }, this.bar, this.reached),
      this.time,
      this.menu,
    );
  }

  /**
   * Show how the experiment is now.
   * @param {BriefExperiment} experiment
   * @param {boolean} marked
   */
  show(experiment, marked) {
    this.experiment = experiment;
    const { name, tags, notes, runs, created } = experiment;
    this.box.checked = marked;
    this.box.setAttribute("aria-label", `Mark ${name}`);
    this.menu.querySelector("summary")?.setAttribute("aria-label", `More about ${name}`);
    write(this.name, name);
    this.name.title = notes;
    if (this.tags.dataset.key !== tags.join(" ")) {
      this.tags.dataset.key = tags.join(" ");
      this.tags.replaceChildren(...makeTags(tags));
    }
    write(this.arms, armsOf(runs));
    const now = overall(runs);
    const done = progressOf(runs);
    this.status.dataset.status = now;
    write(this.status, now === "running" ? "live" : now);
    this.bar.value = done || 0;
    this.bar.hidden = Number.isNaN(done);
    write(this.reached, reached(runs));
    this.stop.hidden = runs.every(isDone);
    countAlerts(this.alerts, runs);
    write(this.time, when(created));
  }
}

/**
 * Where one like it can be started.
 * @param {BriefExperiment} experiment
 * @param {string} root
 */
function patternOf({ claim, settings, runs }, root) {
  return `${root}/c/${claim}?${allOf(settings, [...new Set(runs.map((run) => run.arm))])}`;
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
