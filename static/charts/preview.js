/**
 * A chart in a few lines of SVG, as it is shown until Plotly is here. Plotly takes a second or two to be read and
 * evaluated; whoever opens a link sees the curves meanwhile.
 */

import { makeSvg } from "../element.js";
import { number } from "../lines/scale.js";

/**
 * @typedef {import("./charts.js").Drawing} Drawing
 * @typedef {import("./plotly.js").Trace} Trace
 * @typedef {{tickvals: number[], ticktext: string[]}} Ticks
 */

/**
 * @param {Drawing} drawing
 * @param {Trace[]} traces
 * @param {{width: number, height: number}} size
 * @param {{l: number, r: number, t: number, b: number}} margin
 * @param {Record<string, any>} theme the layout under every chart's own
 * @param {(line: Drawing["lines"][number]) => string} pathOf a line as a path within the drawing area
 */
export function makePreview({ x, y, lines, heats = [], xticks, yticks }, traces, { width, height }, margin, theme, pathOf) {
  const [w, h] = [width - margin.l - margin.r, height - margin.t - margin.b];
  const { gridcolor, linecolor, tickfont } = theme.xaxis;
  const font = { "font-size": tickfont.size, fill: tickfont.color, "font-family": theme.font.family };
  const svg = makeSvg("svg", { class: "preview", width, height });
  const area = makeSvg("svg", { x: margin.l, y: margin.t, width: w, height: h });
  for (const { at, text } of ticksOf(y, yticks, 5)) {
    const place = h * (1 - (at - y[0]) / (y[1] - y[0]));
    area.append(makeSvg("path", { d: `M0,${place}H${w}`, stroke: gridcolor }));
    svg.append(label(text, { x: margin.l - 4, y: margin.t + place + 4, "text-anchor": "end", ...font }));
  }
  for (const { at, text } of ticksOf(x, xticks, 7)) {
    svg.append(label(text, { x: margin.l + (w * (at - x[0])) / (x[1] - x[0]), y: margin.t + h + 15, "text-anchor": "middle", ...font }));
  }
  svg.append(makeSvg("path", { d: `M${margin.l},${margin.t + h}h${w}`, stroke: linecolor }), area);
  // Heat maps wait for Plotly; a line may lie on them.
  traces.slice(heats.length).forEach((trace, i) => area.append(...pathsOf(trace, pathOf(lines[i + heats.length]))));
  return svg;
}

/** @param {Trace} trace @param {string} d */
function pathsOf({ fill, fillcolor, line, opacity }, d) {
  const faint = { opacity: Number(opacity ?? 1) };
  const paths = fill ? [makeSvg("path", { class: "js-fill", d: d && `${d}Z`, fill: fillcolor ?? "none", ...faint })] : [];
  if (line?.width) {
    paths.push(makeSvg("path", { class: "js-line", d, fill: "none", stroke: String(line.color), "stroke-width": Number(line.width), ...faint }));
  }
  return paths;
}

/** @param {string} text @param {Record<string, string | number>} attributes */
function label(text, attributes) {
  const element = makeSvg("text", attributes);
  element.textContent = text;
  return element;
}

/**
 * Those that are given, or round numbers.
 * @param {[number, number]} range
 * @param {Ticks | null | undefined} given
 * @param {number} most
 */
function ticksOf([low, high], given, most) {
  if (given) return given.tickvals.map((at, i) => ({ at, text: given.ticktext[i] })).filter(({ at }) => at >= low && at <= high);
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push({ at: i * step, text: number(i * step) });
  return ticks;
}
