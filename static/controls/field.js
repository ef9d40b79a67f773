/** A field of a form: how a setting is asked for, and what is wrong with what stands there. */

import { make, write } from "../element.js";
import { isList, objection, textOf } from "./settings.js";

/** @typedef {import("../types.js").Setting} Setting */

/** The option behind which a path is written: no choice is called that. */
const FILE = "a file…";

export class Field {
  /** @param {Setting} setting */
  constructor(setting) {
    const id = `setting-${setting.name}`;
    this.setting = setting;
    this.input = makeInput(setting, { id, name: setting.name, "aria-describedby": `${id}-about ${id}-wrong` });
    /** Where a file may be named instead of a choice, its path. */
    this.path = make("input", {
      class: "path", name: `${setting.name}-file`, "aria-label": `${setting.label}: path of a file`, placeholder: `/…/data${setting.suffix}`,
      autocomplete: "off", spellcheck: "false",
    });
    this.wrong = make("em", { id: `${id}-wrong`, role: "alert" });
    const line = make("span", { class: isList(setting) ? "line list" : "line" }, this.input, make("span", { class: "unit" }, setting.unit));
    const about = make("small", { id: `${id}-about` }, setting.sentence);
    const parts = [make("label", { for: id }, setting.label), line, ...(setting.suffix ? [this.path] : []), this.wrong, about];
    this.element = make("div", { class: "field" }, ...parts);
    this.text = textOf(setting.default);
    this.input.addEventListener("input", () => {
      this.#reveal();
      if (this.#named) this.path.focus();
      else this.check();
    });
    this.path.addEventListener("input", () => this.check());
  }

  /** Whether a file is named, and no choice. */
  get #named() {
    return this.setting.suffix !== "" && this.input.value === FILE;
  }

  #reveal() {
    this.path.hidden = !this.#named;
  }

  /** What stands there. */
  get text() {
    return this.#named ? this.path.value.trim() : this.input.value;
  }

  set text(text) {
    const { choices, suffix } = this.setting;
    const named = suffix !== "" && !choices?.includes(text);
    this.input.value = named ? FILE : text;
    this.path.value = named ? text : "";
    this.#reveal();
  }

  /** Say what is wrong; whether nothing is. */
  check() {
    const sentence = objection(this.setting, this.text);
    write(this.wrong, sentence);
    for (const input of [this.input, this.path]) input.setAttribute("aria-invalid", String(sentence !== ""));
    return sentence === "";
  }

  focus() {
    (this.#named ? this.path : this.input).focus();
  }
}

/** @param {Setting} setting @param {Record<string, string>} attributes */
function makeInput(setting, attributes) {
  const options = [...(setting.choices ?? []), ...(setting.suffix ? [FILE] : [])].map((choice) => make("option", {}, choice));
  if (setting.kind === "choice") return make("select", attributes, ...options);
  return make("input", { ...attributes, inputmode: isList(setting) ? "text" : "decimal", autocomplete: "off", spellcheck: "false" });
}
