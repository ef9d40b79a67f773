import assert from "node:assert/strict";
import { test } from "node:test";

import { method, placement, sentenceOf, whyNone } from "../../static/tabs/criterion.js";

/** @type {import("../../static/types.js").Evidence} */
const evidence = {
  name: "steps to the loss, batch ÷ none", of: "steps_to_loss", arm: "batch", relation: "<", threshold: 1, how: "ratio",
  against: "none", over: null, decisive: true, unit: "", seeds: { 0: 0.25, 1: 4 }, estimate: 1, low: 0.5, high: 2, verdict: "undecided", missing: [],
};

test("a criterion is a sentence", () => {
  assert.equal(sentenceOf(evidence), "below 1 supports the claim, above 1 contradicts it");
  const growth = sentenceOf({ ...evidence, relation: ">", threshold: -1e-12, unit: "× a layer" });
  assert.equal(growth, "above −1e−12 × a layer supports the claim, below −1e−12 × a layer contradicts it");
  assert.equal(method({ how: "slope", over: "init_scale" }), "slope of the logarithm over that of init scale, seed by seed");
});

test("ratios are placed by their logarithm, and everything is in sight", () => {
  const place = placement(evidence);
  assert.ok(Math.abs(place(1) - 0.5) < 1e-12);
  assert.ok(Math.abs(place(2) - place(1) - (place(1) - place(0.5))) < 1e-12);
  for (const value of [0.25, 0.5, 1, 2, 4]) assert.ok(place(value) > 0 && place(value) < 1);
});

test("other numbers keep their distances, a lone one has room, zero breaks no ratio", () => {
  const place = placement({ ...evidence, how: "difference", threshold: 0, seeds: { 0: 1, 1: 3 }, low: null, high: null });
  assert.ok(Math.abs(2 * (place(1) - place(0)) - (place(3) - place(1))) < 1e-12);
  const lone = placement({ ...evidence, how: "value", threshold: 0, seeds: {}, low: null, high: null });
  assert.equal(lone(0), 0.5);
  assert.ok(Number.isFinite(placement({ ...evidence, seeds: { 0: 0 } })(0)));
});

test("what has no number says why", () => {
  /** @param {string} arm @param {import("../../static/types.js").Status} status @param {Record<string, number>} varied */
  const run = (arm, status, varied = {}) => ({ arm, status, varied });
  const slope = { ...evidence, arm: ["batch", "layer"], over: "init_scale" };
  assert.equal(whyNone(slope, [run("none", "running")]), "no run of batch or layer");
  const arms = ["none", "batch", "layer"];
  assert.equal(whyNone(slope, arms.map((arm) => run(arm, "running"))), "init scale is the same in all runs");
  assert.equal(whyNone(slope, arms.map((arm) => run(arm, "running", { init_scale: 1 }))), "no numbers yet");
  assert.equal(whyNone(evidence, arms.map((arm) => run(arm, "finished"))), "these runs have no such number");
});
