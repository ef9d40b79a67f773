/** From histories to lines: what each kind of chart shows. Pure; the columns are changed in place. */

import { percentilesOf } from "./layer.js";

/**
 * @typedef {import("./column.js").Column} Column
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {import("./history.js").History} History
 * @typedef {import("./scale.js").Scale} Scale
 */

/** Where a frame lies on the step axis. @param {Frame} frame */
export function middle(frame) {
  return (frame.firstStep + frame.lastStep) / 2;
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
  for (const frame of frames) {
    const series = frame.series.get(name);
    if (series) line.push(middle(frame), series.mean[0] * factor);
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
 * The outline of the area between two lines over the same steps.
 * @param {Column} low
 * @param {Column} high
 * @param {Column} area
 */
export function between(low, high, area) {
  area.clear();
  for (let i = 0; i < high.n; i++) if (Number.isFinite(high.y[i])) area.push(high.x[i], high.y[i]);
  for (let i = low.n - 1; i >= 0; i--) if (Number.isFinite(low.y[i])) area.push(low.x[i], low.y[i]);
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
  const shown = frames.filter((frame) => frame.row(place) >= 0);
  for (const frame of shown) {
    const all = percentilesOf(frame, frame.row(place));
    const [, , q50, q75, q95] = all;
    if (Number.isNaN(q50)) continue;
    const x = middle(frame);
    outer.push(x, scale.to(q95));
    inner.push(x, scale.to(q75));
    median.push(x, scale.to(q50));
    median.more.push(all);
  }
  for (let i = shown.length - 1; i >= 0; i--) {
    const [q05, q25] = percentilesOf(shown[i], shown[i].row(place));
    if (Number.isNaN(q05)) continue;
    const x = middle(shown[i]);
    outer.push(x, scale.to(q05));
    inner.push(x, scale.to(q25));
  }
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
