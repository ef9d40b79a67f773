/** The form that starts an experiment, made from the claim's sizes, arms and settings. */

import { ApiError } from "../server/api.js";
import { make, write } from "../element.js";
import { Field } from "./field.js";
import { beginning, changes, countRuns, formatForm, objection, parseForm, roughly, valueOf } from "./settings.js";

/**
 * @typedef {import("../types.js").Claim} Claim
 * @typedef {import("../types.js").Experiment} Experiment
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {(experiment: Experiment) => void} Started
 */

/** Milliseconds without a change after which the server is asked how long it would take. */
const PAUSE = 250;

/** @param {Claim} claim */
function makeArms(claim) {
  return claim.arms.map((arm) => {
    const box = make("input", { type: "checkbox", name: "arm", value: arm.name, checked: claim.default_arms.includes(arm.name) });
    const own = claim.settings.filter(({ name }) => name in arm.changes).map(({ name, label }) => `${label} ${arm.changes[name]}`);
    const sentence = own.length ? `${arm.sentence} Whatever the settings say: ${own.join(", ")}.` : arm.sentence;
    const text = make("span", {}, make("b", {}, arm.name), " ", make("small", {}, sentence));
    return { box, element: make("label", { class: "choice" }, box, text) };
  });
}

/** The parts of a form, and what a person has put into them. */
class Form {
  /**
   * @param {Claim} claim
   * @param {Api} api
   * @param {Started} started
   */
  constructor(claim, api, started) {
    this.claim = claim;
    this.api = api;
    this.started = started;
    /** The size that was chosen; null if nobody was asked. @type {string | null} */
    this.size = null;
    this.fields = claim.settings.map((setting) => new Field(setting));
    this.arms = makeArms(claim);
    this.button = make("button", { class: "primary start", "data-testid": "start", type: "submit" }, "Start");
    this.time = make("small", { class: "time", "data-testid": "time", role: "status" });
    this.error = make("p", { class: "error", role: "alert", "data-testid": "error", hidden: true });
    this.legend = make("fieldset", {}, make("legend", {}, "Arms"), ...this.arms.map((arm) => arm.element));
    this.grid = make("div", { class: "fields" }, ...this.fields.map((field) => field.element));
    this.settings = make("details", { class: "settings" }, make("summary", {}, "Settings"));
    this.element = make("form", { class: "card", novalidate: true });
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /** Whether it can be started as it is. */
  get sound() {
    return this.chosen.length > 0 && this.fields.every(({ setting, text }) => !objection(setting, text));
  }

  /** What the server is asked for. */
  get body() {
    const { chosen, claim, size } = this;
    const settings = changes(this.values, beginning(claim, size).values);
    return { claim: claim.number, settings, arms: chosen, ...(size !== null && { size }) };
  }

  /** Say how long it would take, once a person has paused. */
  estimate() {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => void this.#estimate(), PAUSE);
  }

  async #estimate() {
    const { asking, body } = this;
    let sentence = "";
    try {
      /** @type {{seconds: number | null, basis: number}} */
      const { seconds, basis } = this.sound ? await this.api.post("/api/estimate", body) : { seconds: null, basis: 0 };
      if (asking !== this.asking) return; // something else has been asked meanwhile
      if (this.sound) sentence = seconds === null ? "no estimate yet" : `about ${roughly(seconds)}`;
      this.time.title = seconds === null ? "Nothing like it has run here; once something has, this says how long it takes" : `As the ${basis} runs most like these took here, ${basis === 1 ? "one" : "the median"} a step`;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // Start will say what is wrong
    }
    write(this.time, sentence);
  }

  get values() {
    return Object.fromEntries(this.fields.map(({ setting, text }) => [setting.name, valueOf(setting, text)]));
  }

  get chosen() {
    return this.arms.filter((arm) => arm.box.checked).map((arm) => arm.box.value);
  }

  /**
   * Begin anew with a size, or with what an address says.
   * @param {string} size
   * @param {{texts: Record<string, string>, arms: string[]}} [given]
   */
  begin(size, given = parseForm(this.claim, new URLSearchParams({ size }))) {
    this.size = size;
    this.fill(given);
  }

  /** @param {{texts: Record<string, string>, arms: string[]}} given */
  fill({ texts, arms }) {
    for (const field of this.fields) {
      field.text = texts[field.setting.name];
      field.check();
    }
    for (const { box } of this.arms) box.checked = arms.includes(box.value);
  }

  /** Let the address hold what was changed; what others put there stays. */
  keepAddress() {
    const { claim, size } = this;
    const query = new URLSearchParams(location.search);
    for (const name of ["size", "arms", ...claim.settings.map((setting) => setting.name)]) query.delete(name);
    const texts = Object.fromEntries(this.fields.map(({ setting, text }) => [setting.name, text]));
    for (const [name, value] of formatForm(claim, { size: size ?? Object.keys(claim.sizes)[0], texts, arms: this.chosen })) query.set(name, value);
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
  }

  /** @param {string} sentence */
  say(sentence) {
    write(this.error, sentence);
    this.error.hidden = !sentence;
  }

  /** Ask the server to start the experiment; the button says so meanwhile. */
  async #submit() {
    const wrong = this.fields.filter((field) => !field.check());
    const { chosen } = this;
    this.say(chosen.length ? "" : "Choose at least one arm.");
    if (wrong.length || !chosen.length) {
      this.settings.open = true;
      return wrong[0]?.focus();
    }
    this.button.disabled = true;
    write(this.button, "Starting…");
    try {
      this.started(await this.api.post("/api/experiments", this.body));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.say(error.message);
      this.button.disabled = false;
      write(this.button, "Start");
    }
  }
}

/**
 * A card with a claim and the button that tries it.
 * @param {Claim} claim
 * @param {Api} api
 * @param {Started} started
 */
export function makeCard(claim, api, started) {
  const form = new Form(claim, api, started);
  const about = make("a", { href: `${api.root}/c/${claim.number}` }, "About this claim");
  const measures = make("p", { class: "measures" }, claim.measures, " ", about);
  const text = make("div", {}, make("h2", {}, claim.title, " ", make("span", { "data-claim": claim.number })), make("p", {}, claim.sentence), measures);
  form.settings.append(form.legend, form.grid);
  const start = make("div", { class: "go" }, form.button, form.time);
  form.element.append(make("div", { class: "head" }, text, start), form.error, form.settings);
  const query = new URLSearchParams(location.search);
  const told = ["arms", ...claim.settings.map(({ name }) => name)].some((name) => query.has(name));
  query.delete("size"); // it has none but the first
  form.fill(parseForm(claim, query));
  form.settings.open = told; // what somebody has changed is to be seen
  form.element.addEventListener("input", () => {
    form.estimate();
    form.keepAddress();
  });
  form.estimate();
  return form.element;
}

/**
 * The form of a claim's own page: sizes to begin with, every arm and setting in sight.
 * @param {Claim} claim
 * @param {Api} api
 * @param {Started} started
 */
export function makeForm(claim, api, started) {
  const form = new Form(claim, api, started);
  const about = make("p", { "data-testid": "size-about" });
  const count = make("p", { class: "count", "data-testid": "count", role: "status" });
  const given = parseForm(claim, new URLSearchParams(location.search));
  const recount = () => {
    if (form.sound) write(count, countRuns(claim, form.values, form.chosen.length));
    form.estimate();
    form.keepAddress();
  };
  const choose = (/** @type {string} */ size) => {
    form.begin(size);
    write(about, claim.sizes[size].sentence);
    recount();
  };
  const sizes = Object.keys(claim.sizes).map((size) => {
    const box = make("input", { type: "radio", name: "size", value: size, checked: size === given.size, change: () => choose(size) });
    return make("label", {}, box, make("span", {}, size));
  });
  const segments = make("div", { class: "segments", role: "radiogroup", "aria-label": "Size" }, ...sizes);
  const head = make("div", { class: "head" }, make("div", {}, make("h2", {}, "Try it"), segments, about, count), make("div", { class: "go" }, form.button, form.time));
  form.settings.append(form.grid);
  form.settings.open = true;
  form.element.append(head, form.error, form.legend, form.settings);
  form.element.addEventListener("input", recount);
  form.begin(given.size, given);
  write(about, claim.sizes[given.size].sentence);
  recount();
  return form.element;
}
