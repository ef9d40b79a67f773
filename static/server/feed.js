/** Frames and news from the server, and what the socket skipped, from history. */

import { ApiError } from "./api.js";
import { MERGE } from "../data/frame.js";
import { isDone } from "../data/shown.js";
import { LiveSocket } from "./socket.js";
import { decodeLive, decodeStream } from "./wire.js";

/**
 * @typedef {import("../data/state.js").State} State
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("../types.js").BriefRun} BriefRun
 * @typedef {import("../types.js").LiveMessage} LiveMessage
 */

const POINTS = 600;
/** Milliseconds that a span must have been shown before more is asked of it. */
const SETTLE = 60;

/** Least milliseconds between two questions after runs that are not shown, and how many times as long as one takes. */
const LOOK_PERIOD = 3000;
const LOOK_EASE = 20;

const SHARPENING = "the cursor";
const CLOSER = "the span";

/** Keeps a state's histories complete and its runs up to date. */
export class Feed {
  /**
   * @param {State} state
   * @param {Api} api
   * @param {(note: string, final: boolean) => void} tell what to say about the connection; empty when all is well
   */
  constructor(state, api, tell) {
    this.state = state;
    this.api = api;
    this.tell = tell;
    this.generation = 0;
    /** Whether there was a connection before. */
    this.opened = false;
    /** Whether runs that are new here are being asked for, and whether more have come since. */
    this.joining = false;
    this.more = false;
    /** How often it was decided what to watch. */
    this.turn = 0;
    /** About what the page has said that it could not get it. */
    this.regretted = "";
    /** @type {string[]} */
    this.watched = [];
    /** Runs that there were news of since those were asked after that are not watched. @type {Set<string>} */
    this.news = new Set();
    /** Histories on their way, by run, and whether there was a hole again meanwhile. @type {Map<string, {again: boolean, done: Promise<void>}>} */
    this.completing = new Map();
    for (const run of state.runs) if (run.last_seq >= 0) void this.#complete(run.id); // what there is needs no socket
    this.live = new LiveSocket(api.socket("/ws/live"), {
      opened: () => {
        this.generation = 0;
        this.#connected(true);
        if (api.link === null) this.live.send({ type: "list" }); // who comes by a link has to ask
        void this.#watch();
        void this.#lookAround();
        if (this.opened) void this.#join(); // what joined meanwhile was told to nobody here
        this.opened = true;
      },
      closed: (note, final) => {
        this.#connected(false);
        this.tell(note, final);
      },
      text: (message) => this.#hear(message),
      binary: (buffer) => this.#take(buffer),
    });
    let shown = idsOf(state.runs);
    let span = state.view.span?.join();
    state.listen(() => {
      if (state.view.span?.join() !== span) {
        span = state.view.span?.join();
        void this.#lookCloser();
      }
      if (idsOf(state.runs) === shown) return;
      shown = idsOf(state.runs);
      void this.#watch();
    });
  }

  /** @param {boolean} connected */
  #connected(connected) {
    if (this.state.connected === connected) return;
    this.state.connected = connected;
    this.state.changed("run");
  }

  /** Fetch what there is of the runs that are shown, then ask for all that comes after it. */
  async #watch() {
    const turn = ++this.turn;
    const { runs } = this.state;
    await Promise.all(runs.map((run) => this.completing.get(run.id)?.done));
    const unknown = runs.filter((run) => run.last_seq > this.state.whole(run.id).last + 1);
    await Promise.all(unknown.map((run) => this.#complete(run.id)));
    if (turn !== this.turn) return; // others are to be shown by now
    this.watched = runs.map((run) => run.id);
    const after = Object.fromEntries(this.watched.map((id) => [id, this.state.whole(id).last]));
    this.generation++;
    if (this.live.send({ type: "watch", runs: this.watched, after })) this.tell("", false);
    void this.sharpen();
    void this.#lookCloser();
  }

  /** Hear how the runs are that are not shown, and so not watched. */
  async #lookAround() {
    clearTimeout(this.looking);
    const began = performance.now();
    const { experiment } = this.state;
    /** @type {Set<string>} */
    const news = (this.news = new Set());
    try {
      if (experiment.id && experiment.runs.some((run) => !isDone(run) && !this.#watches(run))) {
        /** @type {{runs: BriefRun[]}} */
        const { runs } = await this.api.get(`/api/experiments/${encodeURIComponent(experiment.id)}/runs`);
        if (news !== this.news) return; // they have been asked after anew
        this.state.setRuns(runs.filter((run) => !this.#watches(run) && !news.has(run.id))); // an answer may come late
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the socket says if the server is away
    }
    if (this.api.link === null) return;
    const pause = Math.max(LOOK_PERIOD, LOOK_EASE * (performance.now() - began));
    this.looking = setTimeout(() => void this.#lookAround(), pause);
  }

  /** Take in the runs that have joined the experiment: who comes by a link sees those that it was made for. */
  async #join() {
    const { experiment } = this.state;
    this.more = true;
    if (!experiment.id || this.api.link !== null || this.joining) return;
    this.joining = true;
    try {
      while (this.more) {
        this.more = false;
        /** @type {import("../types.js").Experiment} */
        const { runs } = await this.api.get(`/api/experiments/${encodeURIComponent(experiment.id)}`);
        this.state.join(runs);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // the next connection asks again
    } finally {
      this.joining = false;
    }
  }

  /** @param {BriefRun} run */
  #watches(run) {
    return this.watched.includes(run.id);
  }

  /** @param {LiveMessage} message */
  #hear(message) {
    if (message.type === "run") {
      this.news.add(message.run.id);
      if (message.run.experiment === this.state.experiment.id && !this.state.wholes.has(message.run.id)) void this.#join();
      // Of a watched run the whole story comes beside; its short one may be older.
      if ("layers" in message.run || !this.#watches(message.run)) this.state.setRuns([message.run]);
    } else if (message.type === "skipped") void this.#complete(message.run);
    else this.tell(message.message, true);
  }

  /** @param {ArrayBuffer} buffer */
  #take(buffer) {
    const { slot, generation, frames } = decodeLive(buffer);
    const run = this.watched[slot];
    if (generation !== this.generation % 256 || run === undefined) return;
    if (!this.state.take(run, frames)) void this.#complete(run);
    this.state.changed("frames");
  }

  /** Make a run's history whole again from the store. @param {string} run */
  async #complete(run) {
    const work = this.completing.get(run);
    if (work) return Object.assign(work, { again: true }).done;
    const done = this.#replace(run);
    this.completing.set(run, { again: false, done });
    return done;
  }

  /** @param {string} run */
  async #replace(run) {
    let joined = false;
    try {
      joined = this.state.replace(run, decodeStream(await this.api.history(run, { points: this.state.whole(run).limit })));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#regret(`Part of the history is missing. ${error.message}`, run);
    }
    if (joined) this.#regret("", run);
    const again = this.completing.get(run)?.again;
    this.completing.delete(run);
    if (again && !joined) void this.#complete(run);
  }

  /** Get the frames of the span that is shown, where the page only has merged ones. */
  async #lookCloser() {
    clearTimeout(this.closer);
    await new Promise((settled) => (this.closer = setTimeout(settled, SETTLE))); // a wheel asks for many spans in a row
    const { span, step } = this.state.view;
    if (!span) return;
    const blurred = this.state.runs.filter((run) => this.state.blurred(run.id));
    const points = Math.min(POINTS, ...blurred.map((run) => this.state.whole(run.id).limit));
    try {
      await Promise.all(
        blurred.map(async ({ id }) => {
          const [first, last] = this.state.stepsIn(id, span);
          this.state.sharpen(id, span, decodeStream(await this.api.history(id, { first_step: first, last_step: last, points })));
        }),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.#regret(`These steps are shown coarsely. ${error.message}`, CLOSER);
    }
    this.#regret("", CLOSER);
    if (step !== null) void this.sharpen();
  }

  /** Get the very frames at the cursor where the page only has merged ones. */
  async sharpen() {
    const { view } = this.state;
    const { step, by } = view;
    if (step === null) return;
    const coarse = this.state.runs.filter((run) => (this.state.frameAtCursor(run.id)?.level ?? 0) > 0);
    try {
      await Promise.all(
        coarse.map(async ({ id }) => {
          const [first, last] = this.state.stepsIn(id, [step, step]);
          // A step may have come in several frames: it is in the first, whole.
          const frames = decodeStream(await this.api.history(id, { first_step: first, last_step: last, points: MERGE }));
          if (view.step !== step || view.by !== by || !frames.length) return; // the cursor stands elsewhere by now
          this.state.pin(id, step, frames[0]);
          this.state.changed("frames");
        }),
      );
      this.#regret("", SHARPENING);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#regret(`These numbers are of several steps. ${error.message}`, SHARPENING);
    }
  }

  /**
   * Say what the page could not get; empty once it could, unless something else is said by then.
   * @param {string} sentence
   * @param {string} about
   */
  #regret(sentence, about) {
    if (!sentence && this.regretted !== about) return;
    this.regretted = sentence ? about : "";
    if (sentence || this.live.open) this.tell(sentence, false);
  }
}

/** @param {{id: string}[]} runs */
function idsOf(runs) {
  return runs.map((run) => run.id).join();
}
