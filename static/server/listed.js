/** What the server says of all experiments: their list when it was asked for, and the news of runs since. */

/**
 * @typedef {import("../types.js").BriefExperiment} BriefExperiment
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {import("../controls/edit.js").Described} Described
 */

export class Listed {
  /**
   * @param {import("./api.js").Api} api
   * @param {number} [claim] only this claim's
   */
  constructor(api, claim) {
    this.api = api;
    this.claim = claim;
    /** Null as long as the server has not answered. @type {BriefExperiment[] | null} */
    this.experiments = null;
    /** Ids of experiments that are of no interest here. @type {Set<string>} */
    this.others = new Set();
    /** What there were news of since the list was asked for: runs, and what was written about experiments; null if it is not. @type {{runs: Map<string, BriefRun>, described: Map<string, Described>} | null} */
    this.news = null;
    this.again = false;
  }

  /**
   * Ask for the whole list; once more, if that is wanted while the answer is on its way, which may be from before.
   * @param {() => void} come called at each answer
   */
  async ask(come) {
    this.again = true;
    while (this.again && !this.news) {
      this.again = false;
      this.news = { runs: new Map(), described: new Map() };
      try {
        /** @type {{experiments: BriefExperiment[]}} */
        const { experiments } = await this.api.get("/api/experiments");
        const ours = (/** @type {BriefExperiment} */ { claim }) => this.claim === undefined || claim === this.claim;
        this.experiments = experiments.filter(ours);
        this.others = new Set(experiments.filter((experiment) => !ours(experiment)).map(({ id }) => id));
        for (const run of this.news.runs.values()) this.#place(run); // newer than an answer that comes late
        for (const [id, words] of this.news.described) this.#find(id, words);
      } finally {
        this.news = null;
      }
      come();
    }
  }

  /**
   * Take a run as it is now.
   * @param {BriefRun} run
   * @returns {BriefExperiment | null} its experiment; null if it is not in the list
   */
  take(run) {
    this.news?.runs.set(run.id, run);
    return this.#place(run);
  }

  /**
   * Take what has been written about an experiment.
   * @param {string} id
   * @param {Described} words
   */
  describe(id, words) {
    this.news?.described.set(id, words);
    this.#find(id, words);
  }

  /** Whether a run that is not in the list may belong there. @param {BriefRun} run */
  lacks(run) {
    return !this.others.has(run.experiment);
  }

  /**
   * @param {string} wanted
   * @param {Partial<Described>} [words] to be written into it
   */
  #find(wanted, words) {
    const experiment = this.experiments?.find(({ id }) => id === wanted);
    return experiment && Object.assign(experiment, words);
  }

  /** @param {BriefRun} run */
  #place(run) {
    const experiment = this.#find(run.experiment);
    const at = experiment?.runs.findIndex(({ id }) => id === run.id) ?? -1;
    if (!experiment || at < 0) return null;
    experiment.runs[at] = run;
    return experiment;
  }
}
