/** The golden files that scripts/golden.py writes. */

import { readFileSync } from "node:fs";

const folder = new URL("../golden/", import.meta.url);

/**
 * @typedef {object} ExpectedFrame
 * @property {number} seq
 * @property {Record<string, {mean: (number | null)[], low: (number | null)[], high: (number | null)[], samples: number}>} series
 * @property {number[]} layers
 * @property {number[]} kinds
 * @property {(number | null)[][]} moments
 * @property {number[][]} counters
 * @property {[number[], number[]][]} histograms
 * @property {(number | null)[][]} quantiles
 */

/** @type {{probabilities: number[], frames: Record<string, ExpectedFrame & Record<string, unknown>>, distances: Record<string, number | null>[]}} */
export const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8"));

/** @param {string} name */
export function bytes(name) {
  return new Uint8Array(readFileSync(new URL(`${name}.bin`, folder)));
}

/**
 * Whether numbers agree; null stands for what is not finite.
 * @param {ArrayLike<number>} actual
 * @param {(number | null)[]} wanted
 * @param {number} [within] relative error
 */
export function close(actual, wanted, within = 1e-8) {
  if (actual.length !== wanted.length) return false;
  return wanted.every((want, i) => {
    if (want === null) return !Number.isFinite(actual[i]);
    return Math.abs(actual[i] - want) <= within * Math.abs(want) + 1e-12;
  });
}
