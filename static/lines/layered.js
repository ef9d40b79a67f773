/** A measured vector as a heat map: a row for each of its layers, a column for each step at which it was measured. Pure. */

import { finiteMean, inGroups, middle } from "./lines.js";
import { LINEAR, LOGARITHMIC } from "./scale.js";
import { COLUMNS } from "./shares.js";

/**
 * @typedef {import("../charts/charts.js").Heat} Heat
 * @typedef {import("../data/history.js").History} History
 * @typedef {import("./scale.js").Scale} Scale
 */

/** How strong the colour of the smallest number is: what was not measured has none. */
const WEAKEST = 0.08;
/** From how many times the smallest number on the largest one asks for a logarithmic scale. */
const WIDE = 30;

/**
 * @typedef {object} Shades what colours mean, the same in all runs that are to be compared
 * @property {Scale} scale
 * @property {[number, number]} range the smallest and the largest number, on the scale
 */

/**
 * A logarithmic scale where numbers differ by orders of magnitude, or the runs with small ones would have one colour.
 * @param {History[]} histories
 * @param {string} name
 * @param {boolean} logarithmic whatever the numbers are
 * @returns {Shades}
 */
export function shadesOf(histories, name, logarithmic) {
  let low = Infinity;
  let least = Infinity;
  let high = -Infinity;
  for (const { frames } of histories) {
    for (const frame of frames) {
      for (const value of frame.series.get(name)?.mean ?? []) {
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > 0 && value < least) least = value;
        if (value > high) high = value;
      }
    }
  }
  if (logarithmic || (low >= 0 && high > WIDE * least)) return { scale: LOGARITHMIC, range: [Math.log10(least), Math.log10(high)] };
  return { scale: LINEAR, range: [low, high] };
}

/**
 * @param {History} history
 * @param {string} name
 * @param {Shades} shades
 * @returns {Heat & {values: Float64Array[]}}
 */
export function layered({ frames }, name, { scale, range }) {
  const measured = frames.filter((frame) => frame.series.has(name));
  const rows = Math.max(0, ...measured.map((frame) => frame.series.get(name)?.mean.length ?? 0));
  const groups = inGroups(measured, COLUMNS);
  const values = Array.from({ length: rows }, (_, row) => Float64Array.from(groups, (group) => finiteMean(group.map((frame) => frame.series.get(name)?.mean[row] ?? NaN))));
  return {
    x: Float64Array.from(groups, (group) => middle(group[group.length >> 1])),
    y: Float64Array.from({ length: rows }, (_, row) => row + 1),
    z: values.map((row) => row.map((value) => (Number.isFinite(value) ? WEAKEST + (1 - WEAKEST) * share(scale.to(value), range) : NaN))),
    most: 1,
    values,
  };
}

/**
 * How far up a range a place is, from 0 to 1; what has no place on the scale is at its lower end.
 * @param {number} place
 * @param {[number, number]} range
 */
function share(place, [low, high]) {
  return high > low ? Math.max(0, Math.min(1, (place - low) / (high - low) || 0)) : 1;
}
