/** What every run came to, as a table on the page and as a file. */

import { make } from "../element.js";
import { csvWords } from "../lines/csv.js";
import { number } from "../lines/scale.js";
import { wordsOf } from "../data/shown.js";

/**
 * @typedef {import("../types.js").Outcome} Outcome
 * @typedef {string | number | null} Cell
 */

/**
 * The outcomes as rows below a head; a number that could not be measured is null. Pure.
 * @param {Outcome[]} outcomes
 * @returns {{head: string[], rows: Cell[][], conditions: number}} how many columns come before the numbers
 */
export function tabulate(outcomes) {
  const varied = [...new Set(outcomes.flatMap((outcome) => Object.keys(outcome.varied)))];
  const numbers = [...new Set(outcomes.flatMap((outcome) => Object.keys(outcome.numbers)))].sort();
  const rows = outcomes.map(({ run, arm, seed, status, ...outcome }) => {
    const conditions = varied.map((name) => outcome.varied[name] ?? null);
    return [run, arm, ...conditions, seed, status, ...numbers.map((name) => outcome.numbers[name] ?? null)];
  });
  return { head: ["run", "arm", ...varied, "seed", "status", ...numbers], rows, conditions: varied.length + 4 };
}

/**
 * As RFC 4180 has it. Pure.
 * @param {Outcome[]} outcomes
 */
export function toCsv(outcomes) {
  const { head, rows } = tabulate(outcomes);
  const quoted = (/** @type {Cell} */ cell) => (typeof cell === "string" ? csvWords(cell) : String(cell ?? ""));
  return [head, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

/** @param {Outcome[]} outcomes */
export function makeTable(outcomes) {
  const { head, rows, conditions } = tabulate(outcomes);
  const cell = (/** @type {Cell} */ value, /** @type {number} */ column) => {
    if (column === 0) return make("td", {}, make("a", { href: `?runs=${value}`, title: "Show this run" }, String(value)));
    if (column < conditions) return make("td", {}, String(value ?? "–"));
    return make("td", { class: "number", title: String(value ?? "") }, number(value === null ? NaN : Number(value), 4));
  };
  const body = rows.map((row) => make("tr", {}, ...row.map(cell)));
  const titles = head.map((name, column) => make("th", column < conditions ? {} : { class: "number" }, wordsOf(name)));
  return make("table", {}, make("thead", {}, make("tr", {}, ...titles)), make("tbody", {}, ...body));
}
