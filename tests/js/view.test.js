import assert from "node:assert/strict";
import { test } from "node:test";

import { formatView, matches, parseView, showsLayer } from "../../static/data/view.js";

test("nothing chosen is an empty query", () => assert.equal(formatView(parseView("")), ""));

test("a view goes through the address bar and back", () => {
  const query = "tab=landscape&mode=heat&scale=asinh&sort=drift&map=final_loss&layers=fc1,a%20b&series=lr,grad*&runs=r1&where=rate:0.1,seed:all&arms=0,2&step=120&span=100-200";
  assert.equal(formatView(parseView(`?${query}`)), query);
});

test("what makes no sense is the default", () => {
  assert.equal(formatView(parseView("tab=nowhere&step=-3&mode=&layers=,,&scale=root&where=rate,&arms=x&span=9-9")), "");
});

test("globs match whole names, words match parts", () => {
  assert.deepEqual(["fc1", "fc2", "act1", "out"].filter((n) => matches(n, "fc* OUT")), ["fc1", "fc2", "out"]);
  assert.deepEqual(["block.0.fc", "fc"].filter((n) => matches(n, "k.0")), ["block.0.fc"]);
  assert.ok(matches("anything", " "));
});

test("layers are shown by name or glob, all of them without a choice", () => {
  assert.ok(showsLayer(parseView(""), "fc1"));
  assert.ok(showsLayer(parseView("layers=fc*"), "fc1"));
  assert.ok(!showsLayer(parseView("layers=fc"), "fc1"));
});
