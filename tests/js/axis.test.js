import assert from "node:assert/strict";
import { test } from "node:test";

import { AXES, lay, tellsEpochs, ticksOf } from "../../static/data/axis.js";
import { Frame, mergeFrames } from "../../static/data/frame.js";
import { History } from "../../static/data/history.js";

/** A frame of one step that ended at so many seconds. @param {number} step @param {number} time @param {number} [epoch] */
function frame(step, time, epoch) {
  const made = new Frame({ seq: step, frames: 1, firstStep: step, lastStep: step, time, level: 0 }, 0);
  if (epoch !== undefined) {
    const value = Float64Array.of(epoch);
    made.series.set("epoch", { mean: value, low: value, high: value, samples: 1 });
  }
  return made;
}

/** @param {Frame[]} frames */
const places = (frames) => frames.map(({ from, to }) => [from, to]);

test("frames come laid along steps, and go back there", () => {
  const frames = [frame(0, 100), frame(5, 101)];
  assert.deepEqual(places(frames), [[0, 0], [5, 5]]);
  lay("time", frames, frames);
  lay("step", frames, frames);
  assert.deepEqual(places(frames), [[0, 0], [5, 5]]);
});

test("time begins with the first step, whose length is known from the second", () => {
  const frames = [frame(0, 100), frame(1, 100.5), frame(3, 103)];
  lay("time", frames, frames);
  assert.deepEqual(places(frames), [[500, 500], [1000, 1000], [3500, 3500]]);
});

test("a merged frame lies from the end of the one before it to its own", () => {
  const single = Array.from({ length: 8 }, (_, i) => frame(i, 100 + i));
  const frames = [mergeFrames(single.slice(0, 4)), ...single.slice(4)];
  lay("time", frames, frames);
  assert.deepEqual(places(frames).slice(0, 2), [[0, 4000], [5000, 5000]]);
  const history = new History();
  history.frames = frames;
  assert.equal(history.stepAt(0), 0);
  assert.equal(history.stepAt(2000), 2); // half of what it holds, to the nearest
  assert.equal(history.stepAt(6100), 5);
});

test("clocks that go back do not change the order", () => {
  const frames = [frame(0, 100), frame(1, 101), frame(2, 99), frame(3, 102)];
  lay("time", frames, frames);
  const ends = frames.map(({ to }) => to);
  assert.deepEqual(ends, [...ends].sort((a, b) => a - b));
});

test("epochs are told as shares or as whole numbers", () => {
  const shares = Array.from({ length: 9 }, (_, i) => frame(i, i, (i + 1) / 4));
  lay("epoch", shares, shares);
  assert.deepEqual(shares.map(({ to }) => to), [250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2250]);
  const whole = Array.from({ length: 41 }, (_, i) => frame(i, i, Math.floor(i / 10)));
  lay("epoch", whole, whole);
  assert.deepEqual([whole[9].to, whole[39].to], [1000, 4000]);
  assert.ok(tellsEpochs(whole));
});

test("what has told no epochs lies at the beginning", () => {
  const frames = [frame(0, 1), frame(1, 2)];
  lay("epoch", frames, frames);
  assert.deepEqual(places(frames), [[0, 0], [0, 0]]);
  assert.ok(!tellsEpochs(frames));
  lay("time", [], frames);
});

test("places are told in the axis's own words", () => {
  assert.equal(AXES.step.say(1240), "step 1,240");
  assert.deepEqual([1234, 12_345, 65_000, 3_725_000].map(AXES.time.text), ["1.23 s", "12.3 s", "1:05 min", "1:02:05 h"]);
  assert.equal(AXES.epoch.say(2500), "epoch 2.50");
  assert.equal(ticksOf(AXES.step, [0, 100]), null);
  assert.deepEqual(ticksOf(AXES.time, [0, 3000]), { tickvals: [0, 500, 1000, 1500, 2000, 2500, 3000], ticktext: ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"] });
});
