import assert from "node:assert/strict";
import { test } from "node:test";

import { kinOf, lanesOf, MOST_LANES, netOf } from "../../static/data/net.js";

/** @param {string[]} names @param {[string, string][]} pairs */
function run(names, pairs, type = "Linear") {
  const layers = names.map((name) => ({ name, type, kinds: ["output"] }));
  const edges = pairs.map(([a, b]) => [names.indexOf(a), names.indexOf(b)]);
  return /** @type {import("../../static/types.js").Run} */ (/** @type {unknown} */ ({ layers, edges }));
}

/** @param {import("../../static/data/net.js").Net} net */
const names = (net) => net.layers.map((layer) => layer.name);
/** Every piece, as text. @param {import("../../static/data/net.js").Piece[][]} rows */
const told = (rows) => rows.map((row) => row.map(({ way, lane }) => `${way} ${lane}`).sort());

test("layers stay in the order of the model while nothing is known of how they hang together", () => {
  const net = netOf([run(["b", "a"], []), run(["a", "c"], [])]);
  assert.deepEqual(names(net), ["b", "a", "c"]);
  assert.deepEqual(lanesOf(net), { rows: [[], [], []], lanes: 0 });
});

test("a layer comes after what it takes, also if only another run has that", () => {
  const plain = run(["one", "act", "two"], [["one", "act"], ["act", "two"]]);
  const normed = run(["one", "act", "two", "norm"], [["one", "norm"], ["norm", "act"], ["act", "two"]]);
  const net = netOf([plain, normed]);
  assert.deepEqual(names(net), ["one", "norm", "act", "two"]);
  const common = Object.fromEntries(net.edges.map((edge) => [`${edge.from}-${edge.to}`, edge.common]));
  assert.deepEqual(common, { "one-act": false, "act-two": true, "one-norm": true, "norm-act": true });
});

test("a circle of layers is left as it is", () => {
  const net = netOf([run(["in", "cell", "out"], [["in", "cell"], ["out", "cell"], ["cell", "out"]])]);
  assert.deepEqual(new Set(names(net)), new Set(["in", "cell", "out"]));
});

test("a way around layers has a lane of its own, which another may take up where it ends", () => {
  const pairs = /** @type {[string, string][]} */ ([["a", "b"], ["b", "c"], ["a", "c"], ["c", "d"], ["d", "e"], ["c", "e"]]);
  const { rows, lanes } = lanesOf(netOf([run(["a", "b", "c", "d", "e"], pairs)]));
  assert.equal(lanes, 1);
  assert.deepEqual(told(rows), [
    ["below 0", "start 1"],
    ["above 0", "below 0", "through 1"],
    ["above 0", "below 0", "end 1", "start 1"],
    ["above 0", "below 0", "through 1"],
    ["above 0", "end 1"],
  ]);
});

test("what a layer gives to several shares a lane, and there are no more lanes than fit", () => {
  const heads = lanesOf(netOf([run(["x", "q", "k", "v"], [["x", "q"], ["x", "k"], ["x", "v"]])]));
  assert.equal(heads.lanes, 1);
  assert.deepEqual(told(heads.rows), [["below 0", "start 1"], ["above 0", "through 1"], ["end 1", "through 1"], ["end 1"]]);
  const layers = Array.from({ length: 20 }, (_, i) => `l${i}`);
  const across = layers.slice(0, 9).map((name, i) => /** @type {[string, string]} */ ([name, layers[19 - i]]));
  assert.equal(lanesOf(netOf([run(layers, across)])).lanes, MOST_LANES);
});

test("outputs that come together share a lane to all that takes them", () => {
  const names = ["in", "norm1", "attention", "norm2", "mlp", "out"];
  const pairs = /** @type {[string, string][]} */ ([
    ["in", "norm1"], ["norm1", "attention"], ["in", "norm2"], ["attention", "norm2"], ["norm2", "mlp"],
    ["in", "out"], ["attention", "out"], ["mlp", "out"],
  ]);
  const { rows, lanes } = lanesOf(netOf([run(names, pairs)]));
  assert.equal(lanes, 1);
  assert.deepEqual(told(rows), [
    ["below 0", "start 1"],
    ["above 0", "below 0", "through 1"],
    ["below 0", "above 0", "start 1", "through 1"].sort(),
    ["above 0", "below 0", "end 1", "through 1"],
    ["above 0", "below 0", "through 1"],
    ["above 0", "end 1"],
  ]);
});

test("outputs that do not all go where others go keep to themselves", () => {
  const pairs = /** @type {[string, string][]} */ ([["a", "c"], ["a", "e"], ["b", "e"], ["b", "d"]]);
  assert.equal(lanesOf(netOf([run(["a", "b", "c", "d", "e"], pairs)])).lanes, 2);
});

test("what comes back has a lane too", () => {
  const { rows, lanes } = lanesOf(netOf([run(["a", "b", "c"], [["a", "b"], ["b", "c"], ["c", "a"]])]));
  assert.equal(lanes, 1);
  assert.ok(told(rows).flat().includes("start 1"));
});

test("kin are what a layer takes and what takes from it", () => {
  const net = netOf([run(["a", "b", "c"], [["a", "b"], ["a", "c"], ["b", "c"]])]);
  assert.deepEqual(kinOf(net, "b"), { before: ["a"], after: ["c"] });
});
