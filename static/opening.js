/** What an experiment's page begins with: its state, and the histories that it shows first. Small, so that these are asked for before the rest of the page is here. */

import { Api } from "./server/api.js";
import { data } from "./element.js";
import { SavedApi } from "./server/saved.js";
import { State } from "./data/state.js";

/** @type {import("./types.js").PageData} */
export const page = data("page");
const { saved } = page;
export const api = saved ? new SavedApi(saved) : new Api(page.root, page.link);
export const state = new State(page.experiment, location.search || (saved?.view ?? ""), saved?.arms);

if (!saved) {
  for (const run of state.runs) if (run.last_seq >= 0) api.ahead(run.id, { points: state.whole(run.id).limit });
}
