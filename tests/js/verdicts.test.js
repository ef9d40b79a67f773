import assert from "node:assert/strict";
import { test } from "node:test";

import { isDecidable } from "../../static/controls/verdicts.js";

/** @param {import("../../static/types.js").Status[]} statuses of one run for each seed */
function experiment(statuses) {
  const runs = statuses.map((status, seed) => ({ id: `r${seed}`, experiment: "e", arm: "none", seed, name: "", status, steps: 1, last_step: 0, alerts: 0, lasting: 0, varied: {} }));
  return { id: "e", name: "", claim: 10, settings: {}, tags: [], notes: "", created: 0, runs };
}

test("a verdict needs an end and five whole seeds", () => {
  assert.ok(isDecidable(experiment(["finished", "finished", "finished", "finished", "finished", "stopped"])));
  assert.ok(!isDecidable(experiment(["finished", "finished", "finished", "finished", "stopped"])));
  assert.ok(!isDecidable(experiment(["finished", "finished", "finished", "finished", "finished", "running"])));
  assert.ok(!isDecidable({ ...experiment(["finished", "finished", "finished", "finished", "finished"]), claim: null }));
});
