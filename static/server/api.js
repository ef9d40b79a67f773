/** Requests to the server. A page opened through a link says so in each of them. */

/** An answer that is not what was asked for; the message is the server's sentence. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0 if there was no answer
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export class Api {
  /**
   * @param {string} root what every path begins with
   * @param {string | null} link the token of the link that opened the page
   */
  constructor(root, link = null) {
    this.root = root;
    this.link = link;
    /** Answers that were asked for before they are needed, by address. @type {Map<string, Promise<Response>>} */
    this.early = new Map();
    this.leaving = false;
  }

  /** Log out. What was asked meanwhile, and is refused for it, does not ask to log in and come back here. */
  async leave() {
    this.leaving = true;
    await fetch(`${this.root}/logout`, { method: "POST" });
    location.assign(`${this.root}/login`);
  }

  /** Whether nothing can be changed through it. */
  get readOnly() {
    return this.link !== null;
  }

  /**
   * A path with the link's token and other parameters.
   * @param {string} path
   * @param {Record<string, string | number>} [parameters]
   */
  url(path, parameters = {}) {
    const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
    if (this.link !== null) query.set("link", this.link);
    const text = query.toString();
    return `${this.root}${path}${text ? `?${text}` : ""}`;
  }

  /** The address of a socket. @param {string} path */
  socket(path) {
    const url = new URL(this.url(path), location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return url.href;
  }

  /**
   * @param {string} path
   * @param {{method?: string, body?: unknown, parameters?: Record<string, string | number>}} [options]
   * @returns {Promise<Response>}
   */
  async #fetch(path, { method = "GET", body, parameters } = {}) {
    const headers = body === undefined ? undefined : { "Content-Type": "application/json" };
    const sent = body === undefined ? undefined : JSON.stringify(body);
    /** @type {Response} */
    let response;
    try {
      const url = this.url(path, parameters);
      const early = this.early.get(url);
      this.early.delete(url);
      response = await (early ?? fetch(url, { method, headers, body: sent }));
    } catch {
      throw new ApiError("The server does not answer.", 0);
    }
    if (response.status === 401 && this.link === null && !this.leaving) {
      const { pathname, search } = location;
      location.assign(`${this.root}/login?next=${encodeURIComponent(pathname + search)}`);
    }
    if (!response.ok) throw new ApiError(await sentence(response), response.status);
    return response;
  }

  /**
   * @template T
   * @param {string} path
   * @param {Record<string, string | number>} [parameters]
   * @returns {Promise<T>}
   */
  async get(path, parameters) {
    return (await this.#fetch(path, { parameters })).json();
  }

  /**
   * @template T
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<T>}
   */
  async post(path, body) {
    return (await this.#fetch(path, { method: "POST", body })).json();
  }

  /**
   * @template T
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<T>}
   */
  async patch(path, body) {
    return (await this.#fetch(path, { method: "PATCH", body })).json();
  }

  /** @param {string} path that answers nothing */
  async delete(path) {
    await this.#fetch(path, { method: "DELETE" });
  }

  /**
   * The bytes of a range of a run's history.
   * @param {string} run
   * @param {Record<string, string | number>} parameters
   */
  async history(run, parameters) {
    const response = await this.#fetch(historyOf(run), { parameters });
    return response.arrayBuffer();
  }

  /**
   * Ask for a range of a run's history that will be needed.
   * @param {string} run
   * @param {Record<string, string | number>} parameters
   */
  ahead(run, parameters) {
    const url = this.url(historyOf(run), parameters);
    const answer = fetch(url);
    answer.catch(() => {}); // whoever needs it hears of it
    this.early.set(url, answer);
  }
}

/** @param {string} run */
function historyOf(run) {
  return `/api/runs/${encodeURIComponent(run)}/history`;
}

/** @param {Response} response */
async function sentence(response) {
  try {
    const { detail } = await response.json();
    if (typeof detail === "string") return detail;
  } catch {
    // Not JSON: a proxy's own page.
  }
  return `The server answered ${response.status} ${response.statusText}.`;
}
