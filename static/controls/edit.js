/** The dialog for what people write about an experiment: its name, tags and notes. */

import { ApiError } from "../server/api.js";
import { make, write } from "../element.js";

/**
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {Pick<BriefExperiment, "name" | "tags" | "notes">} Described
 */

/**
 * Words with blanks or commas between, each once.
 * @param {string} text
 */
export function tagsOf(text) {
  return [...new Set(text.split(/[\s,]+/).filter(Boolean))];
}

/** @param {string[]} tags */
export function makeTags(tags) {
  return tags.map((tag) => make("span", { class: "tag" }, tag));
}

/**
 * Let a person write.
 * @param {Api} api
 * @param {Described & {id: string}} experiment
 * @param {(words: Described) => void} kept called with what the server keeps
 */
export function edit(api, experiment, kept) {
  const name = make("input", { name: "name", maxlength: 200, "data-testid": "name", required: true });
  const tags = make("input", { name: "tags", "data-testid": "tags", placeholder: "e.g. course week-3", autocomplete: "off" });
  const notes = make("textarea", { name: "notes", rows: 6, maxlength: 10_000, "data-testid": "notes-field" });
  Object.assign(name, { value: experiment.name });
  Object.assign(tags, { value: experiment.tags.join(" ") });
  Object.assign(notes, { value: experiment.notes });
  const wrong = make("p", { class: "error", role: "alert", hidden: true });
  const cancel = make("button", { type: "button", click: () => dialog.close() }, "Cancel");
  const save = make("button", { class: "primary", type: "submit", "data-testid": "keep" }, "Save");
  const form = make(
    "form",
    { class: "edit" },
    make("label", {}, "Name", name),
    make("label", {}, "Tags", tags, make("small", {}, "Words with blanks between.")),
    make("label", {}, "Notes", notes),
    wrong,
    make("div", { class: "buttons" }, cancel, save),
  );
  const dialog = make("dialog", { "aria-label": "About this experiment", "data-testid": "edit-dialog" }, make("h2", {}, "About this experiment"), form);
  dialog.addEventListener("close", () => dialog.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    try {
      const changes = { name: name.value.trim() || experiment.name, tags: tagsOf(tags.value), notes: notes.value.trim() };
      /** @type {Described} */
      const now = await api.patch(`/api/experiments/${encodeURIComponent(experiment.id)}`, changes);
      dialog.close();
      kept({ name: now.name, tags: now.tags, notes: now.notes });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      write(wrong, error.message);
      wrong.hidden = false;
      save.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  name.select();
}
