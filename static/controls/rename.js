/** Giving an experiment another name, where its name stands. */

import { ApiError } from "../server/api.js";
import { find, make, write } from "../element.js";

/**
 * @param {import("../server/api.js").Api} api
 * @param {import("../types.js").Experiment} experiment
 * @param {(sentence: string) => void} say what went wrong
 */
export function allowRenaming(api, experiment, say) {
  const title = find("title", HTMLElement);
  const button = find("rename", HTMLButtonElement);
  button.addEventListener("click", () => {
    const input = make("input", { value: experiment.name, maxlength: 200, "aria-label": "Name of the experiment", "data-testid": "name" });
    title.replaceWith(input);
    button.hidden = true;
    input.select();
    let ended = false;
    const end = async (/** @type {boolean} */ keep) => {
      if (ended) return;
      ended = true;
      const name = input.value.trim();
      if (keep && name && name !== experiment.name) {
        try {
          experiment.name = (await api.patch(`/api/experiments/${encodeURIComponent(experiment.id)}`, { name })).name;
          say("");
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          say(`Could not rename it. ${error.message}`);
        }
      }
      write(title, experiment.name);
      title.title = experiment.name;
      document.title = `${experiment.name} · Normscope`;
      input.replaceWith(title);
      button.hidden = false;
      button.focus();
    };
    input.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") void end(true);
      if (key === "Escape") void end(false);
    });
    input.addEventListener("blur", () => void end(true));
  });
}
