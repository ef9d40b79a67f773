/** Frames that summarize several kinds of things of a layer. */

import assert from "node:assert/strict";
import test from "node:test";

import { Frame, KINDS } from "../../static/data/frame.js";
import { placeOf } from "../../static/data/layer.js";
import { State } from "../../static/data/state.js";

/** @param {string} name @param {string[]} kinds */
const layer = (name, kinds) => ({ name, type: "Linear", kinds });
const run = /** @type {import("../../static/types.js").Run} */ (
  /** @type {unknown} */ ({ id: "r", arm: "none", seed: 0, varied: {}, edges: [], layers: [layer("fc1", ["output", "gradient"]), layer("act", ["output"])] })
);

test("a row is found by layer and kind", () => {
  const frame = new Frame({ seq: 0, frames: 1, firstStep: 0, lastStep: 0, time: 0, level: 0 }, 3);
  frame.layers.set([0, 0, 1]);
  frame.kinds.set([0, 2, 0]);
  const kind = KINDS.findIndex(([name]) => name === "gradient");
  const places = [placeOf(run, "fc1"), placeOf(run, "fc1", kind), placeOf(run, "act"), placeOf(run, "act", kind), placeOf(run, "no such")];
  assert.deepEqual(places.map((place) => frame.row(place)), [0, 1, 2, -1, -1]);
});

test("a page offers what is watched, and falls back to it", () => {
  const experiment = /** @type {import("../../static/types.js").Experiment} */ (/** @type {unknown} */ ({ runs: [run] }));
  const state = new State(experiment, "kind=gradient");
  state.setRuns([run]);
  assert.deepEqual(state.kinds.map((i) => KINDS[i][0]), ["output", "gradient"]);
  assert.equal(KINDS[state.kind][0], "gradient");
  assert.equal(state.query, "kind=gradient");
  state.show({ kind: "weight" });
  assert.equal(KINDS[state.kind][0], "output");
});
