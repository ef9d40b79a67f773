/** Light or dark: as the system says, unless a person chose. */

import { recall, remember } from "./memory.js";

/** @typedef {import("../types.js").Theme} Theme */

const KEY = "normscope.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** @returns {Theme} */
export function currentTheme() {
  const chosen = recall(KEY);
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/**
 * Keep the page in its theme, let `button` switch it, and call `changed` after every switch.
 * @param {HTMLElement} button
 * @param {(theme: Theme) => void} changed
 */
export function keepTheme(button, changed) {
  const apply = () => {
    const theme = currentTheme();
    document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", theme === "dark" ? "Use light colours" : "Use dark colours");
    changed(theme);
  };
  button.addEventListener("click", () => {
    const next = currentTheme() === "dark" ? "light" : "dark";
    if (next === (system.matches ? "dark" : "light")) remember(KEY, null);
    else remember(KEY, next);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}
