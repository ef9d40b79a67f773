/** The dialog for access: tokens with which training processes send, the owner's own, and logging out. */

import { ApiError } from "../server/api.js";
import { moment } from "../data/moment.js";
import { copy, make, write } from "../element.js";

/**
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {import("../types.js").Token} Token
 */

/**
 * Let a button open the dialog.
 * @param {HTMLButtonElement} button which says whether the server asks for tokens, and whether one can log out
 * @param {Api} api
 */
export function offerAccess(button, api) {
  const { asks, session } = button.dataset;
  button.addEventListener("click", () => new Access(api, asks === "true", session === "true").open());
}

class Access {
  /**
   * @param {Api} api
   * @param {boolean} asks
   * @param {boolean} session
   */
  constructor(api, asks, session) {
    this.api = api;
    this.name = make("input", { "data-testid": "sender-name", required: true, maxlength: 80, placeholder: "e.g. the cluster", autocomplete: "off" });
    this.made = make("input", { readonly: true, "aria-label": "What to copy", "data-testid": "token-made" });
    this.row = make("div", { class: "copy", hidden: true }, this.made, make("button", { type: "button", class: "primary", click: async () => write(this.note, await copy(this.made)) }, "Copy"));
    this.note = make("p", { role: "status", "data-testid": "access-note" });
    this.list = make("ul", { "data-testid": "tokens" });
    const add = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#add();
    };
    const foot = make("div", { class: "foot" });
    if (asks) foot.append(make("button", { type: "button", "data-testid": "change-token", click: () => void this.#change() }, "Change the owner’s token"));
    if (session) foot.append(make("button", { type: "button", "data-testid": "log-out", click: () => void this.api.leave() }, "Log out"));
    foot.append(make("button", { type: "button", click: () => this.dialog.close() }, "Close"));
    const open = asks ? [] : [make("p", {}, "This server is for this machine alone and asks nobody for a token; with --host it is for others, too, and asks everyone.")];
    this.dialog = make(
      "dialog",
      { "aria-label": "Access", "data-testid": "access-dialog" },
      make("h2", {}, "Access"),
      ...open,
      make("h3", {}, "Training processes"),
      make("p", {}, "On other machines they send with a token: it makes runs and goes on with these, and reads no run."),
      make("form", { class: "choose", submit: add }, make("label", { class: "wide" }, "Name ", this.name), make("button", { class: "primary", "data-testid": "make-token" }, "Make a token")),
      this.row,
      this.note,
      this.list,
      foot,
    );
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
  }

  open() {
    document.body.append(this.dialog);
    this.dialog.showModal();
    void this.#guarded(() => this.#listTokens());
  }

  async #add() {
    await this.#guarded(async () => {
      /** @type {Token} */
      const { token, name } = await this.api.post("/api/tokens", { name: this.name.value.trim() });
      this.#show(`NORMSCOPE_URL=${location.origin}${this.api.root} NORMSCOPE_TOKEN=${token} python train.py`);
      write(this.note, `The token of ${name} is shown only now.`);
      this.name.value = "";
      await this.#listTokens();
    });
  }

  async #change() {
    await this.#guarded(async () => {
      /** @type {Token} */
      const { token } = await this.api.post("/api/tokens/owner");
      this.#show(`${location.origin}${this.api.root}/?token=${token}`);
      write(this.note, "This address lets you in and is shown only now; every other browser has to log in anew.");
      await this.#listTokens();
    });
  }

  /** @param {string} id */
  async #revoke(id) {
    await this.#guarded(async () => {
      await this.api.delete(`/api/tokens/${encodeURIComponent(id)}`);
      this.row.hidden = true;
      write(this.note, "Revoked: what sends with it is refused. Its runs stay.");
      await this.#listTokens();
    });
  }

  /** @param {string} text */
  #show(text) {
    this.made.value = text;
    this.row.hidden = false;
    this.made.select();
  }

  async #listTokens() {
    /** @type {{tokens: Token[]}} */
    const { tokens } = await this.api.get("/api/tokens");
    const items = tokens.filter(({ role }) => role === "sender").map(({ id, name, created, last_used }) => {
      const facts = `made ${moment(created)} · ${last_used === null ? "never used" : `last used ${moment(last_used)}`}`;
      const revoke = make("button", { type: "button", class: "quiet", "data-testid": "revoke-token", click: () => void this.#revoke(id) }, "Revoke");
      return make("li", {}, make("span", {}, make("b", {}, name), make("small", {}, facts)), revoke);
    });
    this.list.replaceChildren(...items.reverse());
  }

  /** @param {() => Promise<void>} work */
  async #guarded(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      write(this.note, error.message);
    }
  }
}
