/** From histories to lines: what each kind of chart shows. Pure; the columns are changed in place. */

import { Column } from "./column.js";
import { MERGE } from "../data/frame.js";
import { percentilesOf, PROBABILITIES } from "../data/layer.js";

/**
 * @typedef {import("../data/frame.js").Frame} Frame
 * @typedef {import("../data/history.js").History} History
 * @typedef {import("./scale.js").Scale} Scale
 */

const MISSING = new Float64Array(PROBABILITIES.length).fill(NaN);

/** The mean of those values that are finite; NaN if none is. @param {ArrayLike<number>} values */
export function finiteMean(values) {
  const finite = Array.from(values).filter(Number.isFinite);
  return finite.reduce((sum, value) => sum + value, 0) / finite.length;
}

/**
 * Frames in so many groups at most, one after another.
 * @param {Frame[]} frames
 * @param {number} most
 */
export function inGroups(frames, most) {
  const every = Math.max(1, Math.ceil(frames.length / most));
  return Array.from({ length: Math.ceil(frames.length / every) }, (_, i) => frames.slice(i * every, (i + 1) * every));
}

/** Where a frame lies on the axis. @param {Frame} frame */
export function middle(frame) {
  return (frame.from + frame.to) / 2;
}

/**
 * Frames in groups as long as the coarsest: the newest, not yet merged, must not look noisier than the rest.
 * @param {Frame[]} frames
 * @returns {Frame[][]}
 */
function groups(frames) {
  const span = frames.length ? MERGE ** frames[0].level : 1;
  if (span === 1) return frames.map((frame) => [frame]);
  /** @type {Frame[][]} */
  const result = [];
  let current = -1;
  for (const frame of frames) {
    const group = Math.floor(frame.seq / span);
    if (group === current) result[result.length - 1].push(frame);
    else result.push([frame]);
    current = group;
  }
  return result;
}

/** @param {Frame[]} group */
function middleOf(group) {
  return (group[0].from + group[group.length - 1].to) / 2;
}

/**
 * A scalar over steps.
 * @param {History} history
 * @param {string} name
 * @param {Column} line
 * @param {number} [factor]
 */
export function scalarLine({ frames }, name, line, factor = 1) {
  line.clear();
  for (const group of groups(frames)) {
    let sum = 0;
    let samples = 0;
    for (const frame of group) {
      const series = frame.series.get(name);
      if (!series) continue;
      sum += series.mean[0] * series.samples;
      samples += series.samples;
    }
    if (samples) line.push(middleOf(group), (sum / samples) * factor);
  }
}

/**
 * The largest or smallest of a vector over steps.
 * @param {History} history
 * @param {string} name
 * @param {"low" | "high"} which
 * @param {Column} line
 */
export function extremeLine({ frames }, name, which, line) {
  line.clear();
  for (const frame of frames) {
    const series = frame.series.get(name);
    if (series) line.push(middle(frame), which === "low" ? Math.min(...series.low) : Math.max(...series.high));
  }
}

/**
 * Between the smallest and the largest of a scalar in some runs, as far as all of them have come.
 * @param {History[]} histories
 * @param {string} name
 * @param {Column[]} lines
 */
export function spreadLines(histories, name, [area, high, low]) {
  for (const line of [area, high, low]) line.clear();
  const runs = histories.map((history) => {
    const line = new Column();
    scalarLine(history, name, line);
    return line;
  });
  if (runs.length < 2 || runs.some(({ n }) => n === 0)) return;
  const from = Math.max(...runs.map(({ x }) => x[0]));
  const to = Math.min(...runs.map(({ x, n }) => x[n - 1]));
  const places = runs.map(() => 0);
  for (let i = 0; i < runs[0].n; i++) {
    const at = runs[0].x[i];
    if (at < from || at > to) continue;
    const values = runs.map((line, run) => valueAt(line, at, places, run)).filter(Number.isFinite);
    if (values.length < runs.length) continue;
    high.push(at, Math.max(...values));
    low.push(at, Math.min(...values));
  }
  between(low, high, area);
}

/**
 * A line's value at a place, between its points on a straight way; places are asked for in order.
 * @param {Column} line
 * @param {number} at not beyond its ends
 * @param {number[]} places where each line was left
 * @param {number} run
 */
function valueAt({ x, y, n }, at, places, run) {
  let i = places[run];
  while (i + 1 < n && x[i + 1] <= at) i++;
  places[run] = i;
  return x[i] === at || i + 1 === n ? y[i] : y[i] + ((at - x[i]) / (x[i + 1] - x[i])) * (y[i + 1] - y[i]);
}

/**
 * A measured quantity over steps: its mean over layers, and for a vector the band from the least to the most.
 * @param {History} history
 * @param {string} name
 * @param {Scale} scale
 * @param {Column[]} lines
 */
export function measuredLines({ frames }, name, scale, [band, line]) {
  band.clear();
  line.clear();
  const shown = frames.flatMap((frame) => {
    const values = [...(frame.series.get(name)?.mean ?? [])].filter(Number.isFinite);
    return values.length ? [{ x: middle(frame), values }] : [];
  });
  for (const { x, values } of shown) {
    const mean = finiteMean(values);
    line.push(x, scale.to(mean));
    line.more.push([mean]);
  }
  if (!shown.some(({ values }) => values.length > 1)) return;
  for (const { x, values } of shown) pushFinite(band, x, scale.to(Math.max(...values)));
  for (const { x, values } of shown.reverse()) pushFinite(band, x, scale.to(Math.min(...values)));
}

/**
 * A measured vector over its layers, counted from 1, at a step.
 * @param {Frame | undefined} frame
 * @param {string} name
 * @param {Scale} scale
 * @param {Column} line
 */
export function profileLines(frame, name, scale, line) {
  line.clear();
  frame?.series.get(name)?.mean.forEach((value, i) => {
    line.push(i + 1, scale.to(value));
    line.more.push([value]);
  });
}

/** @param {Column} line @param {number} x @param {number} y */
function pushFinite(line, x, y) {
  if (Number.isFinite(y)) line.push(x, y);
}

/**
 * The outline of the area between two lines over the same steps.
 * @param {Column} low
 * @param {Column} high
 * @param {Column} area
 */
export function between(low, high, area) {
  area.clear();
  for (let i = 0; i < high.n; i++) pushFinite(area, high.x[i], high.y[i]);
  for (let i = low.n - 1; i >= 0; i--) pushFinite(area, low.x[i], low.y[i]);
}

/**
 * A layer's percentiles over steps: the outer band, the inner one, the median.
 * @param {History} history
 * @param {number} place
 * @param {Scale} scale
 * @param {Column[]} lines
 */
export function bandLines({ frames }, place, scale, [outer, inner, median]) {
  for (const line of [outer, inner, median]) line.clear();
  const shown = groups(frames).map((group) => ({ x: middleOf(group), q: averaged(group, place) }));
  const known = shown.filter(({ q }) => !Number.isNaN(q[2]));
  for (const { x, q } of known) {
    outer.push(x, scale.to(q[4]));
    inner.push(x, scale.to(q[3]));
    median.push(x, scale.to(q[2]));
    median.more.push(q);
  }
  for (const { x, q } of known.reverse()) {
    outer.push(x, scale.to(q[0]));
    inner.push(x, scale.to(q[1]));
  }
}

/**
 * A layer's percentiles, averaged over a group of frames.
 * @param {Frame[]} group
 * @param {number} place
 */
function averaged(group, place) {
  const rows = group.map((frame) => frame.row(place));
  if (group.length === 1) return rows[0] < 0 ? MISSING : percentilesOf(group[0], rows[0]);
  const known = group.flatMap((frame, i) => (rows[i] < 0 ? [] : [percentilesOf(frame, rows[i])]));
  return MISSING.map((_, i) => known.reduce((sum, q) => sum + q[i], 0) / known.length);
}

/**
 * The smallest 5 % and the largest 95 % percentile of all frames, and a typical spread.
 * @param {History} history
 * @param {number} place
 */
export function bandExtent({ frames }, place) {
  let low = Infinity;
  let high = -Infinity;
  let spread = 0;
  for (const frame of frames) {
    const row = frame.row(place);
    if (row < 0) continue;
    const [q05, q25, , q75, q95] = percentilesOf(frame, row);
    if (q05 < low) low = q05;
    if (q95 > high) high = q95;
    if (q75 - q25 > 0) spread = q75 - q25;
  }
  return { low, high, spread };
}

/**
 * A density as its outline and the area under it.
 * @param {Float64Array} cells edges on the axis
 * @param {Float64Array} shares
 * @param {Scale} scale
 * @param {Column[]} lines
 */
export function densityLines(cells, shares, scale, [area, outline]) {
  area.clear();
  outline.clear();
  const last = shares.length - 1;
  area.push((cells[0] + cells[1]) / 2, 0);
  for (let i = 0; i <= last; i++) {
    const x = (cells[i] + cells[i + 1]) / 2;
    const y = shares[i] / (cells[i + 1] - cells[i]);
    area.push(x, y);
    outline.push(x, y);
    outline.more.push([scale.from(x)]);
  }
  area.push((cells[last] + cells[last + 1]) / 2, 0);
}

/**
 * The smallest and largest finite y of some lines.
 * @param {Column[]} lines
 */
export function extent(lines) {
  let low = Infinity;
  let high = -Infinity;
  for (const { y, n } of lines) {
    for (let i = 0; i < n; i++) {
      if (y[i] < low && y[i] > -Infinity) low = y[i];
      if (y[i] > high && y[i] < Infinity) high = y[i];
    }
  }
  return { low, high };
}
