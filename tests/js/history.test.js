import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { Frame } from "../../static/data/frame.js";
import { bound, History } from "../../static/data/history.js";

/**
 * @param {number} seq
 * @param {number} [level]
 */
function frame(seq, level = 0) {
  const frames = 4 ** level;
  const made = new Frame({ seq, frames, firstStep: 2 * seq, lastStep: 2 * (seq + frames - 1), time: seq, level }, 0);
  const value = Float64Array.of(seq);
  made.series.set("loss", { mean: value, low: value, high: value, samples: frames });
  return made;
}

/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from }, (_, i) => frame(from + i));

/** @param {History} history */
function assertWhole(history) {
  history.frames.forEach((f, i) => assert.equal(f.seq, i ? history.frames[i - 1].end : 0));
}

test("keeps to its bound without losing a step", () => {
  const history = new History(100);
  for (let seq = 0; seq < 5000; seq++) {
    assert.ok(history.add([frame(seq)]));
    assert.ok(history.frames.length <= 100);
  }
  assertWhole(history);
  assert.equal(history.last, 4999);
  assert.equal(history.newest?.level, 0);
  for (const f of history.frames) {
    const loss = f.series.get("loss");
    assert.deepEqual([f.frames, f.seq % f.frames, loss?.samples], [4 ** f.level, 0, f.frames]);
    assert.deepEqual([loss?.low[0], loss?.high[0]], [f.seq, f.end - 1]);
  }
});

test("says when there is a hole, and fills it", () => {
  const history = new History();
  assert.ok(history.add(range(0, 4)));
  assert.equal(history.add(range(8, 10)), false);
  assert.ok(history.replace([frame(0, 1), frame(4, 1)]));
  assertWhole(history);
  assert.deepEqual(history.frames.map((f) => f.seq), [0, 4, 8, 9]);
});

test("takes a late frame into its hole, and the same frame once", () => {
  const history = new History();
  history.add([frame(0), frame(3), frame(1), frame(1), frame(2), frame(3), frame(0, 1)]);
  assert.deepEqual(history.frames.map((f) => f.seq), [0, 1, 2, 3]);
});

test("finds the frame that shows a step", () => {
  const history = new History();
  assert.equal(history.at(5), undefined);
  history.add([frame(0, 1), frame(4), frame(5)]);
  assert.deepEqual([0, 5, 8, 9, 10, 99].map((step) => history.at(step)?.seq), [0, 0, 4, 4, 5, 5]);
  assert.equal(history.at(null)?.seq, 5);
});

test("a step is shown by its own frame, not by what was told after it", () => {
  /** @param {number} seq @param {number} step @param {number} rows */
  const part = (seq, step, rows) => new Frame({ seq, frames: 1, firstStep: step, lastStep: step, time: seq, level: 0 }, rows);
  const history = new History();
  history.add([part(0, 0, 2), part(1, 1, 2), part(2, 1, 0), part(3, 1, 0)]);
  assert.deepEqual([history.newest?.seq, history.at(null)?.seq, history.at(1)?.seq, history.at(0)?.seq], [1, 1, 1, 0]);
  assert.equal(history.last, 3);
  history.add([part(4, 2, 0)]); // of a step in which no layer was called
  assert.equal(history.newest?.seq, 4);
});

test("nets of many layers keep fewer frames", () => {
  assert.deepEqual([bound(0), bound(10), bound(100), bound(500)], [600, 600, 400, 160]);
});

test("what was merged away is let go", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const history = new History(100);
  /** @type {WeakRef<Frame>[]} */
  const given = [];
  for (let seq = 0; seq < 2000; seq++) {
    const made = new Frame({ seq, frames: 1, firstStep: seq, lastStep: seq, time: seq, level: 0 }, 1);
    given.push(new WeakRef(made));
    history.add([made]);
    if (seq % 100 === 0) await new Promise((later) => setTimeout(later)); // weak references hold on until a task ends
  }
  await new Promise((later) => setTimeout(later));
  collect();
  const held = given.filter((reference) => reference.deref() !== undefined).length;
  assert.ok(held <= history.frames.length, `${held} of ${given.length} frames are held, ${history.frames.length} are kept`);
});
