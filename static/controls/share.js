/** The dialog for links: make one to the view that is shown, list those there are, revoke them. */

import { ApiError } from "../server/api.js";
import { copy, find, make, write } from "../element.js";

/**
 * @typedef {import("../server/api.js").Api} Api
 * @typedef {import("../data/state.js").State} State
 * @typedef {import("../types.js").Link} Link
 */

export class Share {
  /**
   * @param {State} state
   * @param {Api} api
   */
  constructor(state, api) {
    this.state = state;
    this.api = api;
    this.dialog = find("share-dialog", HTMLDialogElement);
    this.address = find("share-url", HTMLInputElement);
    this.list = find("links", HTMLElement);
    this.note = find("share-note", HTMLElement);
    find("share", HTMLButtonElement).addEventListener("click", () => void this.#open());
    find("copy", HTMLButtonElement).addEventListener("click", async () => write(this.note, await copy(this.address)));
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
  }

  async #open() {
    this.address.value = "";
    write(this.note, "Making a link…");
    this.dialog.showModal();
    await this.#guarded(async () => {
      const body = { experiment: this.state.experiment.id, view: this.state.query };
      /** @type {Link} */
      const link = await this.api.post("/api/links", body);
      this.address.value = new URL(link.url ?? "", location.href).href;
      this.address.select();
      write(this.note, "Whoever has this address sees this view, live, and can change nothing. It is shown only now.");
      await this.#listLinks(link.id);
    });
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

  /** @param {string} [fresh] the link that was just made */
  async #listLinks(fresh) {
    /** @type {{links: Link[]}} */
    const { links } = await this.api.get("/api/links", { experiment: this.state.experiment.id });
    const items = links.filter((link) => link.revoked === null).map((link) => this.#item(link, link.id === fresh));
    this.list.replaceChildren(...items.reverse());
  }

  /** @param {Link} link @param {boolean} fresh */
  #item(link, fresh) {
    const used = link.last_used === null ? "never opened" : `last opened ${new Date(1000 * link.last_used).toLocaleString()}`;
    const made = fresh ? "just now" : new Date(1000 * link.created).toLocaleString();
    const text = make("span", {}, make("b", {}, link.view || "the whole experiment"), make("small", {}, `made ${made}, ${used}`));
    const revoke = make("button", { class: "quiet", "data-testid": "revoke", click: () => void this.#revoke(link.id, fresh) }, "Revoke");
    return make("li", {}, text, revoke);
  }

  /** @param {string} id @param {boolean} fresh */
  async #revoke(id, fresh) {
    await this.#guarded(async () => {
      await this.api.delete(`/api/links/${encodeURIComponent(id)}`);
      if (fresh) this.address.value = "";
      write(this.note, "Revoked: the address does not open any more.");
      await this.#listLinks();
    });
  }
}
