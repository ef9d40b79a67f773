import assert from "node:assert/strict";
import { test } from "node:test";

import { objection, valueOf } from "../../static/form.js";

/** @type {import("../../static/types.js").Setting} */
const steps = { name: "steps", label: "Steps", kind: "int", default: 5, low: 1, high: 9, unit: "", choices: null, sentence: "" };

test("a field says what is wrong with its text", () => {
  const sentences = ["", "x", "1.5", "0", "10", "7"].map((text) => objection(steps, text));
  assert.deepEqual(sentences, ["A number is needed.", "A number is needed.", "A whole number is needed.", "At least 1.", "At most 9.", ""]);
  assert.equal(objection({ ...steps, kind: "float" }, "1.5"), "");
  assert.equal(objection({ ...steps, kind: "ints" }, "1, 12"), "At most 9.");
});

test("texts become values", () => {
  assert.equal(valueOf(steps, "7"), 7);
  assert.deepEqual(valueOf({ ...steps, kind: "ints" }, "1, 2"), [1, 2]);
  assert.equal(valueOf({ ...steps, kind: "choice" }, "relu"), "relu");
});
