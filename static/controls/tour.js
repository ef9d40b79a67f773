/** Showing someone around the page: one place after the other, in a sentence each; it can be left at any time. */

import { find, make, write } from "../element.js";
import { recall, remember } from "./memory.js";

const KEY = "normscope.toured";

/** Where to look, and what it is. What a page does not have is passed over. @type {[string, string][]} */
const PLACES = [
  ['[data-testid="arms"]', "Each colour is an arm: a net trained on the same data in the same order, from the same weights wherever shapes allow. Press one to hide it or to bring it back."],
  ['[data-testid="chart-loss"]', "How wrong each net is on its mini-batch, step by step. Lower is better."],
  ['[data-testid="layer-row"] [data-testid="chart-bands"]', "What a layer puts out while the net learns: half of the values lie in the dark band, nine in ten in the light one. All arms have the same scale, so you can compare them."],
  ['[data-testid="layer-row"] [data-testid="chart-histogram"]', "The same layer at one step, all arms on top of each other. W₁, above it, says how far apart the first two are."],
  ["footer.cursor", "The step that you look at. Drag here or on any chart, use the arrow keys, or press play; End goes back to the newest step."],
  [".zoom", "To see fewer steps, and every one of them: hold Shift and draw over some on any chart, or press +."],
  ['[data-testid="layers"]', "All layers, with lines from each to those that take what it gives. Sort them by drift or by trouble; a layer whose units are dead, saturated or not finite says so, and since which step. Press one to go there."],
  [".tabs", "More that was measured: the loss around the weights, gradients, the normalizers' own numbers; and what the claim came to, with the evidence."],
  ['[data-testid="share"], [data-testid="save-page"]', "Share this very view by a link that can only look, or save it as one file that opens without a server."],
];

export class Tour {
  constructor() {
    this.button = find("tour", HTMLButtonElement);
    this.button.addEventListener("click", () => this.begin());
    this.button.classList.toggle("new", recall(KEY) === null);
    this.text = make("p", { "data-testid": "tour-text" });
    this.count = make("small", {});
    this.back = make("button", { type: "button", click: () => this.#show(this.at - 1) }, "Back");
    this.next = make("button", { type: "button", class: "primary", "data-testid": "tour-next", click: () => this.#show(this.at + 1) }, "Next");
    const skip = make("button", { type: "button", class: "quiet", "data-testid": "tour-skip", click: () => this.end() }, "Leave");
    const buttons = make("div", { class: "buttons" }, this.count, skip, this.back, this.next);
    this.element = make("div", { class: "tour", role: "dialog", "aria-label": "Around the page", "data-testid": "tour-card" }, this.text, buttons);
    this.element.addEventListener("keydown", ({ key }) => key === "Escape" && this.end());
    this.at = 0;
    /** @type {{target: HTMLElement, sentence: string}[]} */
    this.places = [];
  }

  begin() {
    remember(KEY, "yes");
    this.button.classList.remove("new");
    this.places = PLACES.flatMap(([selector, sentence]) => {
      const target = [...document.querySelectorAll(selector)].find((element) => element instanceof HTMLElement && element.offsetParent !== null);
      return target instanceof HTMLElement ? [{ target, sentence }] : [];
    });
    document.body.append(this.element);
    this.#show(0);
    this.next.focus();
  }

  end() {
    this.#mark(null);
    this.element.remove();
    this.button.focus();
  }

  /** @param {number} at */
  #show(at) {
    if (at >= this.places.length) return this.end();
    this.at = Math.max(0, at);
    const { target, sentence } = this.places[this.at];
    write(this.text, sentence);
    write(this.count, `${this.at + 1} of ${this.places.length}`);
    write(this.next, this.at + 1 < this.places.length ? "Next" : "Done");
    this.back.disabled = this.at === 0;
    this.#mark(target);
    target.scrollIntoView({ block: "nearest" });
    this.#place(target.getBoundingClientRect());
  }

  /** @param {HTMLElement | null} target */
  #mark(target) {
    for (const old of document.querySelectorAll(".toured")) old.classList.remove("toured");
    target?.classList.add("toured");
  }

  /** Below what it is about, above it where that has no room, and always inside the window. @param {DOMRect} target */
  #place(target) {
    const { width, height } = this.element.getBoundingClientRect();
    const below = target.bottom + 12;
    const top = below + height < innerHeight - 8 ? below : target.top - height - 12;
    this.element.style.top = `${Math.max(8, Math.min(top, innerHeight - height - 8))}px`;
    this.element.style.left = `${Math.max(8, Math.min(target.left, innerWidth - width - 8))}px`;
  }
}
