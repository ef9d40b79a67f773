import assert from "node:assert/strict";
import { test } from "node:test";

import { conditionsOf, labelOf, progressOf, shownRuns, tally } from "../../static/data/shown.js";
import { parseView } from "../../static/data/view.js";

/** @typedef {import("../../static/types.js").BriefRun} BriefRun */

/** Two arms under three rates with two seeds, a whole seed first, as the server lists them. */
const runs = [0, 1].flatMap((seed) => [0.1, 1, 10].flatMap((rate) => ["none", "batch"].map((arm) => makeRun(arm, seed, { rate }))));

/**
 * @param {string} arm
 * @param {number} seed
 * @param {Record<string, number>} varied
 * @returns {BriefRun}
 */
function makeRun(arm, seed, varied) {
  const id = [arm, seed, ...Object.values(varied)].join("-");
  return { id, experiment: "e", arm, seed, name: arm, status: "waiting", steps: 10, last_step: -1, alerts: 0, lasting: 0, varied };
}

/** @param {string} query @param {BriefRun[]} [from] */
function shown(query, from = runs) {
  return shownRuns(from, parseView(query)).map(({ id }) => id);
}

test("of each arm the first seed under the first condition is shown", () => {
  assert.deepEqual(shown(""), ["none-0-0.1", "batch-0-0.1"]);
  assert.deepEqual(shown("where=rate:7,seed:9&arms=5"), ["none-0-0.1", "batch-0-0.1"]);
});

test("conditions, seeds and arms can be chosen", () => {
  assert.deepEqual(shown("where=rate:10,seed:1"), ["none-1-10", "batch-1-10"]);
  assert.deepEqual(shown("where=rate:all&arms=1"), ["batch-0-0.1", "batch-0-1", "batch-0-10"]);
  assert.equal(shown("where=rate:all,seed:all").length, 12);
  assert.deepEqual(shown("runs=batch-1-1&where=rate:10"), ["batch-1-1"]);
});

test("hundreds are not shown at once, but every arm is", () => {
  const many = Array.from({ length: 40 }, (_, seed) => makeRun("none", seed, {}));
  assert.equal(shown("where=seed:all", many).length, 12);
  const arms = Array.from({ length: 15 }, (_, i) => makeRun(`arm ${i}`, 0, {}));
  assert.equal(shown("", arms).length, 15);
});

test("what differs names a run", () => {
  const conditions = conditionsOf(runs);
  assert.deepEqual([...conditions], [["rate", ["0.1", "1", "10"]], ["seed", ["0", "1"]]]);
  assert.equal(labelOf(runs[3], conditions.keys()), "batch · rate 1 · seed 0");
  assert.equal(labelOf({ ...runs[0], arm: "", name: "my net", varied: { init_scale: 4 } }, ["init_scale"]), "my net · init scale 4");
  assert.deepEqual([...conditionsOf(runs.slice(0, 2))], []);
});

test("a tally says how far all runs are", () => {
  /** @type {import("../../static/types.js").Status[]} */
  const statuses = ["finished", "waiting", "running", "finished", "waiting", "failed"];
  const some = statuses.map((status, i) => ({ ...runs[i], status, last_step: status === "running" ? 4 : -1 }));
  assert.equal(tally(some), "2 of 6 runs finished, 1 training, 2 waiting, 1 failed");
  assert.equal(progressOf(some), 3.5 / 6);
  assert.ok(Number.isNaN(progressOf([{ ...runs[0], steps: null }])));
});
