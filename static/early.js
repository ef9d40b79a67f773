/** Before anything is painted, so that a chosen theme does not flash. Not a module: those wait for the whole page. */
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("normscope.theme");
  } catch {
    // The browser may forbid it.
  }
  if (new URLSearchParams(location.search).has("embed")) document.documentElement.dataset.embed = "";
  document.documentElement.dataset.theme = chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
