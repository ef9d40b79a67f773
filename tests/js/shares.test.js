/** Histograms over steps. */

import assert from "node:assert/strict";
import test from "node:test";

import { Column } from "../../static/lines/column.js";
import { Frame } from "../../static/data/frame.js";
import { History } from "../../static/data/history.js";
import { LINEAR } from "../../static/lines/scale.js";
import { difference, heat, RIDGES, ridges } from "../../static/lines/shares.js";

/** A layer whose values all lie in one bin, [1, 1.125) or, mirrored, below zero. @param {number[]} signs at each step */
function source(signs) {
  const history = new History();
  history.add(
    signs.map((sign, seq) => {
      const frame = new Frame({ seq, frames: 1, firstStep: seq, lastStep: seq, time: 0, level: 0 }, 1);
      const ends = sign > 0 ? [1, 1.125] : [-1.125, -1];
      frame.moments.set([(ends[0] + ends[1]) / 2, 0.03, ...ends]);
      frame.counters.set([8, 0, 0, 0]);
      const bin = 769 + sign * (64 * 8 + 1);
      frame.packed = () => ({ bins: Uint16Array.of(bin), counts: Float64Array.of(8) });
      return frame;
    }),
  );
  return { history, place: 0 };
}

/** @param {Float64Array[]} z @param {number} column */
const total = (z, column) => z.reduce((sum, row) => sum + row[column], 0);

test("each column of a heat map holds all of a step's values", () => {
  const { x, y, z } = heat(source([1, -1, 1]), LINEAR, [-2, 2]);
  assert.deepEqual([...x], [0, 1, 2]);
  assert.deepEqual([0, 1, 2].map((column) => Math.round(total(z, column) * 1e9) / 1e9), [1, 1, 1]);
  const where = z.findIndex((row) => row[1] > 0);
  assert.ok(y[where] < 0);
});

test("a difference shows each run where it has more, at the same steps", () => {
  const [here, there] = difference(source([1, 1, 1, 1]), source([1, -1, -1]), LINEAR, [-2, 2]);
  assert.deepEqual([...here.x], [0, 1, 2]); // not beyond what the other has
  assert.equal(total(here.z, 0) + total(there.z, 0), 0);
  for (const { z } of [here, there]) assert.ok(Math.abs(total(z, 1) - 1) < 1e-9);
  assert.ok(here.y[here.z.findIndex((row) => row[1] > 0)] > 0);
  assert.ok(there.y[there.z.findIndex((row) => row[1] > 0)] < 0);
  assert.equal(here.most, there.most);
});

test("ridges stand on their steps, the last one first, within the axis that is told", () => {
  const lines = Array.from({ length: RIDGES }, () => new Column());
  const [low, high] = ridges(source(Array(30).fill(1)), LINEAR, [-2, 2], lines);
  const bases = lines.filter((line) => line.n).map((line) => line.y[0]);
  assert.ok(bases.length > 5);
  assert.deepEqual(bases, bases.toSorted((a, b) => b - a));
  for (const { y, n } of lines) for (let i = 0; i < n; i++) assert.ok(y[i] >= low && y[i] <= high);
});
