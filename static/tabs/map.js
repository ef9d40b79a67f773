/** What came out under each of several conditions: tables of the arms, a cell the stronger its colour the larger its number. */

import { make } from "../element.js";
import { number } from "../lines/scale.js";
import { wordsOf } from "../data/shown.js";

/**
 * @typedef {import("../types.js").Outcome} Outcome
 *
 * @typedef {object} Cell what the seeds of one arm under one condition came to
 * @property {number} value their middle, or of what is yes or no the share; NaN without any
 * @property {number} share how strong its colour is, from 0 to 1
 * @property {number} runs how many seeds are in
 * @property {number} missing how many of them have no such number
 * @property {number} diverged how many of them have diverged
 *
 * @typedef {object} Grid
 * @property {string} title
 * @property {string[]} columns
 * @property {{title: string, cells: Cell[]}[]} rows
 */

/** From how many times the smallest number on the largest one asks for logarithmic colours. */
const WIDE = 30;

/**
 * The names of the numbers that there are. Pure.
 * @param {Outcome[]} outcomes
 */
export function numbersOf(outcomes) {
  return [...new Set(outcomes.flatMap(({ numbers }) => Object.keys(numbers)))].sort();
}

/**
 * One grid of arms over the only condition, or for each arm one of the first condition over the others. Pure.
 * @param {Outcome[]} outcomes
 * @param {string} name of the number
 * @returns {Grid[]} none where nothing but the arm and the seed differs
 */
export function gridsOf(outcomes, name) {
  const [first, ...others] = new Set(outcomes.flatMap(({ varied }) => Object.keys(varied)));
  if (first === undefined) return [];
  const arms = [...new Set(outcomes.map(({ arm }) => arm))];
  const columns = valuesOf(outcomes, first);
  const rows = others.reduce(
    (rows, other) => rows.flatMap((row) => valuesOf(outcomes, other).map((value) => ({ ...row, [other]: value }))),
    [/** @type {Outcome["varied"]} */ ({})],
  );
  const words = (/** @type {Outcome["varied"]} */ varied) => Object.entries(varied).map(([key, value]) => `${wordsOf(key)} ${value}`).join(", ");
  const cells = (/** @type {string} */ arm, /** @type {Outcome["varied"]} */ row) =>
    columns.map((value) => cellOf(outcomes.filter((one) => one.arm === arm && isAt(one, { ...row, [first]: value })), name));
  const heads = columns.map((value) => words({ [first]: value }));
  const grids = others.length
    ? arms.map((arm) => ({ title: arm, columns: heads, rows: rows.map((row) => ({ title: words(row), cells: cells(arm, row) })) }))
    : [{ title: "", columns: heads, rows: arms.map((arm) => ({ title: arm, cells: cells(arm, {}) })) }];
  shade(grids.flatMap((grid) => grid.rows.flatMap((row) => row.cells)));
  return grids;
}

/** @param {Outcome[]} outcomes @param {string} name */
function valuesOf(outcomes, name) {
  return [...new Set(outcomes.map(({ varied }) => varied[name]))].sort((a, b) => Number(a) - Number(b) || String(a).localeCompare(String(b)));
}

/** @param {Outcome} outcome @param {Outcome["varied"]} varied */
function isAt(outcome, varied) {
  return Object.entries(varied).every(([name, value]) => outcome.varied[name] === value);
}

/** @param {Outcome[]} outcomes of one arm under one condition @param {string} name @returns {Cell} */
function cellOf(outcomes, name) {
  const done = outcomes.filter(({ numbers }) => Object.keys(numbers).length);
  const found = done.flatMap(({ numbers }) => numbers[name] ?? []).sort((a, b) => a - b);
  const diverged = done.filter(({ numbers }) => numbers.diverged).length;
  return { value: middleOf(found), share: 0, runs: done.length, missing: done.length - found.length, diverged };
}

/** @param {number[]} sorted */
function middleOf(sorted) {
  const yes = sorted.filter((value) => value === 1).length;
  if (sorted.every((value) => value === 0 || value === 1)) return yes / sorted.length;
  const half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)] + sorted[Math.ceil(half)]) / 2;
}

/** Colours mean the same in all cells. @param {Cell[]} cells */
function shade(cells) {
  const values = cells.map(({ value }) => value).filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const to = least > 0 && most > WIDE * least ? Math.log : (/** @type {number} */ value) => value;
  for (const cell of cells) cell.share = most > least ? (to(cell.value) - to(least)) / (to(most) - to(least)) || 0 : 0;
}

/**
 * @param {Outcome[]} outcomes
 * @param {string} name of the number that is shown
 * @param {(name: string) => void} choose another one
 */
export function makeMap(outcomes, name, choose) {
  const grids = gridsOf(outcomes, name);
  if (!grids.length) return [];
  const options = numbersOf(outcomes).map((one) => make("option", { value: one, selected: one === name }, wordsOf(one)));
  const select = make("select", { "aria-label": "The number that is shown", "data-testid": "map-number" }, ...options);
  select.addEventListener("change", () => choose(select.value));
  const about = "The middle of all seeds, or of what is yes or no their share. The stronger the colour, the larger.";
  return [
    make(
      "section",
      { class: "map", "data-testid": "map" },
      make("h2", {}, "Under each condition"),
      make("p", { class: "sentence" }, select, about),
      make("div", { class: "grids" }, ...grids.map(makeGrid)),
    ),
  ];
}

/** @param {Grid} grid */
function makeGrid({ title, columns, rows }) {
  const head = make("tr", {}, make("td", {}), ...columns.map((column) => make("th", { scope: "col" }, column)));
  const body = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row.title), ...row.cells.map(makeCell)));
  const caption = title ? [make("caption", {}, title)] : [];
  return make("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": title || "All arms" }, make("table", {}, ...caption, make("thead", {}, head), make("tbody", {}, ...body)));
}

/** @param {Cell} cell */
function makeCell({ value, share, runs, missing, diverged }) {
  if (!runs) return make("td", { class: "none", title: "No seed is in yet" }, "–");
  const known = Number.isFinite(value);
  const lost = diverged ? `${diverged} diverged` : missing ? `${missing} without` : "";
  const words = known ? number(value, 3) : diverged ? "diverged" : "–";
  const title = `${runs - missing} of ${runs} seeds${lost && `; ${lost}`}`;
  return make("td", { style: `--share: ${share.toFixed(3)}`, class: known ? "known" : "lost", title }, words, ...(lost && known ? [make("small", {}, lost)] : []));
}
