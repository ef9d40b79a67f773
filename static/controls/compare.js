/** What a page that compares runs has beside: a list of all others, to add one. */

import { find, make } from "../element.js";
import { labelOf } from "../data/shown.js";

/**
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 */

/**
 * Offer every run that is not shown yet; choosing one opens the page with it.
 * @param {Api} api
 * @param {string[]} ids of the runs that are compared
 */
export async function offerRuns(api, ids) {
  const select = find("add-run", HTMLSelectElement);
  /** @type {{experiments: BriefExperiment[]}} */
  const { experiments } = await api.get("/api/experiments");
  for (const { name, runs } of experiments) {
    const others = runs.filter((run) => !ids.includes(run.id));
    const options = others.map((run) => make("option", { value: run.id }, labelOf(run, [...Object.keys(run.varied), "seed"])));
    if (options.length) select.append(make("optgroup", { label: name }, ...options));
  }
  select.addEventListener("change", () => {
    location.assign(`${api.root}/compare/${[...ids, select.value].map(encodeURIComponent).join(",")}${location.search}`);
  });
}
