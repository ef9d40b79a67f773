/** Points of a line in typed arrays that grow and are changed in place. Pure. */

export class Column {
  constructor() {
    this.x = new Float64Array(256);
    this.y = new Float64Array(256);
    this.n = 0;
    /** For the hover text: further numbers of each point. @type {ArrayLike<number>[]} */
    this.more = [];
  }

  clear() {
    this.n = 0;
    this.more.length = 0;
    return this;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  push(x, y) {
    if (this.n === this.x.length) this.#grow();
    this.x[this.n] = x;
    this.y[this.n++] = y;
  }

  #grow() {
    const [x, y] = [this.x, this.y];
    this.x = new Float64Array(2 * this.n);
    this.y = new Float64Array(2 * this.n);
    this.x.set(x);
    this.y.set(y);
  }

  /** The part that is filled, for those who want plain arrays. */
  get points() {
    return { x: this.x.subarray(0, this.n), y: this.y.subarray(0, this.n) };
  }
}

/**
 * A range around [low, high] that changes seldom as they drift: padded, and rounded outward.
 * @param {number} low
 * @param {number} high
 * @returns {[number, number]}
 */
export function niceRange(low, high) {
  if (!(low <= high) || !Number.isFinite(high - low)) return [0, 1];
  const span = high - low || Math.abs(high) || 1;
  const grain = 10 ** Math.floor(Math.log10(span)) / 2;
  return [Math.floor((low - 0.04 * span) / grain) * grain, Math.ceil((high + 0.04 * span) / grain) * grain];
}

/**
 * The old range as long as what is wanted fits into it and fills most of it.
 * @param {[number, number] | null} old
 * @param {[number, number]} wanted
 * @returns {[number, number]}
 */
export function steadyRange(old, wanted) {
  if (!old) return wanted;
  const fits = wanted[0] >= old[0] && wanted[1] <= old[1];
  return fits && wanted[1] - wanted[0] > 0.55 * (old[1] - old[0]) ? old : wanted;
}

const HOPS = [1, 1.5, 2, 3, 4, 6, 8, 10];

/**
 * The end of a step axis, which moves in hops because every move redraws all axes.
 * @param {number} newest
 * @param {number} planned 0 if nobody knows
 */
export function stepRange(newest, planned) {
  const size = 10 ** Math.floor(Math.log10(Math.max(newest, 20)));
  const end = HOPS.map((hop) => hop * size).find((hop) => hop >= newest) ?? newest;
  const last = planned > 0 && planned >= newest ? Math.min(Math.max(end, 20), planned) : end;
  return /** @type {[number, number]} */ ([0, Math.max(last, 1)]);
}
