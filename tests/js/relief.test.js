import assert from "node:assert/strict";
import { test } from "node:test";

import { relief } from "../../static/lines/relief.js";

const BOX = { width: 200, height: 100, margin: 10 };
const a = [0, 1, 2];
const b = [0, 1];
/** A slope along b. */
const z = [[0, 0, 0], [4, 4, 4]];

test("every cell is there, inside the box, and those behind come first", () => {
  const { cells } = relief({ a, b, z }, [], [], { azimuth: 0, elevation: 0.6 }, BOX);
  assert.equal(cells.length, 2);
  for (const { points, level } of cells) {
    assert.equal(level, 0.5);
    for (const [x, y] of points) assert.ok(x >= 9.9 && x <= 190.1 && y >= 9.9 && y <= 90.1, `${x}, ${y}`);
  }
  // From behind, what was at the left is at the right.
  const front = relief({ a, b, z: [[0, 1, 2], [0, 1, 2]] }, [], [], { azimuth: 0, elevation: 0.6 }, BOX);
  const back = relief({ a, b, z: [[0, 1, 2], [0, 1, 2]] }, [], [], { azimuth: Math.PI, elevation: 0.6 }, BOX);
  const low = (/** @type {typeof front} */ { cells: found }) => found.toSorted((p, q) => p.level - q.level)[0].points[0][0];
  assert.ok(low(front) < low(back));
  const deep = relief({ a: [0, 1], b: [0, 1, 2, 3], z: Array.from({ length: 4 }, () => [0, 0]) }, [], [], { azimuth: 0, elevation: 1.2 }, BOX);
  const tops = deep.cells.map(({ points }) => Math.min(...points.map(([, y]) => y)));
  assert.deepEqual(tops, tops.toSorted((p, q) => p - q));
});

test("a path lies upon the surface", () => {
  const eye = { azimuth: 0, elevation: 0.2 };
  const { cells, path } = relief({ a, b, z }, [0, 0, 2, 1], [0, 1, 1, 0.5], eye, BOX);
  const corners = cells.flatMap(({ points }) => points);
  for (const at of path.slice(0, 3)) assert.ok(corners.some(([x, y]) => Math.hypot(x - at[0], y - at[1]) < 1e-6), String(at));
  const [near, far] = [path[0], path[1]];
  const middle = path[3];
  assert.ok(middle[1] > Math.min(near[1], far[1]) && middle[1] < Math.max(near[1], far[1]));
});

test("a surface that is flat, or partly not finite, is drawn", () => {
  const { cells } = relief({ a, b, z: [[1, 1, 1], [1, Infinity, NaN]] }, [1], [0.5], { azimuth: 1, elevation: 0.5 }, BOX);
  for (const { points, level } of cells) {
    assert.ok(level >= 0 && level <= 1);
    assert.ok(points.flat().every(Number.isFinite));
  }
});
