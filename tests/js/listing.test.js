import assert from "node:assert/strict";
import { test } from "node:test";

import { formatOrder, holds, parseOrder, sorted } from "../../static/data/listing.js";

/** @typedef {import("../../static/types.js").BriefExperiment} BriefExperiment */

/**
 * @param {string} name
 * @param {number} created
 * @param {Partial<BriefExperiment>} [more]
 */
function experiment(name, created, more = {}) {
  const run = { id: name, experiment: name, arm: "batch", seed: 0, name, status: "finished", steps: 10, last_step: 9, alerts: 0, lasting: 0, varied: {} };
  return /** @type {BriefExperiment} */ ({ id: name, name, claim: 1, settings: {}, tags: [], notes: "", created, runs: [run], ...more });
}

test("finds words in name, arms, status, tags and notes", () => {
  const one = experiment("Digits", 1, { tags: ["week-3"], notes: "Look at fc3" });
  for (const words of ["", "digits", "batch FINISHED", "week-3 fc3", "dig fin"]) assert.ok(holds(one, words), words);
  for (const words of ["layer", "digits week-4"]) assert.ok(!holds(one, words), words);
});

test("sorts by any column, and those that are equal newest first", () => {
  const all = [experiment("b", 1), experiment("a", 2), experiment("c", 3, { tags: ["x"] })];
  const named = (/** @type {string} */ order) => sorted(all, parseOrder(order)).map(({ name }) => name).join("");
  assert.equal(named("name"), "abc");
  assert.equal(named("-name"), "cba");
  assert.equal(named("when"), "bac");
  assert.equal(named("nothing"), "cab");
  assert.equal(named("status"), "cab");
  for (const order of ["name", "-name", "when", "-progress"]) assert.equal(formatOrder(parseOrder(order)), order);
  assert.equal(formatOrder(parseOrder("-when")), "");
});
