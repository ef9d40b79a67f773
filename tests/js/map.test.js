/** What came out under each condition. */

import assert from "node:assert/strict";
import test from "node:test";

import { gridsOf, numbersOf } from "../../static/tabs/map.js";

/**
 * @param {string} arm
 * @param {number} seed
 * @param {Record<string, number>} varied
 * @param {Record<string, number | null>} numbers
 * @returns {import("../../static/types.js").Outcome}
 */
const outcome = (arm, seed, varied, numbers) => ({ run: `${arm}${seed}`, arm, seed, varied, status: "finished", numbers });

test("without conditions there is no map", () => {
  assert.deepEqual(gridsOf([outcome("none", 0, {}, { loss: 1 })], "loss"), []);
});

test("one condition makes one grid of the arms, in the order of its values", () => {
  const outcomes = [10, 2].flatMap((rate) => ["none", "batch"].flatMap((arm) => [0, 1, 2].map((seed) => outcome(arm, seed, { rate }, { loss: rate * (seed + 1) }))));
  const [grid, ...more] = gridsOf(outcomes, "loss");
  assert.equal(more.length, 0);
  assert.deepEqual(grid.columns, ["rate 2", "rate 10"]);
  assert.deepEqual(grid.rows.map(({ title }) => title), ["none", "batch"]);
  assert.deepEqual(grid.rows[0].cells.map(({ value, share, runs, missing }) => [value, share, runs, missing]), [[4, 0, 3, 0], [20, 1, 3, 0]]);
});

test("two conditions make a grid for each arm; colours are logarithmic where numbers differ widely", () => {
  const outcomes = [0.1, 1].flatMap((rate) => [1, 4].flatMap((init_scale) => ["none", "batch"].map((arm) => outcome(arm, 0, { rate, init_scale }, { loss: arm === "none" ? 100 * init_scale : rate }))));
  const grids = gridsOf(outcomes, "loss");
  assert.deepEqual(grids.map(({ title }) => title), ["none", "batch"]);
  assert.deepEqual(grids[0].rows.map(({ title }) => title), ["init scale 1", "init scale 4"]);
  assert.deepEqual(grids[0].columns, ["rate 0.1", "rate 1"]);
  const [low, high] = grids[1].rows[0].cells;
  assert.equal(low.share, 0);
  assert.ok(Math.abs(high.share - Math.log(10) / Math.log(4000)) < 1e-12);
});

test("what is yes or no is a share, what could not be measured is counted, and so is what has diverged", () => {
  /** @type {Record<string, number | null>[]} */
  const numbers = [{ learned: 1, loss: 2, diverged: 0 }, { learned: 0, loss: null, diverged: 1 }, { learned: 0, loss: 3, diverged: 0 }, {}];
  const outcomes = numbers.map((found, seed) => outcome("none", seed, { rate: 1 }, found));
  const [{ rows: [{ cells: [learned] }] }] = gridsOf(outcomes, "learned");
  assert.deepEqual([learned.value, learned.runs, learned.missing, learned.diverged], [1 / 3, 3, 0, 1]);
  const [{ rows: [{ cells: [loss] }] }] = gridsOf(outcomes, "loss");
  assert.deepEqual([loss.value, loss.runs, loss.missing, loss.diverged], [2.5, 3, 1, 1]);
  const [{ rows: [{ cells: [none] }] }] = gridsOf(outcomes.slice(3), "loss");
  assert.deepEqual([none.value, none.runs], [NaN, 0]);
  assert.deepEqual(numbersOf(outcomes), ["diverged", "learned", "loss"]);
});
