/** Histograms over steps: as the columns of a heat map, as ridges, and what two runs differ in. Pure. */

import { momentsOf } from "../data/layer.js";
import { inGroups, middle } from "./lines.js";
import { addShares } from "../data/sketch.js";

/**
 * @typedef {import("../charts/charts.js").Heat} Heat
 * @typedef {import("./column.js").Column} Column
 * @typedef {import("../data/frame.js").Frame} Frame
 * @typedef {import("../data/history.js").History} History
 * @typedef {import("./scale.js").Scale} Scale
 *
 * @typedef {object} Source a layer of a run
 * @property {History} history
 * @property {number} place
 */

const CELLS = 56;
/** Columns of a heat map at most: more steps are merged. */
export const COLUMNS = 240;
/** How many ridges show a run. */
export const RIDGES = 12;
/** How high the highest ridge is, in distances between two. */
const OVERLAP = 2.6;
/** The share of outputs in a cell at which colours are strongest: a lone spike, such as a rectifier's zeros, is beyond. */
const STRONGEST = 0.35;

/**
 * Cells of equal width on an axis, by their edges.
 * @param {[number, number]} range
 * @param {number} cells
 */
export function grid([low, high], cells) {
  return Float64Array.from({ length: cells + 1 }, (_, i) => low + ((high - low) * i) / cells);
}

/**
 * Add the shares of a summary's values that lie in cells.
 * @param {Frame} frame
 * @param {number} row
 * @param {Float64Array} values edges of the cells
 * @param {Float64Array} shares
 * @param {number} [weight]
 */
export function addRow(frame, row, values, shares, weight) {
  const { low, high } = momentsOf(frame, row);
  addShares(frame.histogram(row), values, low, high, shares, weight);
}

/**
 * A layer's frames in so many groups at most.
 * @param {Source} source
 * @param {number} most
 */
function groupsOf({ history, place }, most) {
  return inGroups(history.frames.filter((frame) => frame.row(place) >= 0), most);
}

/**
 * The shares of a group's values in cells.
 * @param {Frame[]} group
 * @param {number} place
 * @param {Float64Array} values
 */
function sharesOf(group, place, values) {
  const shares = new Float64Array(values.length - 1);
  for (const frame of group) addRow(frame, frame.row(place), values, shares, 1 / group.length);
  return shares;
}

/**
 * Columns of shares as what a heat map draws.
 * @param {Float64Array} edges
 * @param {number[]} steps
 * @param {Float64Array[]} columns
 * @param {Scale} scale
 * @returns {Heat}
 */
function heatOf(edges, steps, columns, scale) {
  const y = Float64Array.from({ length: CELLS }, (_, i) => (edges[i] + edges[i + 1]) / 2);
  const values = Array.from(y, (place) => new Float64Array(columns.length).fill(scale.from(place)));
  const z = Array.from(y, (_, cell) => Float64Array.from(columns, (shares) => shares[cell]));
  const most = Math.max(3 / CELLS, ...columns.map((shares) => Math.min(STRONGEST, Math.max(...shares))));
  return { x: Float64Array.from(steps), y, z, most, values };
}

/**
 * Histograms over steps, as shares of the values.
 * @param {Source} source
 * @param {Scale} scale
 * @param {[number, number]} range
 */
export function heat(source, scale, range) {
  const edges = grid(range, CELLS);
  const values = edges.map(scale.from);
  const groups = groupsOf(source, COLUMNS);
  const steps = groups.map((group) => middle(group[group.length >> 1]));
  return heatOf(edges, steps, groups.map((group) => sharesOf(group, source.place, values)), scale);
}

/**
 * Where one run has more values than the other at the same step, and where the other has.
 * @param {Source} one
 * @param {Source} other
 * @param {Scale} scale
 * @param {[number, number]} range
 * @returns {[Heat, Heat]}
 */
export function difference(one, other, scale, range) {
  const edges = grid(range, CELLS);
  const values = edges.map(scale.from);
  const last = other.history.newest?.to ?? -1;
  const groups = groupsOf(one, COLUMNS).filter((group) => group[0].from <= last);
  const steps = groups.map((group) => middle(group[group.length >> 1]));
  const changes = groups.map((group) => {
    const there = framesBetween(other, group[0].from, group[group.length - 1].to);
    const theirs = sharesOf(there, other.place, values);
    return there.length ? sharesOf(group, one.place, values).map((share, i) => share - theirs[i]) : theirs;
  });
  /** @param {number} sign */
  const part = (sign) => heatOf(edges, steps, changes.map((shares) => shares.map((share) => Math.max(0, sign * share))), scale);
  const both = /** @type {[Heat, Heat]} */ ([part(1), part(-1)]);
  const most = Math.max(...both.map((found) => found.most ?? 0));
  for (const found of both) found.most = most;
  return both;
}

/**
 * A layer's frames that show these steps.
 * @param {Source} source
 * @param {number} first
 * @param {number} last
 */
function framesBetween({ history, place }, first, last) {
  const frames = history.frames.slice(history.indexAt(first), history.indexAt(last) + 1);
  return frames.filter((frame) => frame.row(place) >= 0);
}

/**
 * Densities at some steps, each on a line of its own: as outlines whose base is the step.
 * @param {Source} source
 * @param {Scale} scale
 * @param {[number, number]} range
 * @param {Column[]} lines one for each ridge, the last step first: earlier ones lie in front
 * @returns {[number, number]} the step axis that holds them
 */
export function ridges(source, scale, range, lines) {
  for (const line of lines) line.clear();
  const edges = grid(range, CELLS);
  const values = edges.map(scale.from);
  const groups = groupsOf(source, lines.length).reverse();
  const all = groups.map((group) => sharesOf(group, source.place, values));
  const most = Math.max(1 / CELLS, ...all.map((shares) => Math.min(STRONGEST, Math.max(...shares))));
  const [last, first] = groups.length ? [middle(groups[0][0]), middle(groups[groups.length - 1][0])] : [1, 0];
  const apart = (last - first || 1) / Math.max(1, groups.length - 1);
  groups.forEach((group, i) => {
    const base = middle(group[0]);
    const line = lines[i];
    line.push(edges[0], base);
    all[i].forEach((share, cell) => line.push((edges[cell] + edges[cell + 1]) / 2, base + (Math.min(1, share / most) * apart * OVERLAP)));
    line.push(edges[CELLS], base);
  });
  return [first - 0.3 * apart, last + apart * (OVERLAP + 0.1)];
}
