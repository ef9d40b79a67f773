/** The tab of the finding: the verdict, what it rests on, and all that is needed to check and to repeat it. */

import { ApiError } from "../server/api.js";
import { method, sentenceOf, wanted, whyNone } from "./criterion.js";
import { copy, make, write } from "../element.js";
import { makeInterval } from "../charts/interval.js";
import { stillMenu } from "../charts/take.js";
import { makeMap, numbersOf } from "./map.js";
import { makeTable, toCsv } from "./outcomes.js";
import { number } from "../lines/scale.js";
import { isDone } from "../data/shown.js";
import { makeVerdict } from "../controls/verdicts.js";

/**
 * @typedef {import("../types.js").Evidence} Evidence
 * @typedef {import("../types.js").Finding} Finding
 * @typedef {import("../types.js").Claim} Claim
 */

/** Least milliseconds between two questions to the server, which resamples for each answer. */
const PERIOD = 3000;
const LEGEND =
  "Each dot is a seed; the diamond is their mean with its bootstrap interval at 95 %. Tinted is the side that the claim " +
  "expects: the interval must lie there for it to be supported, on the other for it to be contradicted.";

export class FindingTab {
  /**
   * @param {import("../data/state.js").State} state
   * @param {import("../server/api.js").Api} api
   * @param {Claim} claim
   */
  constructor(state, api, claim) {
    this.state = state;
    this.api = api;
    this.claim = claim;
    this.note = make("p", { class: "empty" }, "Weighing what has been measured…");
    this.content = make("div", { class: "content" });
    this.element = make("section", { class: "finding", "data-testid": "finding" }, this.note, this.content);
    /** How many runs were done when the finding was asked for; -1 before. */
    this.weighed = -1;
    this.askedAt = -PERIOD;
    /** What was weighed last. @type {Finding | null} */
    this.finding = null;
    this.map = make("div", { class: "mapped" });
    this.mapped = "";
  }

  arrange() {
    this.reveal();
    if (this.finding) this.#map();
  }

  /** Ask again if runs have ended meanwhile. */
  reveal() {
    const done = this.state.experiment.runs.filter(isDone).length;
    if (done === this.weighed || this.waiting || this.element.hidden) return;
    this.waiting = setTimeout(() => void this.#ask(done), Math.max(0, this.askedAt + PERIOD - performance.now()));
  }

  /** @param {number} done */
  async #ask(done) {
    this.askedAt = performance.now();
    this.weighed = done;
    try {
      this.#show(await this.api.get(`/api/experiments/${encodeURIComponent(this.state.experiment.id)}/finding`));
      this.note.hidden = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      write(this.note, error.message);
      this.note.hidden = false;
      this.weighed = -1; // asked again when the tab is looked at anew
      this.waiting = undefined;
      return;
    }
    this.waiting = undefined;
    this.reveal();
  }

  /** @param {Finding} finding */
  #show(finding) {
    this.finding = finding;
    this.mapped = "";
    const opened = new Set([...this.content.querySelectorAll("details[open]")].map(({ className }) => className));
    const decisive = finding.evidence.filter((evidence) => evidence.decisive);
    const beside = finding.evidence.filter((evidence) => !evidence.decisive);
    this.content.replaceChildren(
      makeHead(finding),
      make("p", { class: "literature" }, make("b", {}, "Found before: "), this.claim.literature),
      makeCriteria("What the verdict rests on", decisive, this.state.experiment),
      make("p", { class: "sentence" }, LEGEND),
      ...(beside.length ? [makeCriteria("Beside it", beside, this.state.experiment)] : []),
      this.map,
      makeNumbers(finding, this.state.experiment.id),
      makeRepeat(finding, this.claim),
    );
    for (const details of this.content.querySelectorAll("details")) details.open = opened.has(details.className);
    this.#map();
  }

  /** Show the number that the address names, or the one that the claim is about. */
  #map() {
    const { evidence = [], outcomes = [] } = this.finding ?? {};
    const known = numbersOf(outcomes);
    const name = [this.state.view.map, this.claim.mapped, evidence.find(({ decisive }) => decisive)?.of].find((one) => one && known.includes(one)) ?? known[0] ?? "";
    if (name === this.mapped) return;
    const focused = this.map.contains(document.activeElement);
    this.mapped = name;
    this.map.replaceChildren(...makeMap(outcomes, name, (map) => this.state.show({ map })));
    this.map.hidden = !this.map.childElementCount;
    if (focused) this.map.querySelector("select")?.focus();
  }
}

/** @param {Finding} finding */
function makeHead({ verdict, reason, seeds, min_seeds }) {
  const enough = seeds.planned < min_seeds ? ` A verdict needs at least ${min_seeds}: start the experiment with more.` : "";
  const text = `${seeds.done} of ${seeds.planned} ${seeds.planned === 1 ? "seed is" : "seeds are"} in.${enough}`;
  const because = make("p", { class: "reason" }, `${reason[0].toUpperCase()}${reason.slice(1)}.`);
  return make("header", {}, makeVerdict(verdict), make("div", {}, because, make("p", { class: "seeds" }, text)));
}

/** @param {string} title @param {Evidence[]} evidence @param {import("../types.js").Experiment} experiment */
function makeCriteria(title, evidence, experiment) {
  const list = make("ul", { class: "criteria" }, ...evidence.map((found) => makeCriterion(found, experiment)));
  return make("section", {}, make("h2", {}, title), list);
}

/** @param {Evidence} evidence @param {import("../types.js").Experiment} experiment */
function makeCriterion(evidence, experiment) {
  const { name, estimate, low, high, unit, seeds, missing } = evidence;
  const interval = low === null || high === null ? "no interval yet" : `${number(low)} to ${number(high)}`;
  const value = estimate === null ? "–" : `${number(estimate)}${unit && ` ${unit}`}`;
  const count = Object.keys(seeds).length;
  const lacking = missing.length ? ` · no number in ${missing.length} of ${count + missing.length} seeds` : "";
  const about = make("small", { title: sentenceOf(evidence) }, `expected: ${wanted(evidence)} · ${method(evidence)}${lacking}`);
  return make(
    "li",
    { "data-testid": "criterion", "data-verdict": evidence.verdict },
    make("div", { class: "what" }, make("b", {}, name), about),
    count
      ? makePictured(evidence, experiment.name, `${value} (${interval}), ${evidence.verdict}`)
      : make("span", { class: "interval none" }, whyNone(evidence, experiment.runs)),
    make("div", { class: "value", title: "Mean over seeds, with its 95 % interval" }, make("b", {}, value), make("small", {}, interval)),
    makeVerdict(evidence.verdict),
  );
}

/** An interval, which may be saved. @param {Evidence} evidence @param {string} experiment @param {string} words what came out */
function makePictured(evidence, experiment, words) {
  const drawing = makeInterval(evidence);
  const menu = stillMenu({
    drawing,
    about: evidence.name,
    names: () => [experiment, evidence.name],
    heading: () => [evidence.name, `${words}; expected ${wanted(evidence)}; ${experiment}`],
    csv: () => [["seed", "effect"], ...Object.entries(evidence.seeds)].map((row) => `${row.join()}\r\n`).join(""),
  });
  return make("div", { class: "pictured" }, drawing, menu);
}

/** @param {Finding} finding @param {string} experiment */
function makeNumbers({ outcomes }, experiment) {
  const details = make("details", { class: "numbers" }, make("summary", {}, `Numbers of all ${outcomes.length} runs`));
  const save = () => {
    const address = URL.createObjectURL(new Blob([toCsv(outcomes)], { type: "text/csv" }));
    make("a", { href: address, download: `normscope-${experiment}.csv` }).click();
    URL.revokeObjectURL(address);
  };
  details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const button = make("button", { "data-testid": "csv", click: save }, "Download as CSV");
    details.append(button, make("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Numbers of all runs" }, makeTable(outcomes)));
  });
  return details;
}

/** @param {Finding} finding @param {Claim} claim */
function makeRepeat({ command, settings, own, versions }, claim) {
  const field = make("input", { readonly: true, value: command, "aria-label": "Command that repeats this", "data-testid": "command" });
  const note = make("small", { role: "status" });
  const button = make("button", { click: async () => write(note, await copy(field)) }, "Copy");
  const values = claim.settings.flatMap(({ name, label, unit }) => {
    const value = settings[name];
    return value === undefined ? [] : [make("div", {}, make("dt", {}, label), make("dd", {}, `${[value].flat().join(", ")} ${unit}`))];
  });
  for (const [arm, fields] of Object.entries(own)) {
    const text = claim.settings.flatMap(({ name, label, unit }) => (name in fields ? [`${label} ${fields[name]} ${unit}`.trim()] : []));
    values.push(make("div", { class: "own" }, make("dt", {}, `${arm}, of its own`), make("dd", {}, text.join(", "))));
  }
  const machines = versions.map((found) => make("p", {}, Object.entries(found).map(([name, version]) => `${name} ${version}`).join(" · ")));
  return make(
    "section",
    {},
    make("h2", {}, "To repeat it"),
    make("div", { class: "copy" }, field, button),
    note,
    make("details", { class: "settings" }, make("summary", {}, "Settings"), make("dl", {}, ...values)),
    make("details", { class: "versions" }, make("summary", {}, "Versions and hardware"), ...machines),
  );
}
