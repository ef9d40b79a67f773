/** Verdicts: how they look, and those of experiments that have ended. */

import { ApiError } from "../server/api.js";
import { make, makeSvg } from "../element.js";
import { isDone } from "../data/shown.js";

/**
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {import("../types.js").Verdict} Verdict
 */

/** A sign for each, so that colour is not all that tells them apart. */
const SIGNS = { supported: "M4 10.5l4 4 8-9", contradicted: "M5 5l10 10M15 5L5 15", undecided: "M5 10h10" };
/** As in normscope/findings.py: with fewer there is no verdict. */
const MIN_SEEDS = 5;

/** @param {Verdict} verdict */
export function makeVerdict(verdict) {
  const svg = makeSvg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" });
  svg.append(makeSvg("path", { d: SIGNS[verdict] }));
  return make("span", { class: "verdict", "data-testid": "verdict", "data-verdict": verdict }, svg, verdict);
}

/**
 * Whether an experiment has ended with seeds enough for a verdict. Pure.
 * @param {BriefExperiment} experiment
 */
export function isDecidable({ claim, runs }) {
  return claim !== null && runs.every(isDone) && finishedSeeds(runs) >= MIN_SEEDS;
}

/** @param {import("../types.js").BriefRun[]} runs */
function finishedSeeds(runs) {
  const seeds = new Set(runs.map((run) => run.seed));
  for (const run of runs) if (run.status !== "finished") seeds.delete(run.seed);
  return seeds.size;
}

/**
 * The verdict on an experiment that has ended: it does not change any more. Null if the server has none.
 * @param {import("../server/api.js").Api} api
 * @param {string} experiment
 * @returns {Promise<Verdict | null>}
 */
async function verdictOf(api, experiment) {
  const key = `normscope.verdict.${experiment}`;
  const known = /** @type {Verdict | null} */ (sessionStorage.getItem(key));
  if (known) return known;
  try {
    /** @type {import("../types.js").Finding} */
    const { verdict } = await api.get(`/api/experiments/${encodeURIComponent(experiment)}/finding`);
    sessionStorage.setItem(key, verdict);
    return verdict;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return null;
  }
}

/**
 * Put the verdict of a claim's newest experiment that has one wherever the page names the claim: one question at a time.
 * @param {import("../server/api.js").Api} api
 * @param {BriefExperiment[]} experiments newest first
 */
export async function judge(api, experiments) {
  for (const place of document.querySelectorAll("[data-claim]")) {
    const claim = Number(place.getAttribute("data-claim"));
    const newest = experiments.find((experiment) => experiment.claim === claim && isDecidable(experiment));
    const verdict = newest && (await verdictOf(api, newest.id));
    if (verdict) place.replaceChildren(makeVerdict(verdict));
  }
}
