/** What takes the server's place in a page that was saved as a file. */

import { Api, ApiError } from "./api.js";
import { decodeStream } from "./wire.js";

/** @typedef {import("../types.js").Saved} Saved */

export class SavedApi extends Api {
  /** @param {Saved} saved */
  constructor(saved) {
    super("", null);
    this.saved = saved;
  }

  get readOnly() {
    return true;
  }

  /**
   * @override
   * @template T
   * @param {string} path
   * @returns {Promise<T>}
   */
  async get(path) {
    if (path.endsWith("/finding") && this.saved.finding) return /** @type {T} */ (this.saved.finding);
    const [, run] = /^\/api\/runs\/(.+)\/alerts$/.exec(path) ?? [];
    if (run) return /** @type {T} */ ({ alerts: this.saved.alerts[run] ?? [] });
    throw new ApiError("This page is a copy: it has no server to ask.", 0);
  }
}

/**
 * Put what was saved where the feed would put it.
 * @param {import("../data/state.js").State} state
 * @param {Saved} saved
 */
export function restore(state, saved) {
  for (const [run, text] of Object.entries(saved.histories)) state.replace(run, decodeStream(bytesOf(text)));
  const { span } = state.view;
  if (span) for (const [run, text] of Object.entries(saved.closeups)) state.sharpen(run, span, decodeStream(bytesOf(text)));
}

/** @param {string} text in base64 */
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
}
