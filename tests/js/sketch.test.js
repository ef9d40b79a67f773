import assert from "node:assert/strict";
import { test } from "node:test";

import { addShares, BINS, EDGES, jensenShannon, kolmogorovSmirnov, quantiles, wasserstein } from "../../static/data/sketch.js";
import { decodeFrame } from "../../static/server/wire.js";
import { bytes, close, expected } from "./golden.js";

test("the edges are the fixed ones", () => {
  assert.equal(EDGES.length, BINS + 1);
  assert.ok(EDGES.every((edge, i) => i === 0 || edge > EDGES[i - 1]));
  assert.deepEqual([EDGES[1], EDGES[2], EDGES[769], EDGES[770]], [-(2 ** 32), -(2 ** 31) * 1.875, -(2 ** -64), 2 ** -64]);
});

for (const [name, wanted] of Object.entries(expected.frames)) {
  test(`quantiles of ${name} are Python's`, () => {
    const frame = decodeFrame(bytes(name));
    wanted.quantiles.forEach((want, row) => {
      const [low, high] = frame.moments.subarray(4 * row + 2);
      assert.ok(close(quantiles(frame.histogram(row), expected.probabilities, low, high), want), `row ${row}`);
    });
  });
}

test("distances are Python's", () => {
  const [a, b] = ["step0", "step1"].map((name) => decodeFrame(bytes(name)));
  expected.distances.forEach((want, row) => {
    const [p, q] = [a.histogram(row), b.histogram(row)];
    const actual = [wasserstein(p, q), jensenShannon(p, q), kolmogorovSmirnov(p, q)];
    assert.ok(close(actual, [want.wasserstein, want.jensen_shannon, want.kolmogorov_smirnov], 1e-5), `row ${row}: ${actual}`);
  });
});

test("shares of cells add up to everything that lies in them", () => {
  const frame = decodeFrame(bytes("step2"));
  const [low, high] = frame.moments.subarray(2);
  const cells = Float64Array.from({ length: 41 }, (_, i) => low + ((high - low) * i) / 40);
  const shares = new Float64Array(40);
  addShares(frame.histogram(0), cells, low, high, shares);
  assert.ok(Math.abs(shares.reduce((sum, x) => sum + x) - 1) < 1e-12);
  assert.ok(shares.every((share) => share >= 0));
});

test("a repeated value falls into one cell", () => {
  const shares = new Float64Array(2);
  addShares({ bins: Uint16Array.of(800), counts: Float64Array.of(5) }, [-1, EDGES[800], 1], EDGES[800], EDGES[800], shares);
  assert.deepEqual([...shares], [1, 0]);
});
