import assert from "node:assert/strict";
import { test } from "node:test";

import { allOf, beginning, changes, countRuns, formatForm, objection, parseForm, roughly, textOf, valueOf } from "../../static/controls/settings.js";

/** @type {import("../../static/types.js").Setting} */
const steps = { name: "steps", label: "Steps", kind: "int", default: 5, low: 1, high: 9, unit: "", choices: null, suffix: "", sentence: "" };

test("a field says what is wrong with its text", () => {
  const sentences = ["", "x", "1.5", "0", "10", "7"].map((text) => objection(steps, text));
  assert.deepEqual(sentences, ["A number is needed.", "A number is needed.", "A whole number is needed.", "At least 1.", "At most 9.", ""]);
  assert.equal(objection({ ...steps, kind: "float" }, "1.5"), "");
  assert.equal(objection({ ...steps, kind: "ints" }, "1, 12"), "At most 9.");
});

test("a choice may be a file, where files may be named", () => {
  /** @type {import("../../static/types.js").Setting} */
  const data = { ...steps, kind: "choice", choices: ["digits", "shapes"], suffix: ".npz" };
  const sentence = "One of digits, shapes, or the whole path of a file that ends in .npz.";
  const texts = ["shapes", "/home/ann/mine.npz", "mine.npz", "/home/ann/mine.csv", ""];
  assert.deepEqual(texts.map((text) => objection(data, text)), ["", "", sentence, sentence, sentence]);
  assert.equal(objection({ ...data, suffix: "" }, "/home/ann/mine.npz"), "One of digits, shapes.");
  assert.equal(valueOf(data, "/home/ann/mine.npz"), "/home/ann/mine.npz");
});

test("texts become values", () => {
  assert.equal(valueOf(steps, "7"), 7);
  assert.deepEqual(valueOf({ ...steps, kind: "ints" }, "1, 2"), [1, 2]);
  assert.equal(valueOf({ ...steps, kind: "choice" }, "relu"), "relu");
});

test("a list says what is wrong with any of its values", () => {
  /** @type {import("../../static/types.js").Setting} */
  const rates = { ...steps, kind: "floats", low: 0 };
  assert.deepEqual(["0.5, 2", "1,,2", "1, 1.0", "1, x", "0.1, -1"].map((text) => objection(rates, text)), [
    "",
    "A number is needed.",
    "Each value once.",
    "A number is needed.",
    "At least 0.",
  ]);
  assert.equal(objection({ ...rates, high: null }, Array.from({ length: 13 }, (_, i) => i).join()), "At most 12 values.");
  assert.deepEqual(valueOf(rates, textOf([0.1, 1e-6])), [0.1, 1e-6]);
});

/** @type {import("../../static/types.js").Claim} */
const claim = {
  number: 10, title: "", sentence: "", measures: "", literature: "", arms: [], default_arms: ["none"], mapped: "", rule: [],
  settings: [steps, { ...steps, name: "rates", kind: "floats", default: [0.1, 1] }, { ...steps, name: "seeds", default: 5 }],
  sizes: { quick: { sentence: "", settings: {}, arms: null }, long: { sentence: "", settings: { steps: 9 }, arms: ["none", "batch"] } },
  varied: { rates: "rate" },
};

test("a size gives what a form begins with, and only changes are sent", () => {
  assert.deepEqual(beginning(claim, "long"), { values: { steps: 9, rates: [0.1, 1], seeds: 5 }, arms: ["none", "batch"] });
  assert.deepEqual(beginning(claim, null).arms, ["none"]);
  const { values } = beginning(claim, "long");
  assert.deepEqual(changes({ ...values, steps: 5, rates: [0.1, 1] }, values), { steps: 5 });
  assert.deepEqual(changes({ ...values, rates: [1] }, values), { rates: [1] });
});

test("a form says how many runs it makes", () => {
  assert.equal(countRuns(claim, { rates: [0.1, 1], seeds: 5 }, 2), "20 runs: 2 arms × 2 values of rate × 5 seeds");
  assert.equal(countRuns(claim, { rates: [1], seeds: 1 }, 1), "1 run");
});

test("an address holds what was changed in a form", () => {
  const known = { ...claim, arms: ["none", "batch", "layer"].map((name) => ({ name, sentence: "", changes: {} })) };
  const parse = (/** @type {string} */ query) => parseForm(known, new URLSearchParams(query));
  assert.equal(formatForm(known, parse("")).size, 0);
  for (const query of ["size=long", "size=long&arms=layer", "steps=7&rates=0.3%2C2", "arms=none%2Cbatch&seeds=1"]) {
    assert.equal(String(formatForm(known, parse(query))), query);
  }
  assert.deepEqual(parse("size=vast&arms=no,such&steps=-4").size, "quick");
  assert.deepEqual(parse("arms=no,such").arms, ["none"]);
  assert.equal(parse("steps=-4").texts.steps, "-4"); // the field says what is wrong with it
  const like = parse(String(allOf({ steps: 5, rates: [1, 2], seeds: 5 }, ["batch"])));
  assert.deepEqual([like.texts.rates, like.arms], ["1, 2", ["batch"]]);
});

test("a rough time has two digits at most", () => {
  assert.deepEqual([0.2, 44.4, 89, 130, 6000].map(roughly), ["a second", "44 s", "89 s", "2.2 min", "1.7 h"]);
});
