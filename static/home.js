/** The home page: what can be started, and what has been. */

import { Api } from "./server/api.js";
import { data, find } from "./element.js";
import { offerAccess } from "./controls/access.js";
import { enter, openInPlace, prepare } from "./controls/enter.js";
import { ExperimentList } from "./controls/experiments.js";
import { makeCard } from "./controls/form.js";
import { keepTheme } from "./controls/theme.js";
import { judge } from "./controls/verdicts.js";

/** @type {{claim: import("./types.js").Claim, root: string, plotly: string, static: string, ahead: string[]}} */
const page = data("page");
const api = new Api(page.root);

keepTheme(find("theme", HTMLButtonElement), () => {});
offerAccess(find("access", HTMLButtonElement), api);
prepare(page.plotly, page.ahead.map((path) => `${page.static}/${path}`));
const list = new ExperimentList(api, {
  empty:
    "Nothing has been trained yet. Press Start above: two small nets begin to learn, and their layers appear within a second. " +
    "Or watch your own net: put normscope.watch(model) around its training loop, and it is listed here.",
  known: (experiments) => void judge(api, experiments),
});
const open = (/** @type {string} */ path) => void enter(path, () => list.close());
openInPlace(open);
const started = (/** @type {{id: string}} */ { id }) => open(`${page.root}/e/${id}`);
find("claims", HTMLElement).append(makeCard(page.claim, api, started));
