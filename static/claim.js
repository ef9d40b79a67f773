/** A claim's own page: its rule in words, the form that tries it, and its experiments. */

import { Api } from "./server/api.js";
import { method, sentenceOf } from "./tabs/criterion.js";
import { data, find, make } from "./element.js";
import { offerAccess } from "./controls/access.js";
import { enter, openInPlace, prepare } from "./controls/enter.js";
import { ExperimentList } from "./controls/experiments.js";
import { makeForm } from "./controls/form.js";
import { keepTheme } from "./controls/theme.js";
import { judge } from "./controls/verdicts.js";

/** @type {{claim: import("./types.js").Claim, root: string, plotly: string, static: string, ahead: string[]}} */
const page = data("page");
const api = new Api(page.root);

keepTheme(find("theme", HTMLButtonElement), () => {});
offerAccess(find("access", HTMLButtonElement), api);
prepare(page.plotly, page.ahead.map((path) => `${page.static}/${path}`));
for (const decisive of [true, false]) {
  const criteria = page.claim.rule.filter((criterion) => criterion.decisive === decisive);
  find(decisive ? "decisive" : "beside", HTMLElement).append(...criteria.map(makeCriterion));
}
const list = new ExperimentList(api, {
  claim: page.claim.number,
  empty: "None yet. Press Start: it is listed here from its first step.",
  known: (experiments) => void judge(api, experiments),
});
const open = (/** @type {string} */ path) => void enter(path, () => list.close());
openInPlace(open);
const started = (/** @type {{id: string}} */ { id }) => open(`${page.root}/e/${id}`);
find("form", HTMLElement).append(makeForm(page.claim, api, started));

/** @param {import("./types.js").Criterion} criterion */
function makeCriterion(criterion) {
  return make("li", {}, make("b", {}, criterion.name), `: ${sentenceOf(criterion)}`, make("small", {}, method(criterion)));
}
