/** The socket on which a page hears what is new, and its reconnection. */

/** @typedef {import("../types.js").LiveMessage} LiveMessage */

const FIRST_DELAY = 500;
const LONGEST_DELAY = 8000;
/** The code by which a server asks for patience: who is refused comes again ever more seldom. */
const FULL = 1013;
/** Milliseconds after which a silent server is asked whether it is there, and within which it has to answer. */
const SILENCE = 10_000;
const LOST = "Connection lost. Reconnecting…";

/** A socket that comes back by itself. */
export class LiveSocket {
  /**
   * @param {string} url
   * @param {{opened: () => void, closed: (note: string, final: boolean) => void, text: (m: LiveMessage) => void,
   *          binary?: (b: ArrayBuffer) => void}} on
   */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.delay = FIRST_DELAY;
    /** When something was heard, and when the server was asked for a word. */
    this.heard = this.asked = 0;
    this.#open();
    addEventListener("online", () => this.#hurry());
    this.watch = setInterval(() => this.#look(), SILENCE);
  }

  #open() {
    this.socket = new WebSocket(this.url);
    this.socket.binaryType = "arraybuffer";
    this.heard = this.asked = performance.now();
    let opened = false;
    this.socket.onopen = () => {
      opened = true;
      this.on.opened();
    };
    this.socket.onmessage = ({ data }) => {
      this.heard = performance.now();
      const message = typeof data === "string" ? JSON.parse(data) : null;
      if (message === null) this.on.binary?.(data);
      else if (message.type !== "pong") this.on.text(message);
    };
    this.socket.onclose = async ({ code, reason }) => {
      const full = code === FULL;
      if (opened && !full) this.delay = FIRST_DELAY;
      const note = full ? "The server has too many viewers. Waiting for a place…" : LOST;
      this.#closed(code === 1008 ? reason : opened ? "" : await shut(), note);
    };
  }

  /**
   * @param {string} reason why the server will not have us back; empty if it may
   * @param {string} note what to say then
   */
  #closed(reason, note) {
    this.on.closed(reason || note, reason !== "");
    if (reason) return;
    this.timer = setTimeout(() => this.#open(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY);
  }

  #hurry() {
    if (this.socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.timer);
    this.#open();
  }

  /** Give up a line that is dead, as one may be after a night's sleep, and nobody has told the browser. */
  #look() {
    if (!this.open) return;
    const now = performance.now();
    if (this.asked > this.heard) {
      if (now - this.asked < SILENCE / 2) return; // a page that was asleep may look twice in a row
      this.#leave();
      this.#closed("", LOST);
    } else if (now - this.heard >= SILENCE) {
      this.asked = now;
      this.send({ type: "ping" });
    }
  }

  /** Hear no more of the connection. */
  #leave() {
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
  }

  /** Whether there is a connection, as far as is known. */
  get open() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** For good. */
  close() {
    clearInterval(this.watch);
    this.#leave();
  }

  /**
   * @param {object} message
   * @returns {boolean} whether there is a connection
   */
  send(message) {
    if (!this.open) return false;
    this.socket?.send(JSON.stringify(message));
    return true;
  }
}

/** Why a socket does not open at all: the server may not let this page in any more. */
async function shut() {
  try {
    const { ok, status } = await fetch(location.href);
    return ok || status >= 500 ? "" : "This page does not open any more.";
  } catch {
    return ""; // the server is away
  }
}
