import assert from "node:assert/strict";
import { test } from "node:test";

import { Frame } from "../../static/data/frame.js";
import { csvOf, fileName, histogramTable, seriesTable } from "../../static/lines/table.js";

/** @typedef {import("../../static/types.js").Run} Run */

/** @param {Partial<Run>} more */
function run(more) {
  const layers = [{ name: "act1", type: "ReLU", kinds: ["output"] }];
  return /** @type {Run} */ ({ id: "a", arm: "batch", seed: 3, name: "", varied: {}, layers, ...more });
}

/** @param {number} step @param {number} rows */
function frameAt(step, rows) {
  return new Frame({ seq: step, frames: 1, firstStep: step, lastStep: step, time: 0, level: 0 }, rows);
}

test("a series is a row for each frame that holds it, with six digits", () => {
  const frames = [frameAt(0, 0), frameAt(1, 0), frameAt(2, 0)];
  for (const [i, value] of /** @type {const} */ ([[0, 1 / 3], [2, NaN]])) {
    const mean = Float64Array.of(value);
    frames[i].series.set("loss", { mean, low: mean, high: mean, samples: 1 });
  }
  const table = seriesTable([{ column: "loss", series: "loss", of: ({ mean }) => mean[0] }], () => frames);
  const csv = csvOf(table, [run({ arm: 'a "b", c', varied: { rate: 0.1 } })], ["rate"]);
  const arm = '"a ""b"", c"';
  assert.equal(csv, `arm,seed,rate,step,last_step,loss\r\n${arm},3,0.1,0,0,0.333333\r\n${arm},3,0.1,2,2,\r\n`);
});

test("a histogram is its filled bins, which end at the extremes", () => {
  const frame = frameAt(5, 1);
  frame.moments.set([1, 1, 1, 1.2]);
  frame.packed = () => ({ bins: Uint16Array.of(1282, 1283), counts: Float64Array.of(3, 1) });
  const rows = histogramTable("act1", () => [frame], () => 0).rows(run({}));
  assert.deepEqual(rows, [[5, 5, 1, 1.125, 0.75], [5, 5, 1.125, 1.2, 0.25]]);
  assert.deepEqual(histogramTable("other", () => [frame], () => 0).rows(run({})), []);
});

test("a file's name has no letters that a system refuses", () => {
  assert.equal(fileName(["Zero/centred: x", "", "net.act1", "step-7"], "csv"), "zero-centred-x_net.act1_step-7.csv");
});
