/** What is measured of layers, as a heat map. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { layered, shadesOf } from "../../static/lines/layered.js";

/** A history with a vector at each step; none where it is null. @param {(number[] | null)[]} steps @returns {any} */
const history = (steps) => ({
  frames: steps.map((mean, step) => ({ from: step, to: step, series: new Map(mean ? [["drift", { mean }]] : []) })),
});
/** @param {ReturnType<typeof layered>} heat */
const strengths = ({ z }) => z.map((row) => [...row].map((value) => Math.round(100 * value) / 100));

test("colours are the same in all runs, the smallest number's faint, that of what was not measured none", () => {
  const runs = [history([[1, 2], null, [3, NaN]]), history([[4, 5]])];
  const shades = shadesOf(runs, "drift", false);
  assert.deepEqual(shades.range, [1, 5]);
  const heat = layered(runs[0], "drift", shades);
  assert.deepEqual([...heat.x], [0, 2]);
  assert.deepEqual([...heat.y], [1, 2]);
  assert.deepEqual(strengths(heat), [[0.08, 0.54], [0.31, NaN]]);
  assert.deepEqual(heat.values.map((row) => [...row]), [[1, 3], [2, NaN]]);
});

test("where numbers differ by orders of magnitude colours are logarithmic, and zero is the faintest", () => {
  const runs = [history([[0.01, 100]]), history([[0, 1]])];
  const shades = shadesOf(runs, "drift", false);
  assert.deepEqual(shades.range, [-2, 2]);
  assert.deepEqual(strengths(layered(runs[1], "drift", shades)), [[0.08], [0.54]]);
  assert.deepEqual(shadesOf([history([[-1, 100]])], "drift", false).range, [-1, 100]);
});

test("more steps than there is room for are merged", () => {
  const long = history(Array.from({ length: 480 }, (_, step) => [step]));
  const heat = layered(long, "drift", shadesOf([long], "drift", false));
  assert.equal(heat.x.length, 240);
  assert.equal(heat.values[0][0], 0.5);
});
