/** A small menu behind a button: it closes when it is left, at Escape, and when something was chosen. */

import { make } from "../element.js";

/**
 * @param {object} options
 * @param {string} options.sign what the button shows
 * @param {string} options.label what it is for
 * @param {string} options.testid
 * @param {string} [options.kind] further classes
 * @param {HTMLElement[]} items buttons and links
 */
export function makeMenu({ sign, label, testid, kind = "" }, items) {
  const summary = make("summary", { "aria-label": label, title: label, "data-testid": testid }, sign);
  const menu = make("details", { class: `menu ${kind}`.trim() }, summary, make("div", { role: "group", "aria-label": label }, ...items));
  for (const item of items) item.addEventListener("click", () => (menu.open = false));
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (!(relatedTarget instanceof Node && menu.contains(relatedTarget))) menu.open = false;
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    menu.open = false;
    summary.focus();
  });
  return menu;
}
