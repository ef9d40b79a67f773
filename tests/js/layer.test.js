/** When a layer is in trouble, by the rules that the page is given. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { troubleOf } from "../../static/data/layer.js";

/** @typedef {import("../../static/types.js").Rule} Rule */

/** @type {Rule[]} */
const RULES = [
  { name: "dead", measure: "zeros", relation: ">=", bound: 0.99, steps: 3, words: "is nothing but zeros" },
  { name: "vanishing", measure: "std", relation: "<", bound: 1e-6, steps: 1, words: "hardly varies" },
];

/** A history of one layer, each frame of so many steps. @param {[values: number, zeros: number, std: number][]} steps @param {number} [each] @returns {any} */
const history = (steps, each = 1) => ({
  frames: steps.map(([values, zeros, std], step) => ({
    firstStep: each * step,
    lastStep: each * step + each - 1,
    level: each > 1 ? 1 : 0,
    row: () => 0,
    counters: Float64Array.of(values, zeros, 0, 0),
    moments: Float64Array.of(0, std, -1, 1),
  })),
});

test("trouble is told once it has lasted as long as its rule asks for", () => {
  const one = history([[100, 3, 1], [100, 99, 1], [100, 100, 1], [100, 99, 1]]);
  assert.equal(troubleOf(one, 0, 2, RULES), null);
  assert.deepEqual(troubleOf(one, 0, 3, RULES), { kind: "dead", sentence: "is nothing but zeros", since: 1, about: false });
});

test("where steps were merged, it is known about when trouble began", () => {
  const merged = history([[100, 3, 1], [100, 60, 1], [100, 100, 1]], 4);
  assert.deepEqual(troubleOf(merged, 0, 2, RULES), { kind: "dead", sentence: "is nothing but zeros", since: 8, about: true });
});

test("the first rule that holds is told, and that a single value does not vary is no trouble", () => {
  const dead = history([[9, 9, 0], [9, 9, 0], [9, 9, 0]]);
  assert.equal(troubleOf(dead, 0, 2, RULES)?.kind, "dead");
  assert.equal(troubleOf(history([[1, 0, 0]]), 0, 0, RULES), null);
  assert.equal(troubleOf(history([[2, 0, 0]]), 0, 0, RULES)?.kind, "vanishing");
});
