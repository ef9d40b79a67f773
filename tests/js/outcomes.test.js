import assert from "node:assert/strict";
import { test } from "node:test";

import { tabulate, toCsv } from "../../static/tabs/outcomes.js";

/** @type {import("../../static/types.js").Outcome[]} */
const outcomes = [
  { run: "a1", arm: "batch, γ, β frozen first", seed: 0, varied: { rate: 0.1 }, status: "finished", numbers: { loss: 0.5, drift: null } },
  { run: "a2", arm: 'the "plain" one', seed: 1, varied: { rate: 1 }, status: "running", numbers: {} },
];

test("every number that any run has is a column", () => {
  const { head, rows, conditions } = tabulate(outcomes);
  assert.deepEqual(head, ["run", "arm", "rate", "seed", "status", "drift", "loss"]);
  assert.deepEqual(rows[0].slice(conditions), [null, 0.5]);
  assert.deepEqual(rows[1], ["a2", 'the "plain" one', 1, 1, "running", null, null]);
});

test("names with commas and quotes survive a file of comma-separated values", () => {
  const lines = ["run,arm,rate,seed,status,drift,loss", 'a1,"batch, γ, β frozen first",0.1,0,finished,,0.5', 'a2,"the ""plain"" one",1,1,running,,'];
  assert.equal(toCsv(outcomes), lines.map((line) => `${line}\r\n`).join(""));
});
