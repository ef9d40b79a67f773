/** Which of an experiment's runs are shown: of each arm one seed under one condition, unless more is asked for. Pure. */

/**
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {import("../types.js").Status} Status
 * @typedef {import("./view.js").View} View
 */

/** The statuses, from the one that says most about an experiment to the one that says least. @type {Status[]} */
const ORDER = ["failed", "lost", "running", "paused", "stopping", "starting", "waiting", "stopped", "finished"];
/** The value that stands for every value. */
export const ALL = "all";
/** Runs that are shown at once, at most, unless there are more arms: each brings its own charts and its own history. */
const MOST = 12;
const DONE = new Set(["finished", "stopped", "failed"]);

/** Whether a run will send no more frames. @param {{status: Status}} run */
export function isDone(run) {
  return DONE.has(run.status);
}

/**
 * What differs from run to run beside the arm: each name with its values, in the order of the runs; the seed is last.
 * @param {BriefRun[]} runs
 * @returns {Map<string, string[]>}
 */
export function conditionsOf(runs) {
  const names = new Set([...runs.flatMap((run) => Object.keys(run.varied)), "seed"]);
  /** @type {Map<string, string[]>} */
  const conditions = new Map();
  for (const name of names) {
    const values = new Set(runs.map((run) => valueOf(run, name)));
    if (values.size > 1) conditions.set(name, [...values]);
  }
  return conditions;
}

/** @param {BriefRun} run @param {string} name */
function valueOf(run, name) {
  return String(name === "seed" ? run.seed : run.varied[name]);
}

/**
 * The value of a condition that a view shows.
 * @param {View} view
 * @param {string} name
 * @param {string[]} values
 */
export function chosenValue({ where }, name, values) {
  const wanted = where[name] ?? "";
  return wanted === ALL || values.includes(wanted) ? wanted : values[0];
}

/**
 * The runs that a view shows.
 * @template {BriefRun} R
 * @param {R[]} runs
 * @param {View} view
 * @returns {R[]}
 */
export function shownRuns(runs, view) {
  const named = runs.filter((run) => view.runs.includes(run.id));
  if (named.length) return named;
  const chosen = [...conditionsOf(runs)].map(([name, values]) => /** @type {const} */ ([name, chosenValue(view, name, values)]));
  const candidates = runs.filter((run) => chosen.every(([name, value]) => value === ALL || valueOf(run, name) === value));
  const arms = [...new Set(runs.map((run) => run.arm))];
  const wanted = candidates.filter((run) => view.arms.includes(arms.indexOf(run.arm)));
  return (wanted.length ? wanted : candidates).slice(0, Math.max(MOST, arms.length));
}

/**
 * What people call a run where these conditions differ.
 * @param {BriefRun} run
 * @param {Iterable<string>} names
 */
export function labelOf(run, names) {
  return [run.arm || run.name, ...[...names].map((name) => `${wordsOf(name)} ${valueOf(run, name)}`)].join(" · ");
}

/** A condition's name as people read it. @param {string} name */
export function wordsOf(name) {
  return name.replaceAll("_", " ");
}

/** What the statuses are called in a tally, those that matter most first. @type {[Status, string][]} */
const WORDS = [
  ["running", "training"],
  ["paused", "paused"],
  ["stopping", "stopping"],
  ["starting", "starting"],
  ["waiting", "waiting"],
  ["lost", "lost"],
  ["failed", "failed"],
  ["stopped", "stopped"],
];

/**
 * How far all runs are, in words.
 * @param {{status: Status}[]} runs
 */
export function tally(runs) {
  const count = (/** @type {Status} */ status) => runs.filter((run) => run.status === status).length;
  const others = WORDS.filter(([status]) => count(status)).map(([status, word]) => `${count(status)} ${word}`);
  return [`${count("finished")} of ${runs.length} runs finished`, ...others].join(", ");
}

/**
 * Which share of all steps has been made; NaN if nobody knows how many there will be.
 * @param {BriefRun[]} runs
 */
export function progressOf(runs) {
  const shares = runs.map((run) => (isDone(run) ? 1 : (run.last_step + 1) / (run.steps ?? NaN)));
  return Math.min(1, shares.reduce((sum, share) => sum + share, 0) / runs.length);
}

/**
 * The status of an experiment, from its runs'.
 * @param {{status: Status}[]} runs
 * @returns {Status}
 */
export function overall(runs) {
  const going = runs.filter((run) => !isDone(run));
  return ORDER.find((status) => (going.length ? going : runs).some((run) => run.status === status)) ?? "starting";
}
