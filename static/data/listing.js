/** A list of experiments: which of them are found, and in what order. Pure. */

import { isDone, overall, progressOf } from "./shown.js";

/**
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {"name" | "arms" | "status" | "progress" | "when"} Key
 * @typedef {{key: Key, down: boolean}} Order
 */

/** What a list can be sorted by, and whether that begins with the largest. @type {[Key, boolean][]} */
export const KEYS = [["name", false], ["arms", false], ["status", false], ["progress", true], ["when", true]];
/** Arms that a row names. */
const MOST_ARMS = 4;

/**
 * Whether an experiment has every one of some words: in its name, arms, status, tags or notes.
 * @param {BriefExperiment} experiment
 * @param {string} words
 */
export function holds({ name, runs, tags, notes }, words) {
  const text = [name, ...runs.map((run) => run.arm || run.name), overall(runs), ...tags, notes].join(" ").toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * Experiments in order; those that are equal stay newest first.
 * @param {BriefExperiment[]} experiments
 * @param {Order} order
 */
export function sorted(experiments, { key, down }) {
  /** @type {Record<Key, (experiment: BriefExperiment) => string | number>} */
  const values = {
    name: ({ name }) => name.toLowerCase(),
    arms: ({ runs }) => armsOf(runs),
    status: ({ runs }) => overall(runs),
    progress: ({ runs }) => progressOf(runs) || 0,
    when: ({ created }) => created,
  };
  const keyed = experiments.map((experiment) => ({ experiment, value: values[key](experiment) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => sign * (Number(a.value > b.value) - Number(a.value < b.value)) || b.experiment.created - a.experiment.created);
  return keyed.map(({ experiment }) => experiment);
}

/** @param {string | null} text such as -when @returns {Order} */
export function parseOrder(text) {
  const found = KEYS.find(([key]) => key === text?.replace(/^-/, ""));
  return found ? { key: found[0], down: text?.startsWith("-") ?? false } : { key: "when", down: true };
}

/** As an address holds it; empty for the usual. @param {Order} order */
export function formatOrder({ key, down }) {
  return key === "when" && down ? "" : `${down ? "-" : ""}${key}`;
}

/** @param {BriefRun[]} runs */
export function armsOf(runs) {
  const arms = [...new Set(runs.map((run) => run.arm || run.name))];
  const more = arms.length - MOST_ARMS;
  return [...arms.slice(0, MOST_ARMS), ...(more > 0 ? [`${more} more`] : [])].join(" · ");
}

/**
 * How many runs are done where each arm has several; else the step.
 * @param {BriefRun[]} runs
 */
export function reached(runs) {
  const number = (/** @type {number} */ value) => value.toLocaleString("en");
  if (runs.length > new Set(runs.map((run) => run.arm)).size) return `${number(runs.filter(isDone).length)} / ${number(runs.length)} runs`;
  const steps = Math.max(0, ...runs.map((run) => run.steps ?? 0));
  const step = Math.max(0, ...runs.map((run) => run.last_step + 1));
  return steps ? `${number(step)} / ${number(steps)}` : number(step);
}
