/** What is known of a span of a run's steps, which may be more than of the whole. Pure. */

import { History } from "./history.js";

/**
 * @typedef {import("./frame.js").Frame} Frame
 *
 * @typedef {object} Closeup
 * @property {[number, number]} span
 * @property {History} history
 * @property {boolean} sharp whether the store has no more of it to show
 */

/** @param {[number, number]} a @param {[number, number]} b */
export function sameSpan(a, b) {
  return a[0] === b[0] && a[1] === b[1];
}

/**
 * A span as sharp as it is known: from a closeup that covers it, or cut out of the whole.
 * @param {History} whole
 * @param {Closeup | undefined} known
 * @param {[number, number]} span
 * @returns {Closeup}
 */
export function closeupOf(whole, known, span) {
  if (known && sameSpan(known.span, span)) return known;
  const source = known?.sharp && known.span[0] <= span[0] && span[1] <= known.span[1] ? known.history : whole;
  const history = source.cut(span);
  const sharp = history.frames.length > 0 && history.frames.every((frame) => frame.level === 0);
  return { span, history, sharp };
}

/**
 * What the store has of a span, and behind it what is newer.
 * @param {number} limit
 * @param {History} shown so far
 * @param {[number, number]} span
 * @param {Frame[]} frames
 * @returns {Closeup}
 */
export function sharpened(limit, shown, span, frames) {
  const history = new History(limit);
  const end = frames.length ? frames[frames.length - 1].end : 0;
  history.add([...frames, ...shown.frames.filter((frame) => frame.seq >= end)]);
  return { span, history, sharp: true };
}
