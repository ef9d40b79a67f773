/** What charts show as tables of full numbers, and tables as CSV. Pure. */

import { momentsOf, percentilesOf, placeOf, PROBABILITIES } from "../data/layer.js";
import { EDGES } from "../data/sketch.js";
import { csvWords } from "./csv.js";

/**
 * @typedef {import("../data/frame.js").Frame} Frame
 * @typedef {import("../data/frame.js").Series} Series
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("./column.js").Column} Column
 * @typedef {string | number} Cell
 *
 * @typedef {object} Table
 * @property {string[]} columns beside the run's: names, with units
 * @property {(run: Run) => Cell[][]} rows of one run
 *
 * @typedef {object} Quantity a column of numbers that a series gives
 * @property {string} column
 * @property {string} series
 * @property {(series: Series) => number} of
 */

const DIGITS = 6;
const STEPS = ["step", "last_step"]; // the same but where frames were merged

/** @param {Frame} frame */
function stepsOf({ firstStep, lastStep }) {
  return [firstStep, lastStep];
}

/**
 * Series over steps: a row for each frame that holds any of them.
 * @param {Quantity[]} quantities
 * @param {(run: Run) => Frame[]} framesOf
 * @returns {Table}
 */
export function seriesTable(quantities, framesOf) {
  const rows = (/** @type {Run} */ run) => {
    const held = framesOf(run).filter((frame) => quantities.some(({ series }) => frame.series.has(series)));
    return held.map((frame) => {
      const numbers = quantities.map(({ series, of }) => {
        const found = frame.series.get(series);
        return found ? of(found) : NaN;
      });
      return [...stepsOf(frame), ...numbers];
    });
  };
  return { columns: [...STEPS, ...quantities.map(({ column }) => column)], rows };
}

/**
 * A vector with a number for each layer, over steps.
 * @param {string} series
 * @param {number} layers
 * @param {(run: Run) => Frame[]} framesOf
 * @returns {Table}
 */
export function vectorTable(series, layers, framesOf) {
  const columns = Array.from({ length: layers }, (_, i) => `${series} layer ${i + 1}`);
  const rows = (/** @type {Run} */ run) => {
    return framesOf(run).flatMap((frame) => {
      const found = frame.series.get(series);
      return found ? [[...stepsOf(frame), ...columns.map((_, i) => found.mean[i] ?? NaN)]] : [];
    });
  };
  return { columns: [...STEPS, ...columns], rows };
}

/**
 * A layer's percentiles over steps.
 * @param {string} layer
 * @param {(run: Run) => Frame[]} framesOf
 * @param {() => number} kindOf what of the layer is shown when the table is made
 * @returns {Table}
 */
export function percentilesTable(layer, framesOf, kindOf) {
  const columns = PROBABILITIES.map((probability) => `p${Math.round(100 * probability)}`);
  const rows = (/** @type {Run} */ run) =>
    rowsOf(placeOf(run, layer, kindOf()), framesOf(run)).map(([frame, row]) => [...stepsOf(frame), ...percentilesOf(frame, row)]);
  return { columns: [...STEPS, ...columns], rows };
}

/**
 * A layer's histograms over steps: a row for each bin that holds anything.
 * @param {string} layer
 * @param {(run: Run) => Frame[]} framesOf
 * @param {() => number} kindOf as above
 * @returns {Table}
 */
export function histogramTable(layer, framesOf, kindOf) {
  const rows = (/** @type {Run} */ run) =>
    rowsOf(placeOf(run, layer, kindOf()), framesOf(run)).flatMap(([frame, row]) => binsOf(frame, row));
  return { columns: [...STEPS, "bin_low", "bin_high", "share"], rows };
}

/** @param {Frame} frame @param {number} row @returns {Cell[][]} */
function binsOf(frame, row) {
  const { bins, counts } = frame.histogram(row);
  const { low, high } = momentsOf(frame, row);
  const total = counts.reduce((sum, count) => sum + count, 0);
  // The outermost bins have no end of their own: there the extremes are it.
  const edge = (/** @type {number} */ at) => Math.max(low, Math.min(high, EDGES[at]));
  return Array.from(bins, (bin, i) => [...stepsOf(frame), edge(bin), edge(bin + 1), counts[i] / total]);
}

/**
 * Points of a line at one step.
 * @param {string[]} columns of x and y
 * @param {(run: Run) => {step: number, line: Column}} lineOf
 * @returns {Table}
 */
export function pointsTable(columns, lineOf) {
  const rows = (/** @type {Run} */ run) => {
    const { step, line } = lineOf(run);
    return Array.from({ length: line.n }, (_, i) => [step, line.x[i], line.y[i]]);
  };
  return { columns: ["step", ...columns], rows };
}

/**
 * The frames that have what is at a layer's place, each with its row.
 * @param {number} place
 * @param {Frame[]} frames
 * @returns {[Frame, number][]}
 */
function rowsOf(place, frames) {
  return frames.flatMap((frame) => {
    const row = place < 0 ? -1 : frame.row(place);
    return row < 0 ? [] : [/** @type {[Frame, number]} */ ([frame, row])];
  });
}

/**
 * Several runs' rows, one below the other.
 * @param {Table} table
 * @param {Run[]} runs
 * @param {string[]} conditions what differs among them beside arm and seed
 */
export function csvOf(table, runs, conditions) {
  const columns = ["arm", "seed", ...conditions];
  const lines = runs.flatMap((run) => {
    const own = [run.arm || run.name, run.seed, ...conditions.map((name) => run.varied[name] ?? "")];
    return table.rows(run).map((row) => [...own, ...row]);
  });
  return [[...columns, ...table.columns], ...lines].map((line) => line.map(cell).join(",") + "\r\n").join("");
}

/** A cell as RFC 4180 has it; what is not a number is empty. @param {Cell} value */
function cell(value) {
  if (typeof value === "string") return csvWords(value);
  if (Number.isInteger(value) && Math.abs(value) < Number.MAX_SAFE_INTEGER) return String(value); // steps stay whole
  return !Number.isFinite(value) ? "" : String(Number(value.toPrecision(DIGITS)));
}

/**
 * A file's name in letters that every system takes.
 * @param {string[]} parts
 * @param {string} ending
 */
export function fileName(parts, ending) {
  const words = parts.map((part) => part.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^[-.]+|[-.]+$/g, ""));
  return `${words.filter(Boolean).join("_").slice(0, 120)}.${ending}`;
}
