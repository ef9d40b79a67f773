import assert from "node:assert/strict";
import { test } from "node:test";

import { csvWords } from "../../static/lines/csv.js";

test("what a spreadsheet would run is text, and numbers stay numbers", () => {
  for (const [words, cell] of [
    ["=1+1", "'=1+1"],
    ['=HYPERLINK("http://evil.example","x")', `"'=HYPERLINK(""http://evil.example"",""x"")"`],
    ["+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"],
    ["-2+3", "'-2+3"],
    ["@SUM(1)", "'@SUM(1)"],
    ["\t=1", "'\t=1"],
    ["\r=1", `"'\r=1"`],
    ["＝1", "'＝1"],
    ["-0.5", "-0.5"],
    ["+1e-3", "+1e-3"],
    ["none", "none"],
    ["a = b", "a = b"],
    ["", ""],
  ]) {
    assert.equal(csvWords(words), cell);
  }
});
