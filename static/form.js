/** The form that starts an experiment, made from the claim's settings. */

import { ApiError } from "./api.js";
import { make, write } from "./element.js";

/**
 * @typedef {import("./types.js").Claim} Claim
 * @typedef {import("./types.js").Setting} Setting
 * @typedef {import("./types.js").Experiment} Experiment
 * @typedef {number | string | number[]} Value
 */

/**
 * What is wrong with a text for a setting, in a sentence; empty if nothing is.
 * @param {Setting} setting
 * @param {string} text
 */
export function objection(setting, text) {
  if (setting.kind === "choice") return "";
  const parts = setting.kind === "ints" ? text.split(",") : [text];
  for (const part of parts) {
    const value = Number(part);
    if (!part.trim() || !Number.isFinite(value)) return "A number is needed.";
    if (setting.kind !== "float" && !Number.isInteger(value)) return "A whole number is needed.";
    if (setting.low !== null && value < setting.low) return `At least ${setting.low}.`;
    if (setting.high !== null && value > setting.high) return `At most ${setting.high}.`;
  }
  return "";
}

/**
 * @param {Setting} setting
 * @param {string} text
 * @returns {Value}
 */
export function valueOf(setting, text) {
  if (setting.kind === "choice") return text;
  return setting.kind === "ints" ? text.split(",").map(Number) : Number(text);
}

/** @param {Setting} setting */
function makeField(setting) {
  const id = `setting-${setting.name}`;
  const attributes = { id, name: setting.name, "aria-describedby": `${id}-about` };
  const input =
    setting.kind === "choice"
      ? make("select", attributes, ...(setting.choices ?? []).map((choice) => make("option", { selected: choice === setting.default }, choice)))
      : make("input", { ...attributes, inputmode: "decimal", autocomplete: "off", value: String(setting.default) });
  const wrong = make("em", { role: "alert" });
  const line = make("span", { class: "line" }, input, make("span", { class: "unit" }, setting.unit));
  const about = make("small", { id: `${id}-about` }, setting.sentence);
  const element = make("div", { class: "field" }, make("label", { for: id }, setting.label), line, about, wrong);
  const check = () => {
    const sentence = objection(setting, input.value);
    write(wrong, sentence);
    input.setAttribute("aria-invalid", String(sentence !== ""));
    return sentence === "";
  };
  input.addEventListener("input", check);
  return { setting, input, element, check };
}

/** @param {Claim} claim */
function makeArms(claim) {
  return claim.arms.map((arm) => {
    const box = make("input", { type: "checkbox", value: arm.name, checked: claim.default_arms.includes(arm.name) });
    const text = make("span", {}, make("b", {}, arm.name), " ", make("small", {}, arm.sentence));
    return { box, element: make("label", { class: "choice" }, box, text) };
  });
}

/**
 * A card with a claim and the button that tries it.
 * @param {Claim} claim
 * @param {import("./api.js").Api} api
 * @param {(experiment: Experiment) => void} started
 */
export function makeCard(claim, api, started) {
  const fields = claim.settings.map(makeField);
  const arms = makeArms(claim);
  const button = make("button", { class: "primary start", "data-testid": "start", type: "submit" }, "Start");
  const error = make("p", { class: "error", role: "alert", "data-testid": "error", hidden: true });
  const settings = make(
    "details",
    { class: "settings" },
    make("summary", {}, "Settings"),
    make("fieldset", {}, make("legend", {}, "Arms"), ...arms.map((arm) => arm.element)),
    make("div", { class: "fields" }, ...fields.map((field) => field.element)),
  );
  const say = (/** @type {string} */ sentence) => {
    write(error, sentence);
    error.hidden = !sentence;
  };
  const submit = () => {
    const wrong = fields.filter((field) => !field.check());
    const chosen = arms.filter((arm) => arm.box.checked).map((arm) => arm.box.value);
    say(chosen.length ? "" : "Choose at least one arm.");
    if (wrong.length || !chosen.length) {
      settings.open = true;
      return wrong[0]?.input.focus();
    }
    const values = Object.fromEntries(fields.map(({ setting, input }) => [setting.name, valueOf(setting, input.value)]));
    return start({ claim: claim.number, settings: values, arms: chosen }, { api, button, say, started });
  };
  const head = make("div", { class: "head" }, makeText(claim), button);
  const form = make("form", { class: "card", novalidate: true }, head, error, settings);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  return form;
}

/** @param {Claim} claim */
function makeText({ title, sentence, measures }) {
  return make("div", {}, make("h2", {}, title), make("p", {}, sentence), make("p", { class: "measures" }, measures));
}

/**
 * Ask the server to start an experiment; the button says so meanwhile.
 * @param {object} body
 * @param {{api: import("./api.js").Api, button: HTMLButtonElement, say: (sentence: string) => void,
 *          started: (experiment: Experiment) => void}} card
 */
async function start(body, { api, button, say, started }) {
  button.disabled = true;
  write(button, "Starting…");
  try {
    started(await api.post("/api/experiments", body));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(error.message);
    button.disabled = false;
    write(button, "Start");
  }
}
