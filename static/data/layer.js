/** One layer of one run: its numbers in a frame, its percentiles, and whether it is in trouble. Pure. */

import { KINDS } from "./frame.js";
import { quantiles } from "./sketch.js";

/**
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {import("./history.js").History} History
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("../types.js").Rule} Rule
 *
 * @typedef {object} Moments
 * @property {number} mean
 * @property {number} std
 * @property {number} low
 * @property {number} high
 *
 * @typedef {object} Trouble
 * @property {string} kind
 * @property {string} sentence
 * @property {number} since the step at which it began
 * @property {boolean} about whether that is known to several steps only, as these were merged
 */

export const PROBABILITIES = [0.05, 0.25, 0.5, 0.75, 0.95];

/** @type {WeakMap<Run, Map<string, number>>} */
const places = new WeakMap();

/**
 * Where a layer's summaries are in the frames of its run, or -1.
 * @param {Run} run
 * @param {string} name
 * @param {number} [kind] index of one of KINDS
 */
export function placeOf(run, name, kind = 0) {
  let known = places.get(run);
  if (!known) places.set(run, (known = new Map(run.layers.map((layer, i) => [layer.name, i]))));
  const layer = known.get(name);
  return layer === undefined ? -1 : layer * KINDS.length + kind;
}

/**
 * @param {Frame} frame
 * @param {number} row
 * @returns {Moments}
 */
export function momentsOf(frame, row) {
  const [mean, std, low, high] = frame.moments.subarray(4 * row, 4 * row + 4);
  return { mean, std, low, high };
}

/**
 * How many values a row is of, and how many of them stand in its histogram.
 * @param {Frame} frame
 * @param {number} row
 */
export function countsOf(frame, row) {
  const [values, , , broken] = frame.counters.subarray(4 * row, 4 * row + 4);
  return { values, finite: values - broken, counted: frame.histogram(row).counts.reduce((sum, n) => sum + n, 0) };
}

/**
 * Percentiles 5, 25, 50, 75 and 95 of a row, reckoned once per frame.
 * @param {Frame} frame
 * @param {number} row
 */
export function percentilesOf(frame, row) {
  const known = frame.percentiles[row];
  if (known) return known;
  const { low, high } = momentsOf(frame, row);
  return (frame.percentiles[row] = quantiles(frame.histogram(row), PROBABILITIES, low, high));
}

/**
 * Reckon the percentiles that are missing, newest first, until a deadline.
 * @param {History} history
 * @param {number} place
 * @param {number} deadline on performance.now's clock
 * @returns {boolean} whether all are there
 */
export function warm({ frames }, place, deadline) {
  for (let i = frames.length - 1; i >= 0; i--) {
    const row = frames[i].row(place);
    if (row < 0 || frames[i].percentiles[row]) continue;
    percentilesOf(frames[i], row);
    if (i % 8 === 0 && performance.now() > deadline) return false;
  }
  return true;
}

/**
 * How far the mean has moved between two frames, in standard deviations; NaN if either has none.
 * @param {Frame | undefined} earlier
 * @param {Frame | undefined} later
 * @param {number} place
 */
export function drift(earlier, later, place) {
  if (!earlier || !later) return NaN;
  const [a, b] = [earlier.row(place), later.row(place)];
  if (a < 0 || b < 0) return NaN;
  const [from, to] = [momentsOf(earlier, a), momentsOf(later, b)];
  const distance = Math.abs(to.mean - from.mean);
  return distance === 0 ? 0 : distance / to.std;
}

/**
 * What rules are about, from what a frame holds of a layer; see normscope/alerts/rules.py, whose rules these are.
 * @type {Record<string, (counters: Float64Array, moments: Float64Array) => number>}
 */
const STATISTICS = {
  nonfinite: (c) => c[3] / c[0],
  zeros: (c) => c[1] / c[0],
  saturated: (c) => c[2] / c[0],
  size: (_, m) => Math.max(-m[2], m[3]),
  std: (c, m) => (c[0] > 1 ? m[1] : NaN),
};
/** @type {Record<Rule["relation"], (value: number, bound: number) => boolean>} */
const RELATIONS = { ">": (a, b) => a > b, ">=": (a, b) => a >= b, "<": (a, b) => a < b, "<=": (a, b) => a <= b };

/**
 * A layer's worst trouble at a frame, and the step since when it has lasted.
 * @param {History} history
 * @param {number} place
 * @param {number} at index of the frame
 * @param {Rule[]} rules the worst first
 * @returns {Trouble | null}
 */
export function troubleOf({ frames }, place, at, rules) {
  for (const { name, measure, relation, bound, steps, words } of rules) {
    let since = -1;
    let about = false;
    for (let i = at; i >= 0; i--) {
      const row = frames[i].row(place);
      if (row < 0) continue;
      const slice = [4 * row, 4 * row + 4];
      const value = STATISTICS[measure](frames[i].counters.subarray(...slice), frames[i].moments.subarray(...slice));
      const merged = frames[i].level > 0;
      if (!RELATIONS[relation](value, bound)) {
        about ||= merged; // it may have begun within these
        break;
      }
      since = frames[i].firstStep;
      about = merged;
    }
    if (since >= 0 && frames[at].lastStep - since + 1 >= steps) return { kind: name, sentence: words, since, about };
  }
  return null;
}
