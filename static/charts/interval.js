/** The small picture of a criterion's evidence: a dot for each seed, the mean with its interval, the threshold. */

import { placement } from "../tabs/criterion.js";
import { makeSvg } from "../element.js";
import { number } from "../lines/scale.js";

/** @typedef {import("../types.js").Evidence} Evidence */

const WIDTH = 260;
const HEIGHT = 46;
const SEEDS = 11;
const MEAN = 24;
const FLOOR = 32;

/** @param {Evidence} evidence */
export function makeInterval(evidence) {
  const place = placement(evidence);
  const x = (/** @type {number} */ value) => Number((WIDTH * place(value)).toFixed(1));
  const label = `${evidence.name}: ${Object.keys(evidence.seeds).length} seeds, threshold ${evidence.threshold}`;
  const svg = makeSvg("svg", { class: "interval", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const edge = x(evidence.threshold);
  const [from, to] = evidence.relation === "<" ? [0, edge] : [edge, WIDTH];
  svg.append(
    makeSvg("rect", { class: "wanted", x: from, y: 0, width: to - from, height: FLOOR }),
    makeSvg("line", { class: "threshold", x1: edge, x2: edge, y1: 0, y2: FLOOR }),
    text(edge, number(evidence.threshold)),
  );
  for (const [seed, value] of Object.entries(evidence.seeds)) {
    const dot = makeSvg("circle", { class: "seed", cx: x(value), cy: SEEDS, r: 3.5 });
    dot.append(title(`seed ${seed}: ${number(value, 4)}`));
    svg.append(dot);
  }
  if (evidence.low !== null && evidence.high !== null) {
    const [low, high] = [x(evidence.low), x(evidence.high)];
    svg.append(makeSvg("path", { class: "range", d: `M${low},${MEAN - 4}v8m0,-4H${high}m0,-4v8` }));
  }
  if (evidence.estimate !== null) {
    const mean = x(evidence.estimate);
    svg.append(makeSvg("path", { class: "mean", d: `M${mean},${MEAN - 5.5}l5.5,5.5l-5.5,5.5l-5.5,-5.5z` }));
  }
  return svg;
}

/** A label below the axis, kept within the picture. @param {number} x @param {string} content */
function text(x, content) {
  const element = makeSvg("text", { x: Math.max(10, Math.min(WIDTH - 10, x)), y: HEIGHT - 2, "text-anchor": "middle" });
  element.textContent = content;
  return element;
}

/** @param {string} content */
function title(content) {
  const element = makeSvg("title", {});
  element.textContent = content;
  return element;
}
