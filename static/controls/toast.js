/** A sentence at the foot of the page that goes away by itself, with something to press, such as Undo. */

import { make } from "../element.js";

const SECONDS = 12;

/** @type {HTMLElement | null} */
let shown = null;

/**
 * @param {string} sentence
 * @param {{label: string, press: () => void}} [action]
 */
export function toast(sentence, action) {
  shown?.remove();
  const press = () => {
    element.remove();
    action?.press();
  };
  const element = make("div", { class: "toast", role: "status", "data-testid": "toast" }, make("span", {}, sentence));
  if (action) element.append(make("button", { type: "button", "data-testid": "undo", click: press }, action.label));
  document.body.append(element);
  shown = element;
  setTimeout(() => element.remove(), 1000 * SECONDS);
}
