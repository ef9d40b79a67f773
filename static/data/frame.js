/** A frame: what a run sent for one captured step, or several such merged. */

import { addHistograms } from "./sketch.js";

/** What of a layer may be summarized, as `normscope/wire/frame.py` numbers it; with what the page calls it. */
export const KINDS = /** @type {const} */ ([
  ["output", "outputs"],
  ["input", "inputs"],
  ["gradient", "gradients"],
  ["weight", "weights"],
  ["weight_gradient", "weight gradients"],
  ["bias", "biases"],
  ["bias_gradient", "bias gradients"],
  ["batch_mean", "batch means"],
  ["batch_variance", "batch variances"],
  ["running_mean", "running means"],
  ["running_variance", "running variances"],
]);

/**
 * @typedef {object} Series one named quantity: a scalar (size 1) or a short vector
 * @property {Float64Array} mean at level 0 the values themselves
 * @property {Float64Array} low smallest over the merged frames
 * @property {Float64Array} high largest
 * @property {number} samples how many of the merged frames held it
 *
 * @typedef {object} Head
 * @property {number} seq number of the first frame in it
 * @property {number} frames how many were merged
 * @property {number} firstStep
 * @property {number} lastStep
 * @property {number} time unix seconds
 * @property {number} level 0 for a single step; level k covers 4^k frames
 */

/** How many frames of one level make one frame of the next. */
export const MERGE = 4;

export class Frame {
  /**
   * @param {Head} head
   * @param {number} rows how many layers are summarized
   */
  constructor(head, rows) {
    this.seq = head.seq;
    this.frames = head.frames;
    this.firstStep = head.firstStep;
    this.lastStep = head.lastStep;
    /** Where it lies on the axis that is shown, see axis.js; of steps until it is laid along another. */
    this.from = head.firstStep;
    this.to = head.lastStep;
    this.time = head.time;
    this.level = head.level;
    /** @type {Map<string, Series>} */
    this.series = new Map();
    this.rows = rows;
    this.layers = new Uint16Array(rows);
    this.kinds = new Uint8Array(rows);
    /** Mean, standard deviation, minimum, maximum of each row. */
    this.moments = new Float64Array(rows * 4);
    /** Values, zeros, saturated, non-finite of each row. */
    this.counters = new Float64Array(rows * 4);
    /** How to get a row's histogram. @type {(row: number) => import("./sketch.js").Histogram} */
    this.packed = () => ({ bins: new Uint16Array(0), counts: new Float64Array(0) });
    /** Percentiles that were asked for, by row. @type {(Float64Array | undefined)[]} */
    this.percentiles = [];
    /** Rows by place, once one was looked for. @type {Map<number, number> | null} */
    this.found = null;
  }

  /** The number after the last frame in it. */
  get end() {
    return this.seq + this.frames;
  }

  /** @param {number} row */
  histogram(row) {
    return this.packed(row);
  }

  /**
   * The row of one kind of thing of a layer, or -1.
   * @param {number} place the layer's index in the run's list times KINDS.length, and the kind's index
   */
  row(place) {
    const layer = Math.floor(place / KINDS.length);
    const kind = place % KINDS.length;
    if (this.layers[layer] === layer && this.kinds[layer] === kind) return layer; // if there are outputs alone
    this.found ??= new Map(Array.from(this.layers, (of, row) => [of * KINDS.length + this.kinds[row], row]));
    return this.found.get(place) ?? -1;
  }

  /**
   * A scalar, or NaN where the frame has none.
   * @param {string} name
   */
  scalar(name) {
    const series = this.series.get(name);
    return series && series.mean.length ? series.mean[0] : NaN;
  }
}

/**
 * Consecutive frames of one level as one frame of the next: `wire.merge` in Python.
 * @param {Frame[]} parts
 * @returns {Frame}
 */
export function mergeFrames(parts) {
  const rows = rowsByLayer(parts);
  const identities = [...rows.keys()].sort((a, b) => a - b);
  const merged = new Frame(mergeHeads(parts), identities.length);
  merged.from = parts[0].from;
  merged.to = parts[parts.length - 1].to;
  const names = new Set(parts.flatMap((part) => [...part.series.keys()]));
  for (const name of names) merged.series.set(name, mergeSeries(parts, name));
  const histograms = identities.map((identity, row) => {
    merged.layers[row] = Math.floor(identity / KINDS.length);
    merged.kinds[row] = identity % KINDS.length;
    const mine = rows.get(identity) ?? [];
    mergeMoments(merged, row, mine);
    return addHistograms(mine.map(([part, r]) => ({ ...part.histogram(r), values: part.counters[4 * r] - part.counters[4 * r + 3] })));
  });
  merged.packed = among(histograms);
  return merged;
}

/**
 * What finds a row's histogram. Made here, not where frames are merged: there it would keep the parts alive for good.
 * @param {import("./sketch.js").Histogram[]} histograms
 * @returns {Frame["packed"]}
 */
function among(histograms) {
  return (row) => histograms[row];
}

/**
 * @param {Frame[]} parts
 * @returns {Head}
 */
function mergeHeads(parts) {
  const first = parts[0];
  const last = parts[parts.length - 1];
  const frames = parts.reduce((sum, part) => sum + part.frames, 0);
  const { seq, firstStep, level } = first;
  return { seq, frames, firstStep, lastStep: last.lastStep, time: last.time, level: level + 1 };
}

/**
 * @param {Frame[]} parts
 * @param {string} name
 * @returns {Series}
 */
function mergeSeries(parts, name) {
  const all = parts.flatMap((part) => part.series.get(name) ?? []);
  const size = Math.max(...all.map((s) => s.mean.length));
  const held = all.filter((s) => s.mean.length === size); // a vector that changed its length keeps the longest
  const samples = held.reduce((sum, s) => sum + s.samples, 0);
  const mean = new Float64Array(size);
  const low = new Float64Array(size).fill(NaN);
  const high = new Float64Array(size).fill(NaN);
  for (const s of held) {
    for (let i = 0; i < size; i++) {
      mean[i] += s.mean[i] * (s.samples / samples);
      if (!(s.low[i] >= low[i])) low[i] = Number.isNaN(s.low[i]) ? low[i] : s.low[i];
      if (!(s.high[i] <= high[i])) high[i] = Number.isNaN(s.high[i]) ? high[i] : s.high[i];
    }
  }
  return { mean, low, high, samples };
}

/**
 * Which rows of which parts make each row of the merged frame, by layer and kind.
 * @param {Frame[]} parts
 */
function rowsByLayer(parts) {
  /** @type {Map<number, [Frame, number][]>} */
  const rows = new Map();
  for (const part of parts) {
    for (let row = 0; row < part.rows; row++) {
      const identity = part.layers[row] * KINDS.length + part.kinds[row];
      const mine = rows.get(identity);
      if (mine) mine.push([part, row]);
      else rows.set(identity, [[part, row]]);
    }
  }
  return rows;
}

/**
 * Moments combine as in T. F. Chan et al., 1979; a part without finite values has no say.
 * @param {Frame} merged
 * @param {number} row
 * @param {[Frame, number][]} mine
 */
function mergeMoments(merged, row, mine) {
  let total = 0;
  let sum = 0;
  for (const [part, r] of mine) {
    for (let k = 0; k < 4; k++) merged.counters[4 * row + k] += part.counters[4 * r + k];
    const finite = part.counters[4 * r] - part.counters[4 * r + 3];
    total += finite;
    if (finite > 0) sum += finite * part.moments[4 * r];
  }
  const out = merged.moments.subarray(4 * row, 4 * row + 4).fill(NaN);
  if (total === 0) return;
  const mean = sum / total;
  let spread = 0;
  let low = Infinity;
  let high = -Infinity;
  for (const [part, r] of mine) {
    const finite = part.counters[4 * r] - part.counters[4 * r + 3];
    if (finite <= 0) continue;
    const [partMean, std, partLow, partHigh] = part.moments.subarray(4 * r, 4 * r + 4);
    spread += finite * (std ** 2 + (partMean - mean) ** 2);
    low = Math.min(low, partLow);
    high = Math.max(high, partHigh);
  }
  out.set([mean, Math.sqrt(spread / total), low, high]);
}
