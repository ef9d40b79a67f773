/** The view: what a page shows. It is the URL's query, and empty where nothing was chosen. Pure. */

import { KINDS } from "./frame.js";

/**
 * @typedef {"distributions" | "landscape" | "series" | "gradients" | "normalizer" | "evidence" | "finding"} Tab
 * @typedef {(typeof KINDS)[number][0]} Kind
 * @typedef {"bands" | "heat" | "ridges" | "difference"} Mode
 * @typedef {"linear" | "asinh" | "log"} Scale
 * @typedef {"order" | "drift" | "trouble"} Sort
 * @typedef {"contours" | "relief"} Shape
 * @typedef {"mean" | "layers"} Each
 * @typedef {import("./axis.js").By} By
 *
 * @typedef {object} View
 * @property {Tab} tab
 * @property {Kind} kind what of each layer
 * @property {Mode} mode
 * @property {Scale} scale
 * @property {Sort} sort
 * @property {Shape} shape how surfaces are drawn
 * @property {Each} each how what is measured of layers is drawn
 * @property {string} map the number that is shown under each condition; empty: the one that the claim is about
 * @property {By} by what runs are laid along
 * @property {string[]} layers names or globs; none: every layer
 * @property {string[]} series names or globs of what is told as numbers; none: all
 * @property {string[]} runs ids; none: as `where` and `arms` say
 * @property {Record<string, string>} where what was varied, and the seed: one of its values, or all; else the first
 * @property {number[]} arms places among the experiment's arms; none: every arm
 * @property {number | null} step the cursor, a place on the axis; null follows the newest
 * @property {[number, number] | null} span the first and the last of the places that charts show; null: all
 */

/** @type {{tab: Tab[], kind: Kind[], mode: Mode[], scale: Scale[], sort: Sort[], shape: Shape[], each: Each[], by: By[]}} */
const CHOICES = {
  tab: ["distributions", "landscape", "series", "gradients", "normalizer", "evidence", "finding"],
  kind: KINDS.map(([name]) => name),
  mode: ["bands", "heat", "ridges", "difference"],
  scale: ["linear", "asinh", "log"],
  sort: ["order", "drift", "trouble"],
  shape: ["contours", "relief"],
  each: ["mean", "layers"],
  by: ["step", "time", "epoch"],
};

/**
 * @param {string} query with or without its question mark
 * @returns {View}
 */
export function parseView(query) {
  const given = new URLSearchParams(query);
  const step = Number.parseInt(given.get("step") ?? "", 10);
  return {
    tab: pick(CHOICES.tab, given.get("tab")),
    kind: pick(CHOICES.kind, given.get("kind")),
    mode: pick(CHOICES.mode, given.get("mode")),
    scale: pick(CHOICES.scale, given.get("scale")),
    sort: pick(CHOICES.sort, given.get("sort")),
    shape: pick(CHOICES.shape, given.get("shape")),
    each: pick(CHOICES.each, given.get("each")),
    by: pick(CHOICES.by, given.get("by")),
    map: given.get("map") ?? "",
    layers: names(given.get("layers")),
    series: names(given.get("series")),
    runs: names(given.get("runs")),
    where: pairs(given.get("where")),
    arms: names(given.get("arms")).map(Number).filter(Number.isInteger),
    step: step >= 0 ? step : null,
    span: spanOf(given.get("span")),
  };
}

/**
 * The first choice is the default.
 * @template {string} T
 * @param {T[]} choices
 * @param {string | null} value
 */
function pick(choices, value) {
  return choices.find((choice) => choice === value) ?? choices[0];
}

/** @param {string | null} text such as 200-400 @returns {[number, number] | null} */
function spanOf(text) {
  const [, first, last] = (/^(\d{1,15})-(\d{1,15})$/.exec(text ?? "") ?? []).map(Number);
  return first < last ? [first, last] : null;
}

/** @param {string | null} list */
function names(list) {
  return (list ?? "").split(",").filter(Boolean);
}

/** @param {string | null} list such as rate:0.1,seed:2 */
function pairs(list) {
  return Object.fromEntries(names(list).map((pair) => pair.split(":")).filter((pair) => pair.length === 2));
}

/**
 * The shortest query that parses to the view.
 * @param {View} view
 * @returns {string}
 */
export function formatView(view) {
  const parts = [];
  for (const key of /** @type {const} */ (["tab", "kind", "mode", "scale", "sort", "shape", "each", "by"])) {
    if (view[key] !== CHOICES[key][0]) parts.push(`${key}=${view[key]}`);
  }
  if (view.map) parts.push(`map=${encodeURIComponent(view.map)}`);
  if (view.layers.length) parts.push(`layers=${view.layers.map(encodeURIComponent).join(",")}`);
  if (view.series.length) parts.push(`series=${view.series.map(encodeURIComponent).join(",")}`);
  if (view.runs.length) parts.push(`runs=${view.runs.map(encodeURIComponent).join(",")}`);
  const where = Object.entries(view.where);
  if (where.length) parts.push(`where=${where.map((pair) => pair.map(encodeURIComponent).join(":")).join(",")}`);
  if (view.arms.length) parts.push(`arms=${view.arms.join(",")}`);
  if (view.step !== null) parts.push(`step=${view.step}`);
  if (view.span) parts.push(`span=${view.span.join("-")}`);
  return parts.join("&");
}

/**
 * Whether a name matches any of the globs (`*` and `?`); a pattern without either matches as a part.
 * @param {string} name
 * @param {string} patterns separated by commas or blanks; empty matches all
 */
export function matches(name, patterns) {
  const wanted = patterns.split(/[\s,]+/).filter(Boolean);
  return !wanted.length || wanted.some((pattern) => globToRegExp(pattern).test(name));
}

/** @param {string} pattern */
function globToRegExp(pattern) {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const body = escaped.replace(/\*/g, ".*").replace(/\?/g, ".");
  return new RegExp(/[*?]/.test(pattern) ? `^${body}$` : body, "i");
}

/**
 * Whether a layer is shown.
 * @param {View} view
 * @param {string} name
 */
export function showsLayer(view, name) {
  return !view.layers.length || view.layers.some((chosen) => chosen === name || (/[*?]/.test(chosen) && matches(name, chosen)));
}
