/** A measured vector as a heat map: a row for each of its layers, a column for each step at which it was measured. Pure. */

import { middle } from "./lines.js";

/**
 * @typedef {import("../charts/charts.js").Heat} Heat
 * @typedef {import("../data/history.js").History} History
 * @typedef {import("./scale.js").Scale} Scale
 */

/** Columns at most: more are merged. */
const COLUMNS = 240;
/** How strong the colour of the smallest number is: what was not measured has none. */
const WEAKEST = 0.08;

/**
 * The smallest and the largest number on a scale, of all runs that are to be compared.
 * @param {History[]} histories
 * @param {string} name
 * @param {Scale} scale
 * @returns {[number, number]}
 */
export function layeredRange(histories, name, scale) {
  let low = Infinity;
  let high = -Infinity;
  for (const { frames } of histories) {
    for (const frame of frames) {
      for (const value of frame.series.get(name)?.mean ?? []) {
        const place = scale.to(value);
        if (place > -Infinity && place < low) low = place;
        if (place < Infinity && place > high) high = place;
      }
    }
  }
  return [low, high];
}

/**
 * @param {History} history
 * @param {string} name
 * @param {Scale} scale
 * @param {[number, number]} range
 * @returns {Heat & {values: Float64Array[]}}
 */
export function layered({ frames }, name, scale, [low, high]) {
  const measured = frames.filter((frame) => frame.series.has(name));
  const rows = Math.max(0, ...measured.map((frame) => frame.series.get(name)?.mean.length ?? 0));
  const every = Math.max(1, Math.ceil(measured.length / COLUMNS));
  const groups = Array.from({ length: Math.ceil(measured.length / every) }, (_, i) => measured.slice(i * every, (i + 1) * every));
  const strength = (/** @type {number} */ value) => (Number.isFinite(value) ? WEAKEST + (1 - WEAKEST) * share(scale.to(value), low, high) : NaN);
  const values = Array.from({ length: rows }, (_, row) => Float64Array.from(groups, (group) => meanOf(group.map((frame) => frame.series.get(name)?.mean[row] ?? NaN))));
  return {
    x: Float64Array.from(groups, (group) => middle(group[group.length >> 1])),
    y: Float64Array.from({ length: rows }, (_, row) => row + 1),
    z: values.map((row) => row.map(strength)),
    most: 1,
    values,
  };
}

/** @param {number[]} values */
function meanOf(values) {
  const finite = values.filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}

/** @param {number} place @param {number} low @param {number} high */
function share(place, low, high) {
  return high > low ? Math.max(0, Math.min(1, (place - low) / (high - low))) : 1;
}
