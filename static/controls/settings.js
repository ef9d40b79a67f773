/** Settings: texts in a form's fields and the values they stand for, and how many runs these make. Pure. */

import { wordsOf } from "../data/shown.js";

/**
 * @typedef {import("../types.js").Claim} Claim
 * @typedef {import("../types.js").Setting} Setting
 * @typedef {import("../types.js").Value} Value
 */

/** As in normscope/spec.py: how many values a setting that is varied may have. */
const MOST = 12;

/** @param {Setting} setting */
export function isList({ kind }) {
  return kind === "ints" || kind === "floats";
}

/** @param {Value} value */
export function textOf(value) {
  return [value].flat().join(", ");
}

/**
 * What is wrong with a text for a setting, in a sentence; empty if nothing is.
 * @param {Setting} setting
 * @param {string} text
 */
export function objection(setting, text) {
  if (setting.kind === "choice") return choiceObjection(setting, text);
  const parts = isList(setting) ? text.split(",") : [text];
  const found = parts.map((part) => numberObjection(setting, part)).find(Boolean);
  if (found) return found;
  if (parts.length > MOST) return `At most ${MOST} values.`;
  if (new Set(parts.map(Number)).size < parts.length) return "Each value once.";
  return "";
}

/**
 * @param {Setting} setting
 * @param {string} text
 */
function choiceObjection({ choices, suffix }, text) {
  if (choices?.includes(text) || (suffix && text.startsWith("/") && text.endsWith(suffix))) return "";
  return `One of ${choices?.join(", ")}${suffix && `, or the whole path of a file that ends in ${suffix}`}.`;
}

/**
 * @param {Setting} setting
 * @param {string} text
 */
function numberObjection({ kind, low, high }, text) {
  const value = Number(text);
  if (!text.trim() || !Number.isFinite(value)) return "A number is needed.";
  if ((kind === "int" || kind === "ints") && !Number.isInteger(value)) return "A whole number is needed.";
  if (low !== null && value < low) return `At least ${low}.`;
  if (high !== null && value > high) return `At most ${high}.`;
  return "";
}

/**
 * @param {Setting} setting
 * @param {string} text
 * @returns {Value}
 */
export function valueOf(setting, text) {
  if (setting.kind === "choice") return text;
  return isList(setting) ? text.split(",").map(Number) : Number(text);
}

/**
 * What a form for a size begins with.
 * @param {Claim} claim
 * @param {string | null} size null: the claim's own settings
 */
export function beginning(claim, size) {
  const { settings = {}, arms = null } = size === null ? {} : claim.sizes[size];
  const values = Object.fromEntries(claim.settings.map((setting) => [setting.name, settings[setting.name] ?? setting.default]));
  return { values, arms: arms ?? claim.default_arms };
}

/**
 * What was changed since the beginning.
 * @param {Record<string, Value>} values
 * @param {Record<string, Value>} beginning
 */
export function changes(values, beginning) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => textOf(value) !== textOf(beginning[name])));
}

/**
 * A form as an address holds it: what differs from the first size.
 * @param {Claim} claim
 * @param {{size: string, texts: Record<string, string>, arms: string[]}} form
 */
export function formatForm(claim, { size, texts, arms }) {
  const usual = beginning(claim, size);
  const query = new URLSearchParams();
  if (size !== Object.keys(claim.sizes)[0]) query.set("size", size);
  if (arms.join() !== usual.arms.join()) query.set("arms", arms.join());
  for (const { name } of claim.settings) {
    if (texts[name] !== textOf(usual.values[name])) query.set(name, texts[name].replaceAll(", ", ","));
  }
  return query;
}

/**
 * What an address says of a form; what it does not say is as its size begins.
 * @param {Claim} claim
 * @param {URLSearchParams} query
 */
export function parseForm(claim, query) {
  const named = query.get("size") ?? "";
  const size = named in claim.sizes ? named : Object.keys(claim.sizes)[0];
  const usual = beginning(claim, size);
  const known = new Set(claim.arms.map((arm) => arm.name));
  const arms = (query.get("arms") ?? "").split(",").filter((arm) => known.has(arm));
  const texts = Object.fromEntries(
    claim.settings.map(({ name }) => [name, query.get(name)?.split(",").join(", ") ?? textOf(usual.values[name])]),
  );
  return { size, texts, arms: arms.length ? arms : usual.arms };
}

/**
 * The address of a form that makes an experiment like another.
 * @param {Record<string, Value>} settings all of them
 * @param {string[]} arms
 */
export function allOf(settings, arms) {
  const values = Object.entries(settings).map(([name, value]) => [name, [value].flat().join()]);
  return new URLSearchParams([["arms", arms.join()], ...values]);
}

/** A time that is only roughly known. @param {number} seconds */
export function roughly(seconds) {
  if (seconds < 1) return "a second";
  if (seconds < 90) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 5400) return `${Number((seconds / 60).toPrecision(2))} min`;
  return `${Number((seconds / 3600).toPrecision(2))} h`;
}

/**
 * How many runs some settings make, in a sentence.
 * @param {Claim} claim
 * @param {Record<string, Value>} values
 * @param {number} arms
 */
export function countRuns(claim, values, arms) {
  const seeds = Number(values.seeds);
  const lists = Object.entries(claim.varied).map(([name, field]) => ({ field, count: [values[name]].flat().length }));
  const factors = [{ count: arms, name: arms === 1 ? "arm" : "arms" }];
  for (const { field, count } of lists) if (count > 1) factors.push({ count, name: `values of ${wordsOf(field)}` });
  if (seeds > 1) factors.push({ count: seeds, name: "seeds" });
  const runs = factors.reduce((product, { count }) => product * count, 1);
  const text = `${runs.toLocaleString("en")} ${runs === 1 ? "run" : "runs"}`;
  return factors.length > 1 ? `${text}: ${factors.map(({ count, name }) => `${count} ${name}`).join(" × ")}` : text;
}
