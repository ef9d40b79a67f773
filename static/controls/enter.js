/** From a page where experiments are started to an experiment's own. */

import { make } from "../element.js";

let entering = false;

/**
 * Get what an experiment's page needs ready while a person reads.
 * @param {string} plotly its address
 * @param {string[]} modules addresses
 */
export function prepare(plotly, modules) {
  const fetchAll = () => {
    document.head.append(...modules.map((href) => make("link", { rel: "modulepreload", href })));
    document.head.append(make("script", { src: plotly, async: true }));
  };
  addEventListener("load", () => requestIdleCallback(fetchAll, { timeout: 1000 }));
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

/**
 * Open an experiment's page in this document, where Plotly is ready: to load it anew takes longer than the first steps.
 * @param {string} path
 * @param {() => void} leave
 */
export async function enter(path, leave) {
  if (entering) return; // by a second click: the page that is coming is made once
  if (!window.Plotly) return location.assign(path);
  entering = true;
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) {
    entering = false;
    return location.assign(path);
  }
  const { body, title } = new DOMParser().parseFromString(await response.text(), "text/html");
  leave();
  history.pushState(null, "", path);
  addEventListener("popstate", () => location.reload());
  document.title = title;
  document.body.replaceWith(body);
  await import("../experiment.js");
}

/**
 * Let links to experiments open them that way, unless a person wants them elsewhere.
 * @param {(path: string) => void} open
 */
export function openInPlace(open) {
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-enter]") : null;
    if (!(link instanceof HTMLAnchorElement) || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link.pathname);
  });
}
