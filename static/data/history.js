/** The frames of one run, in order, bounded: old ones are merged as the store merges them. Pure. */

import { MERGE, mergeFrames } from "./frame.js";

/** @typedef {import("./frame.js").Frame} Frame */

/** About two for each pixel of a chart's width. */
const MOST = 600;
const LEAST = 160;
const SUMMARIES = 40_000;
/** Newest frames that are never merged, so that the last moments stay sharp. */
const SHARP = 64;

/**
 * How many frames a run may keep: fewer for a net of many layers.
 * @param {number} summaries in a frame
 */
export function bound(summaries) {
  return Math.max(LEAST, Math.min(MOST, Math.floor(SUMMARIES / Math.max(summaries, 1))));
}

export class History {
  /** @param {number} [limit] how many frames are kept at most */
  constructor(limit = MOST) {
    this.limit = limit;
    /** @type {Frame[]} */
    this.frames = [];
    /** Grows with every change. */
    this.version = 0;
  }

  /** The frame of the newest step. @returns {Frame | undefined} */
  get newest() {
    return this.frames[this.#whole(this.frames.length - 1)];
  }

  /** The number of the newest frame; -1 if there is none. */
  get last() {
    return this.frames.length ? this.frames[this.frames.length - 1].end - 1 : -1;
  }

  /** Where the frame of a step is: what was told after it comes behind it, without layers. @param {number} at */
  #whole(at) {
    while (at > 0 && !this.frames[at].rows && this.frames[at - 1].lastStep === this.frames[at].firstStep) at--;
    return at;
  }

  /**
   * Take frames in. One that overlaps what is known is left out.
   * @param {Frame[]} frames in order
   * @returns {boolean} whether there is no hole between the known frames and the new ones
   */
  add(frames) {
    let whole = true;
    for (const frame of frames) {
      if (frame.seq > this.last) {
        whole &&= frame.seq === this.last + 1;
        this.frames.push(frame);
      } else {
        this.#fill(frame);
      }
    }
    while (this.frames.length > this.limit && this.#mergeOne());
    this.version++;
    return whole;
  }

  /**
   * Replace everything by what the store says, but for frames that are newer.
   * @param {Frame[]} frames
   */
  replace(frames) {
    const stored = frames.length ? frames[frames.length - 1].end : 0;
    const newer = this.frames.filter((frame) => frame.seq >= stored);
    this.frames = [];
    return this.add([...frames, ...newer]);
  }

  /** Put a frame into the hole it belongs to, if there is one. @param {Frame} frame */
  #fill(frame) {
    const at = this.frames.findIndex((known) => known.seq >= frame.seq);
    const after = this.frames[at];
    const before = this.frames[at - 1];
    if (at >= 0 && frame.end <= after.seq && (!before || before.end <= frame.seq)) this.frames.splice(at, 0, frame);
  }

  /** Merge the oldest frames that are finer than the whole run's length asks for. */
  #mergeOne() {
    const total = this.last + 1 - this.frames[0].seq;
    let coarsest = 1;
    while (total > 0.5 * this.limit * MERGE ** coarsest) coarsest++;
    const stop = this.frames.length - Math.min(SHARP, this.limit >> 2);
    const at = this.frames.findIndex((_, i) => i + MERGE <= stop && mergeable(this.frames, i, coarsest));
    if (at >= 0) this.frames.splice(at, MERGE, mergeFrames(this.frames.slice(at, at + MERGE)));
    else this.frames.shift(); // holes kept everything from merging: the oldest goes
    return true;
  }

  /**
   * Index of the frame that shows a place on the axis: the last that begins at or before it; -1 without frames.
   * @param {number} place
   */
  indexAt(place) {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle].from <= place) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 1, this.frames.length ? 0 : -1);
  }

  /**
   * What shows a span of the axis, as a history of its own.
   * @param {[number, number]} span the first and the last place
   */
  cut([first, last]) {
    const part = new History(this.limit);
    const end = this.indexAt(last) + 1;
    part.frames = this.frames.slice(Math.max(0, this.indexAt(first)), end).filter((frame) => frame.to >= first);
    return part;
  }

  /**
   * The frame that shows a place on the axis, or the newest.
   * @param {number | null} place
   * @returns {Frame | undefined}
   */
  at(place) {
    return place === null ? this.newest : this.frames[this.#whole(this.indexAt(place))];
  }

  /**
   * The step that was made at a place on the axis; between the first and the last of a frame in proportion.
   * @param {number} place
   */
  stepAt(place) {
    const frame = this.at(place);
    if (!frame) return 0;
    const share = Math.max(0, Math.min(1, (place - frame.from) / (frame.to - frame.from || 1)));
    return Math.round(frame.firstStep + share * (frame.lastStep - frame.firstStep));
  }

  /**
   * The newest frame up to a place on the axis that holds a series; it may be sent at some steps only.
   * @param {string} name
   * @param {number | null} place
   */
  lastWith(name, place) {
    for (let i = place === null ? this.frames.length - 1 : this.indexAt(place); i >= 0; i--) {
      if (this.frames[i].series.has(name)) return this.frames[i];
    }
    return undefined;
  }
}

/**
 * Whether the frame at `at` and the next three make one frame of the next level.
 * @param {Frame[]} frames
 * @param {number} at
 * @param {number} coarsest
 */
function mergeable(frames, at, coarsest) {
  const { level, seq } = frames[at];
  const span = MERGE ** level;
  if (level >= coarsest || seq % (span * MERGE)) return false;
  for (let i = 0; i < MERGE; i++) {
    const frame = frames[at + i];
    if (!frame || frame.level !== level || frame.seq !== seq + i * span || frame.frames !== span) return false;
  }
  return true;
}
