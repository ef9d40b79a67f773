import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeFrames } from "../../static/data/frame.js";
import { decodeFrame, decodeLive, decodeStream, WireError } from "../../static/server/wire.js";
import { bytes, close, expected } from "./golden.js";

/**
 * @param {import("../../static/data/frame.js").Frame} frame
 * @param {import("./golden.js").ExpectedFrame & Record<string, unknown>} wanted
 */
function assertFrame(frame, wanted) {
  for (const key of /** @type {const} */ (["seq", "frames", "level", "time", "firstStep", "lastStep"])) {
    assert.equal(frame[key], wanted[key], key);
  }
  assert.deepEqual([...frame.series.keys()].sort(), Object.keys(wanted.series).sort());
  for (const [name, series] of frame.series) {
    const want = wanted.series[name];
    assert.equal(series.samples, want.samples);
    for (const key of /** @type {const} */ (["mean", "low", "high"])) assert.ok(close(series[key], want[key]), `${name}.${key}`);
  }
  assert.deepEqual([...frame.layers], wanted.layers);
  assert.deepEqual([...frame.kinds], wanted.kinds);
  wanted.layers.forEach((_, row) => {
    assert.ok(close(frame.moments.map(Math.fround).slice(4 * row, 4 * row + 4), wanted.moments[row]), `moments ${row}`);
    assert.deepEqual([...frame.counters.slice(4 * row, 4 * row + 4)], wanted.counters[row]);
    const { bins, counts } = frame.histogram(row);
    assert.deepEqual([[...bins], [...counts]], wanted.histograms[row]);
  });
}

for (const [name, wanted] of Object.entries(expected.frames)) {
  test(`decodes the golden frame ${name}`, () => assertFrame(decodeFrame(bytes(name)), wanted));
}

test("merges frames as Python does", () => {
  const parts = [0, 1, 2, 3].map((i) => decodeFrame(bytes(`step${i}`)));
  assertFrame(mergeFrames(parts), expected.frames.merged);
  assertFrame(mergeFrames([mergeFrames(parts)]), expected.frames.twice_merged);
  const unlike = [0, 1, 2].map((i) => decodeFrame(bytes(`unlike${i}`)));
  assertFrame(mergeFrames(unlike), expected.frames.unlike);
});

/**
 * @param {number[]} head
 * @param {Uint8Array[]} frames
 */
function packed(head, frames) {
  const out = [...head];
  for (const frame of frames) {
    const length = new Uint8Array(Uint32Array.of(frame.length).buffer);
    out.push(...length, ...frame);
  }
  return Uint8Array.from(out).buffer;
}

test("reads streams and live messages", () => {
  const parts = [bytes("step0"), bytes("step1")];
  assert.deepEqual(decodeStream(packed([], parts)).map((f) => f.seq), [0, 1]);
  const live = decodeLive(packed([3, 250], parts));
  assert.deepEqual([live.slot, live.generation, live.frames.map((f) => f.lastStep)], [3, 250, [0, 10]]);
});

test("refuses bytes that are not a frame", () => {
  const good = bytes("step1");
  for (let length = 0; length < good.length; length += 7) {
    assert.throws(() => decodeFrame(good.slice(0, length)), WireError, `cut at ${length}`);
  }
  assert.throws(() => decodeFrame(Uint8Array.from([9, ...good.slice(1)])), /version 9/);
  assert.throws(() => decodeStream(packed([], [good]).slice(0, -1)), WireError);
});
