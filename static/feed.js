/** Frames and news from the server: the socket, its reconnection, and what it skipped, from history. */

import { decodeLive, decodeStream } from "./wire.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./api.js").Api} Api
 * @typedef {import("./types.js").LiveMessage} LiveMessage
 */

const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;
const POINTS = 600;

/** A socket that comes back by itself. */
export class LiveSocket {
  /**
   * @param {string} url
   * @param {{opened: () => void, closed: (reason: string) => void, text: (m: LiveMessage) => void,
   *          binary?: (b: ArrayBuffer) => void}} on
   */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.delay = FIRST_DELAY;
    this.#open();
    addEventListener("online", () => this.#hurry());
  }

  #open() {
    this.socket = new WebSocket(this.url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.delay = FIRST_DELAY;
      this.on.opened();
    };
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.on.text(JSON.parse(data));
      else this.on.binary?.(data);
    };
    this.socket.onclose = ({ code, reason }) => this.#closed(code === 1008 ? reason : "");
  }

  /** @param {string} reason why the server will not have us back; empty if the connection was lost */
  #closed(reason) {
    this.on.closed(reason);
    if (reason) return;
    this.timer = setTimeout(() => this.#open(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
  }

  #hurry() {
    if (this.socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.timer);
    this.#open();
  }

  /** For good. */
  close() {
    if (!this.socket) return;
    this.socket.onclose = null;
    this.socket.close();
  }

  /** @param {object} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}

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
    /** @type {string[]} */
    this.watched = [];
    /** Runs whose history is on its way, and whether it must be fetched again after. @type {Map<string, boolean>} */
    this.completing = new Map();
    this.live = new LiveSocket(api.socket("/ws/live"), {
      opened: () => void this.#watch(),
      closed: (reason) => this.tell(reason || "Connection lost. Reconnecting…", reason !== ""),
      text: (message) => this.#hear(message),
      binary: (buffer) => this.#take(buffer),
    });
  }

  /** Fetch what there is, then ask for all that comes after it. */
  async #watch() {
    this.generation = 0;
    const { runs } = this.state.experiment;
    const unknown = runs.filter((run) => run.last_seq > this.state.history(run.id).last + 1);
    await Promise.all(unknown.map((run) => this.#complete(run.id)));
    this.watched = runs.map((run) => run.id);
    const after = Object.fromEntries(this.watched.map((id) => [id, this.state.history(id).last]));
    this.generation = 1;
    this.live.send({ type: "watch", runs: this.watched, after });
    this.tell("", false);
    void this.sharpen();
  }

  /** @param {LiveMessage} message */
  #hear(message) {
    if (message.type === "run") this.state.setRun(message.run);
    else if (message.type === "skipped") void this.#complete(message.run);
    else this.tell(message.message, true);
  }

  /** @param {ArrayBuffer} buffer */
  #take(buffer) {
    const { slot, generation, frames } = decodeLive(buffer);
    const run = this.watched[slot];
    if (generation !== this.generation % 256 || run === undefined) return;
    const whole = this.state.history(run).add(frames);
    if (!whole) void this.#complete(run);
    this.state.changed("frames");
  }

  /** Make a run's history whole again from the store. @param {string} run */
  async #complete(run) {
    if (this.completing.has(run)) {
      this.completing.set(run, true);
      return;
    }
    this.completing.set(run, false);
    try {
      const history = this.state.history(run);
      history.replace(decodeStream(await this.api.history(run, { points: Math.min(POINTS, history.limit) })));
      this.state.changed("frames");
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.tell(`Part of the history is missing. ${error.message}`, false);
    }
    const again = this.completing.get(run);
    this.completing.delete(run);
    if (again) void this.#complete(run);
  }

  /** Get the very frames at the cursor where the page only has merged ones. */
  async sharpen() {
    const { step } = this.state.view;
    if (step === null) return;
    const coarse = this.state.runs.filter((run) => (this.state.frameAtCursor(run.id)?.level ?? 0) > 0);
    for (const run of coarse) {
      const parameters = { first_step: step, last_step: step, points: 1 };
      const frames = decodeStream(await this.api.history(run.id, parameters));
      if (frames.length) this.state.exact.set(run.id, frames[0]);
    }
    if (coarse.length) this.state.changed("frames");
  }
}
