/** A criterion in words, and the numbers of its evidence as places on an axis. Pure. */

import { isDone, wordsOf } from "../data/shown.js";

/**
 * @typedef {import("../types.js").Criterion} Criterion
 * @typedef {import("../types.js").Evidence} Evidence
 */

/** @param {number} value exact, as a person wrote it */
function exact(value) {
  return String(value).replaceAll("-", "−");
}

/**
 * On which side of what the claim expects the effect.
 * @param {Pick<Criterion, "relation" | "threshold" | "unit">} criterion
 */
export function wanted({ relation, threshold, unit }) {
  return `${relation === "<" ? "below" : "above"} ${exact(threshold)}${unit && ` ${unit}`}`;
}

/**
 * How the effect is found.
 * @param {Pick<Criterion, "how" | "over">} criterion
 */
export function method({ how, over }) {
  if (how === "slope") return `slope of the logarithm over that of ${wordsOf(over ?? "")}, seed by seed`;
  return how === "value" ? "seed by seed" : "paired by seed";
}

/**
 * The whole criterion as a sentence.
 * @param {Criterion} criterion
 */
export function sentenceOf(criterion) {
  const opposite = wanted({ ...criterion, relation: criterion.relation === "<" ? ">" : "<" });
  return `${wanted(criterion)} supports the claim, ${opposite} contradicts it`;
}

/**
 * Why a criterion has no number: what it compares was not run, or is not done.
 * @param {Pick<Criterion, "arm" | "against" | "over">} criterion
 * @param {Pick<import("../types.js").Run, "arm" | "status" | "varied">[]} runs
 */
export function whyNone({ arm, against, over }, runs) {
  const lacking = [arm, against ?? []].flat().filter((one) => !runs.some((run) => run.arm === one));
  if (lacking.length) return `no run of ${lacking.join(" or ")}`;
  if (over !== null && !runs.some((run) => over in run.varied)) return `${wordsOf(over)} is the same in all runs`;
  return runs.every(isDone) ? "these runs have no such number" : "no numbers yet";
}

/**
 * Places from 0 to 1 for an evidence's numbers: ratios are logarithmic, and the threshold is always in sight.
 * @param {Evidence} evidence
 * @returns {(value: number) => number}
 */
export function placement({ how, threshold, seeds, low, high }) {
  const values = [threshold, ...Object.values(seeds), ...[low, high].filter((value) => value !== null)];
  const to = how === "ratio" && Math.min(...values) > 0 ? Math.log : (/** @type {number} */ value) => value;
  const places = values.map(to);
  const [least, most] = [Math.min(...places), Math.max(...places)];
  const margin = 0.12 * (most - least) || Math.abs(most) || 1;
  return (value) => (to(value) - least + margin) / (most - least + 2 * margin);
}
