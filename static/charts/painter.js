/** Decides what is drawn when: one loop, a budget of time in each turn, and what is oldest first. */

/**
 * @typedef {object} Job something that can be drawn: a panel, the list of layers, the header
 * @property {(version: number, now: number) => boolean} wants
 * @property {(version: number, deadline: number) => void} draw
 * @property {number} drawnAt
 * @property {number} drawn the version that it shows; -1 if it has shown none
 * @property {{first?: boolean}} options
 */

/** Milliseconds from one turn to the next, at least: 20 a second are more than an eye can follow. */
const PERIOD = 45;
/** Milliseconds that a turn may take. Training runs on the same machine, often. */
const BUDGET = 22;

export class Painter {
  /** @param {() => number} version the state's */
  constructor(version) {
    this.version = version;
    /** @type {Set<Job>} */
    this.jobs = new Set();
    /** The longest turn so far. */
    this.longest = 0;
    this.next = 0;
    /** Whether what there is to draw is still on its way; what is shown meanwhile stays. */
    this.waits = () => false;
    /** Whether what comes first left no time for anything else. */
    this.owed = false;
    requestAnimationFrame(() => this.#turn());
  }

  #turn() {
    requestAnimationFrame(() => this.#turn());
    const began = performance.now();
    if (began < this.next || this.waits()) return;
    const version = this.version();
    const due = this.#due(version, began);
    for (const job of due) {
      try {
        job.draw(version, began + BUDGET);
      } catch (error) {
        job.drawn = version; // others are to be drawn all the same
        reportError(error);
      }
      this.owed = !due.some((other) => !other.options.first && other.drawnAt >= began);
      if (performance.now() - began > BUDGET) break;
    }
    const spent = performance.now() - began;
    this.longest = Math.max(this.longest, spent);
    const filling = due.some((job) => job.drawn < 0);
    this.next = filling ? 0 : began + Math.max(PERIOD, 2 * spent);
  }

  /**
   * What is to be drawn, in order: what comes first, unless that took the whole last turn; then what is oldest.
   * @param {number} version
   * @param {number} now
   */
  #due(version, now) {
    const due = [...this.jobs].filter((job) => job.wants(version, now)).sort((a, b) => a.drawnAt - b.drawnAt);
    const first = due.filter((job) => job.options.first);
    const rest = due.filter((job) => !job.options.first);
    return this.owed ? [...rest.splice(0, 1), ...first, ...rest] : [...first, ...rest];
  }
}
