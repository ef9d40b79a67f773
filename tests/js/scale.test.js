/** Ticks of the value scales. */

import assert from "node:assert/strict";
import test from "node:test";

import { makeScale, number } from "../../static/lines/scale.js";

test("asinh's labels keep apart, zero and the outermost powers among them", () => {
  for (const [unit, most] of [[1e-4, 0.05], [1, 3], [0.01, 1e6], [1, 1.2]]) {
    const scale = makeScale("asinh", unit);
    const range = /** @type {[number, number]} */ ([scale.to(-most), scale.to(most)]);
    const { tickvals, ticktext } = scale.ticks(range) ?? { tickvals: [], ticktext: [] };
    assert.ok(ticktext.includes("0"));
    assert.ok(ticktext.length >= 3, ticktext.join());
    const sorted = tickvals.toSorted((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i] - sorted[i - 1] > 0.1 * (range[1] - range[0]));
  }
});

test("numbers are short, with one sign for minus", () => {
  const texts = [0, 1e-4, -1.5e-4, 123456, 0.0012345, -3, NaN].map((value) => number(value));
  assert.deepEqual(texts, ["0", "1e−4", "−1.5e−4", "1.2e5", "0.00123", "−3", "–"]);
});

test("a logarithmic axis ends a thousandth below the unit, where all that is smaller lies", () => {
  const scale = makeScale("log", 0.01);
  assert.deepEqual([1, 0.1, 1e-5, 1e-6, 0, -3].map(scale.to), [0, -1, -5, -5, -5, -5]);
  assert.equal(scale.from(scale.to(0.1)), 0.1);
  const { ticktext } = scale.ticks([-5, 0]) ?? { ticktext: [] };
  assert.deepEqual(ticktext, ["1e−5", "1e−4", "0.001", "0.01", "0.1", "1"]);
});
