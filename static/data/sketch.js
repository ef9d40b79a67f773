/** The fixed bins of normscope/sketch.py: edges, quantiles, densities for display, distances. Pure. */

/**
 * @typedef {object} Histogram
 * @property {Uint16Array} bins filled bins, increasing
 * @property {Float64Array} counts how many values fell into each
 */

const LOWEST_OCTAVE = -64;
const HIGHEST_OCTAVE = 32;
const PARTS = 8;
const PER_SIGN = (HIGHEST_OCTAVE - LOWEST_OCTAVE) * PARTS;

/** Number of bins: overflow, 768 negative, one around zero, 768 positive, overflow. */
export const BINS = 2 * PER_SIGN + 3;

/** Bin edges, increasing; bin i lies between EDGES[i] and EDGES[i + 1]. The outermost two are infinite. */
export const EDGES = makeEdges();

function makeEdges() {
  const edges = new Float64Array(BINS + 1);
  for (let i = 0; i < PER_SIGN; i++) {
    const edge = 2 ** (LOWEST_OCTAVE + Math.floor(i / PARTS)) * (1 + (i % PARTS) / PARTS);
    edges[PER_SIGN + 2 + i] = edge;
    edges[PER_SIGN + 1 - i] = -edge;
  }
  edges[BINS - 1] = 2 ** HIGHEST_OCTAVE;
  edges[1] = -edges[BINS - 1];
  edges[BINS] = Infinity;
  edges[0] = -Infinity;
  return edges;
}

/**
 * The sum of histograms, each value having the same say: where they hold unlike shares of their tensors' values, they are
 * weighed by what they stand for, as in normscope/wire/merging.py.
 * @param {(Histogram & { values: number })[]} parts with the finite values of the tensor
 * @returns {Histogram}
 */
export function addHistograms(parts) {
  const dense = new Float64Array(BINS);
  const counted = parts.map(({ counts }) => counts.reduce((sum, count) => sum + count, 0));
  const scales = scalesOf(parts.map(({ values }) => values), counted);
  for (const [part, { bins, counts }] of parts.entries()) {
    let sum = 0;
    let before = 0;
    for (let i = 0; i < bins.length; i++) {
      sum += counts[i];
      const upto = scales[part] === 1 ? sum : Math.floor(sum * scales[part] + 0.5); // of the sum, not of each count
      dense[bins[i]] += upto - before;
      before = upto;
    }
  }
  const bins = [];
  for (let bin = 0; bin < BINS; bin++) if (dense[bin] > 0) bins.push(bin);
  return { bins: Uint16Array.from(bins), counts: Float64Array.from(bins, (bin) => dense[bin]) };
}

/**
 * What to multiply each part's counts by: 1 where all hold the same share of their values.
 * @param {number[]} values finite ones of each part
 * @param {number[]} counted how many of them its histogram holds
 */
function scalesOf(values, counted) {
  const some = counted.flatMap((count, i) => (count > 0 ? [i] : []));
  const all = some.reduce((sum, i) => sum + values[i], 0);
  const held = some.reduce((sum, i) => sum + counted[i], 0);
  const sound = some.every((i) => values[i] > 0) && held <= 2 ** 53;
  if (!sound || some.every((i) => values[i] * held === all * counted[i])) return counted.map(() => 1);
  return counted.map((count, i) => (count > 0 ? (values[i] / count) * (held / all) : 1));
}

/** The cumulative distribution of the histogram last loaded: knots X, heights Y, both [0, knots). */
const X = new Float64Array(BINS + 1);
const Y = new Float64Array(BINS + 1);
let knots = 0;

/**
 * @param {Histogram} histogram
 * @param {number} low
 * @param {number} high
 */
function load({ bins, counts }, low, high) {
  const first = bins[0];
  const last = bins[bins.length - 1];
  knots = last - first + 2;
  for (let i = 0; i < knots; i++) X[i] = Math.min(Math.max(EDGES[first + i], low), high);
  let sum = 0;
  let at = 0;
  Y[0] = 0;
  for (let i = 0; i < bins.length; i++) {
    const stop = bins[i] - first;
    while (at < stop) Y[++at] = sum;
    sum += counts[i];
    Y[++at] = sum;
  }
  for (let i = 1; i < knots; i++) Y[i] /= sum;
}

/** Slope of the straight line from knot i to the next. @param {number} i */
function slope(i) {
  const width = X[i + 1] - X[i];
  return width > 0 ? (Y[i + 1] - Y[i]) / width : 0;
}

/** Fritsch and Butland's weighted harmonic mean: zero where the slope is zero on either side. @param {number} i */
function tangent(i) {
  if (i === 0) return slope(0);
  if (i === knots - 1) return slope(knots - 2);
  const a = slope(i - 1);
  const b = slope(i);
  const before = X[i] - X[i - 1];
  const after = X[i + 1] - X[i];
  const w1 = 2 * after + before;
  const w2 = after + 2 * before;
  const bottom = w1 * b + w2 * a;
  return bottom > 0 ? ((w1 + w2) * a * b) / bottom : 0;
}

/**
 * The cubic between two knots, at t in [0, 1].
 * @param {number} y0
 * @param {number} rise
 * @param {number} d0
 * @param {number} d1
 * @param {number} t
 */
function cubic(y0, rise, d0, d1, t) {
  return y0 + rise * t * t * (3 - 2 * t) + d0 * t * (1 - t) ** 2 - d1 * t * t * (1 - t);
}

/** The first knot that is at least as high as `wanted`, within [1, knots). @param {number} wanted */
function knotAt(wanted) {
  let low = 0;
  let high = knots;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Y[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return Math.min(Math.max(low, 1), knots - 1);
}

/**
 * Quantiles of a histogram, NaN if it is empty.
 * @param {Histogram} histogram
 * @param {readonly number[]} probabilities each in [0, 1]
 * @param {number} low the smallest value that was counted
 * @param {number} high the largest
 * @returns {Float64Array}
 */
export function quantiles(histogram, probabilities, low, high) {
  const result = new Float64Array(probabilities.length).fill(NaN);
  if (!histogram.bins.length) return result;
  load(histogram, low, high);
  return result.map((_, i) => inverse(probabilities[i]));
}

/** Where the monotone cubic reaches a height. @param {number} wanted */
function inverse(wanted) {
  const right = knotAt(wanted);
  const left = right - 1;
  const width = X[right] - X[left];
  const rise = Y[right] - Y[left];
  const d0 = tangent(left) * width;
  const d1 = tangent(right) * width;
  let low = 0;
  let high = 1;
  for (let i = 0; i < 40; i++) {
    // Bisection: the cubic is monotone, so it cannot miss.
    const t = (low + high) / 2;
    if (cubic(Y[left], rise, d0, d1, t) < wanted) low = t;
    else high = t;
  }
  return X[left] + (width * (low + high)) / 2;
}

/**
 * Share of values per cell, from the smoothed cumulative distribution; sums to at most 1.
 * @param {Histogram} histogram
 * @param {ArrayLike<number>} cells edges of the cells, increasing
 * @param {number} low the smallest value that was counted
 * @param {number} high the largest
 * @param {Float64Array} out shape [cells.length - 1]; shares are added to it
 * @param {number} [weight]
 */
export function addShares(histogram, cells, low, high, out, weight = 1) {
  if (!histogram.bins.length) return;
  load(histogram, low, high);
  let knot = 1;
  let before = NaN;
  for (let i = 0; i < cells.length; i++) {
    const x = cells[i];
    while (knot < knots - 1 && X[knot] < x) knot++;
    // The outer cells' edges include their own limits: a single repeated value must not vanish.
    const height = x < X[0] ? 0 : x >= X[knots - 1] ? 1 : heightAt(x, knot);
    if (i > 0) out[i - 1] += (height - before) * weight;
    before = height;
  }
}

/**
 * @param {number} x
 * @param {number} right the knot at or after x
 */
function heightAt(x, right) {
  const left = right - 1;
  const width = X[right] - X[left];
  if (!(width > 0)) return Y[right];
  return cubic(Y[left], Y[right] - Y[left], tangent(left) * width, tangent(right) * width, (x - X[left]) / width);
}

/**
 * @param {Histogram} histogram
 * @returns {Float64Array} shares by bin, summing to 1; NaN if it is empty
 */
function shares({ bins, counts }) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const dense = new Float64Array(BINS).fill(total > 0 ? 0 : NaN);
  for (let i = 0; i < bins.length; i++) dense[bins[i]] = counts[i] / total;
  return dense;
}

/**
 * The cumulative distribution at the right edge of each bin; exactly 1 from the last filled bin on, because a
 * rounding error there would be multiplied by bins as wide as 2^29.
 * @param {Histogram} histogram
 */
function cumulative({ bins, counts }) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const dense = new Float64Array(BINS);
  for (let i = 0; i < bins.length; i++) dense[bins[i]] = counts[i];
  let sum = 0;
  return dense.map((count) => (sum += count) / total);
}

/**
 * Difference of two cumulative distributions.
 * @param {Histogram} p
 * @param {Histogram} q
 */
function difference(p, q) {
  const b = cumulative(q);
  return cumulative(p).map((height, i) => height - b[i]);
}

/**
 * Wasserstein-1 distance in the units of the values; NaN if either is empty.
 * @param {Histogram} p
 * @param {Histogram} q
 */
export function wasserstein(p, q) {
  const step = difference(p, q);
  let sum = 0;
  for (let i = 0; i < BINS - 2; i++) {
    const a = step[i];
    const b = step[i + 1];
    const straight = (Math.abs(a) + Math.abs(b)) / 2;
    sum += (EDGES[i + 2] - EDGES[i + 1]) * (a * b < 0 ? (a * a + b * b) / (4 * straight) : straight);
  }
  return sum;
}

/**
 * Jensen–Shannon divergence in bits, in [0, 1]; NaN if either is empty.
 * @param {Histogram} p
 * @param {Histogram} q
 */
export function jensenShannon(p, q) {
  const a = shares(p);
  const b = shares(q);
  if (Number.isNaN(a[0] + b[0])) return NaN;
  let sum = 0;
  for (let i = 0; i < BINS; i++) {
    const middle = (a[i] + b[i]) / 2;
    if (a[i] > 0) sum += a[i] * Math.log2(a[i] / middle);
    if (b[i] > 0) sum += b[i] * Math.log2(b[i] / middle);
  }
  return Math.max(sum / 2, 0);
}

/**
 * The largest difference between two cumulative distributions, seen at bin edges; NaN if either is empty.
 * @param {Histogram} p
 * @param {Histogram} q
 */
export function kolmogorovSmirnov(p, q) {
  return difference(p, q).reduce((most, d) => Math.max(most, Math.abs(d)), 0);
}
