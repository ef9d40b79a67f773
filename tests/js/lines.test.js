import assert from "node:assert/strict";
import { test } from "node:test";

import { Column } from "../../static/lines/column.js";
import { Frame } from "../../static/data/frame.js";
import { History } from "../../static/data/history.js";
import { measuredLines, profileLines, spreadLines } from "../../static/lines/lines.js";
import { LINEAR, LOGARITHMIC } from "../../static/lines/scale.js";

/** A history whose frame at each step holds these values, or none. @param {(number[] | null)[]} every */
function measured(every) {
  const history = new History();
  every.forEach((values, seq) => {
    const frame = new Frame({ seq, frames: 1, firstStep: seq, lastStep: seq, time: seq, level: 0 }, 0);
    const mean = Float64Array.from(values ?? []);
    if (values) frame.series.set("drift", { mean, low: mean, high: mean, samples: 1 });
    history.add([frame]);
  });
  return history;
}

test("a vector is its mean and the band of all layers", () => {
  const [band, line] = [new Column(), new Column()];
  measuredLines(measured([[1, 3, NaN], null, [10, 1000]]), "drift", LINEAR, [band, line]);
  assert.deepEqual([[...line.points.x], [...line.points.y]], [[0, 2], [2, 505]]);
  assert.deepEqual([[...band.points.x], [...band.points.y]], [[0, 2, 2, 0], [3, 1000, 10, 1]]);
});

test("a scalar has no band, and zero no place on a logarithmic axis", () => {
  const [band, line] = [new Column(), new Column()];
  measuredLines(measured([[0.01], [0], [100]]), "drift", LOGARITHMIC, [band, line]);
  assert.equal(band.n, 0);
  assert.deepEqual([...line.points.y], [-2, NaN, 2]);
  assert.deepEqual(line.more, [[0.01], [0], [100]]);
});

test("the spread of runs reaches from the smallest to the largest, as far as all have come", () => {
  const [area, high, low] = [new Column(), new Column(), new Column()];
  const short = measured([[4], null, [2], [8]]);
  spreadLines([measured([[1], [5], [6], [7], [9]]), short], "drift", [area, high, low]);
  assert.deepEqual([[...high.points.x], [...high.points.y], [...low.points.y]], [[0, 1, 2, 3], [4, 5, 6, 8], [1, 3, 2, 7]]);
  assert.deepEqual([...area.points.x], [0, 1, 2, 3, 3, 2, 1, 0]);
  for (const others of [[], [measured([null])], [measured([])]]) {
    spreadLines([short, ...others], "drift", [area, high, low]);
    assert.deepEqual([area.n, high.n, low.n], [0, 0, 0]);
  }
});

test("what is measured once is drawn over layers", () => {
  const line = new Column();
  profileLines(measured([[5, 7]]).newest, "drift", LINEAR, line);
  assert.deepEqual([[...line.points.x], [...line.points.y]], [[1, 2], [5, 7]]);
});

test("logarithmic ticks are powers of ten, with steps between where they are few", () => {
  assert.deepEqual(LOGARITHMIC.ticks([-3.2, 1.1])?.ticktext, ["0.001", "0.01", "0.1", "1", "10"]);
  assert.deepEqual(LOGARITHMIC.ticks([-0.1, 0.8])?.ticktext, ["1", "2", "5"]);
  assert.ok((LOGARITHMIC.ticks([-12, 8])?.tickvals ?? []).length <= 6);
});
