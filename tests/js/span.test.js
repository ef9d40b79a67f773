/** A span of a run: what is shown of it before and after the store was asked. */

import assert from "node:assert/strict";
import test from "node:test";

import { Frame } from "../../static/data/frame.js";
import { State } from "../../static/data/state.js";

/** @param {number} seq @param {number} [level] */
function frame(seq, level = 0) {
  const frames = 4 ** level;
  return new Frame({ seq, frames, firstStep: seq, lastStep: seq + frames - 1, time: seq, level }, 0);
}

/** @param {number} from @param {number} to @param {number} [level] */
const range = (from, to, level = 0) => Array.from({ length: (to - from) / 4 ** level }, (_, i) => frame(from + i * 4 ** level, level));

/** @param {string} query */
function stateOf(query) {
  const run = { id: "r", arm: "none", seed: 0, varied: {}, edges: [], layers: [] };
  return new State(/** @type {import("../../static/types.js").Experiment} */ (/** @type {unknown} */ ({ runs: [run] })), query);
}

/** @param {State} state */
const shown = (state) => state.history("r").frames.map((f) => `${f.firstStep}-${f.lastStep}`);

test("shows what is known of a span at once, and asks for the rest", () => {
  const state = stateOf("span=6-9");
  assert.deepEqual(shown(state), []);
  assert.ok(state.blurred("r"));
  state.replace("r", [...range(0, 8, 1), ...range(8, 12)]);
  assert.deepEqual(shown(state), ["4-7", "8-8", "9-9"]);
  assert.ok(state.blurred("r"));
  state.sharpen("r", [6, 9], range(6, 10));
  assert.deepEqual(shown(state), ["6-6", "7-7", "8-8", "9-9"]);
  assert.ok(!state.blurred("r"));
});

test("does not ask where it has every frame, and keeps them when zooming on", () => {
  const state = stateOf("");
  state.replace("r", [...range(0, 8, 1), ...range(8, 16)]);
  assert.ok(!state.blurred("r"));
  state.show({ span: [9, 14] });
  assert.ok(!state.blurred("r"));
  state.show({ span: [2, 6] });
  assert.ok(state.blurred("r"));
  state.sharpen("r", [2, 6], range(2, 7));
  state.show({ span: [3, 5] });
  assert.deepEqual(shown(state), ["3-3", "4-4", "5-5"]);
  assert.ok(!state.blurred("r"));
  state.show({ span: null });
  assert.equal(shown(state).length, 10);
});

test("an answer for a span that is no longer shown changes nothing", () => {
  const state = stateOf("span=0-3");
  state.replace("r", range(0, 16, 1));
  state.show({ span: [8, 11] });
  state.sharpen("r", [0, 3], range(0, 4));
  assert.deepEqual(shown(state), ["8-11"]);
});

test("a span grows while its steps are made, and not beyond its end", () => {
  const state = stateOf("span=4-7");
  state.replace("r", range(0, 5));
  assert.deepEqual(shown(state), ["4-4"]);
  for (let seq = 5; seq < 12; seq++) assert.ok(state.take("r", [frame(seq)]));
  assert.deepEqual(shown(state), ["4-4", "5-5", "6-6", "7-7"]);
  assert.deepEqual(state.bounds, [4, 7]);
});

test("the cursor reads the newest step beside the span that is shown", () => {
  const state = stateOf("span=4-7");
  state.replace("r", range(0, 12));
  assert.equal(state.frameAtCursor("r")?.firstStep, 11);
  state.show({ step: 5 });
  assert.equal(state.frameAtCursor("r")?.firstStep, 5);
  state.show({ step: 1 });
  assert.equal(state.frameAtCursor("r")?.firstStep, 1);
});
