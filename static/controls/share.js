/** The dialog for links: make one to the view that is shown, list those there are, revoke them. */

import { ApiError } from "../server/api.js";
import { moment } from "../data/moment.js";
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
    this.runs = find("share-runs", HTMLSelectElement);
    this.ends = find("share-ends", HTMLSelectElement);
    this.password = find("share-password", HTMLInputElement);
    this.made = find("share-made", HTMLElement);
    this.address = find("share-url", HTMLInputElement);
    this.list = find("links", HTMLElement);
    this.note = find("share-note", HTMLElement);
    find("share", HTMLButtonElement).addEventListener("click", () => void this.#open());
    find("copy", HTMLButtonElement).addEventListener("click", async () => write(this.note, await copy(this.address)));
    find("share-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#make();
    });
    this.dialog.addEventListener("click", ({ target }) => target === this.dialog && this.dialog.close());
  }

  async #open() {
    this.made.hidden = true;
    this.password.value = "";
    write(this.note, "Whoever has the address sees this view, live, and can change nothing.");
    const all = this.state.experiment.runs.length;
    const shown = this.state.runs.length;
    /** @type {[string, string][]} */
    const choices = [["now", all === 1 ? "this run" : `the ${all} runs there are`], ["all", "all runs, also those to come"]];
    if (shown < all) choices.splice(1, 0, ["shown", shown === 1 ? "the run that is shown" : `the ${shown} runs that are shown`]);
    this.runs.replaceChildren(...choices.map(([value, label]) => make("option", { value }, label)));
    this.dialog.showModal();
    find("make-link", HTMLButtonElement).focus();
    await this.#guarded(() => this.#listLinks());
  }

  async #make() {
    const button = find("make-link", HTMLButtonElement);
    if (button.disabled) return; // one is on its way
    button.disabled = true;
    await this.#guarded(async () => {
      const runs = this.runs.value === "shown" ? this.state.runs.map((run) => run.id) : this.runs.value;
      const body = {
        experiment: this.state.experiment.id,
        view: this.state.query,
        runs,
        hours: Number(this.ends.value) || null,
        password: this.password.value || null,
      };
      /** @type {Link} */
      const link = await this.api.post("/api/links", body);
      this.address.value = new URL(link.url ?? "", location.href).href;
      this.made.hidden = false;
      this.address.select();
      write(this.note, `This address is shown only now.${link.locked ? " Tell the password another way." : ""}`);
      await this.#listLinks(link.id);
    });
    button.disabled = false;
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
    this.list.replaceChildren(...links.map((link) => this.#item(link, link.id === fresh)).reverse());
  }

  /** @param {Link} link @param {boolean} fresh */
  #item(link, fresh) {
    const opens = link.runs === null ? "all runs" : link.runs.length === 1 ? "one run" : `${link.runs.length} runs`;
    const facts = [
      opens,
      link.locked ? "with a password" : "",
      link.expires === null ? "" : `ends ${moment(link.expires)}`,
      `made ${fresh ? "just now" : moment(link.created)}`,
      link.last_used === null ? "never opened" : `last opened ${moment(link.last_used)}`,
    ];
    const text = make("span", {}, make("b", {}, link.view || "as the experiment opens"), make("small", {}, facts.filter(Boolean).join(" · ")));
    const revoke = make("button", { type: "button", class: "quiet", "data-testid": "revoke", click: () => void this.#revoke(link.id, fresh) }, "Revoke");
    return make("li", {}, text, revoke);
  }

  /** @param {string} id @param {boolean} fresh */
  async #revoke(id, fresh) {
    await this.#guarded(async () => {
      await this.api.delete(`/api/links/${encodeURIComponent(id)}`);
      if (fresh) this.made.hidden = true;
      write(this.note, "Revoked: the address does not open any more.");
      await this.#listLinks();
    });
  }
}
