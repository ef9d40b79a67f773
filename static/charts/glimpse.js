/**
 * The picture that the server has drawn into the page (`app/pages/glimpse.py`): it stands where its charts will be, and
 * each part of it goes when the chart is there that shows the same.
 */

import { find } from "../element.js";

/**
 * Put the parts of the picture into the panels that they are of.
 * @param {import("./desk.js").Desk} desk
 * @returns {boolean} whether there is a picture
 */
export function takeOver(desk) {
  const picture = document.querySelector('[data-testid="glimpse"]');
  if (!picture) return false;
  picture.remove();
  const [loss, accuracy] = ["loss", "accuracy"].map((name) => find(`chart-${name}`, HTMLElement).closest("figure"));
  const taken = [...desk.panels].filter((panel) => {
    const part = picture.querySelector(`[data-testid="${panel.options.testid}"] .glimpse`);
    if (!part) return false;
    panel.readout.append(...(part.closest("figure")?.querySelectorAll(".readout > *") ?? []));
    panel.host.append(part); // the next panel of its kind finds the next
    panel.chart.sketched = "picture";
    return true;
  });
  for (const name of [".numbers", ".distance"]) {
    const [theirs, mine] = [picture, document].map((where) => where.querySelector(`.row > header > ${name}`));
    if (theirs) mine?.append(...theirs.childNodes);
  }
  for (const panel of [loss, accuracy]) panel?.toggleAttribute("hidden", !taken.some(({ element }) => element === panel));
  desk.state.listen((what) => {
    if (what !== "view") return;
    for (const panel of taken) letGo(panel);
  });
  return true;
}

/** Draw anew what may show something else than the picture by now. @param {import("./panel.js").Panel} panel */
function letGo(panel) {
  if (panel.chart.sketched !== "picture") return;
  panel.chart.sketched = "preview";
  panel.drawn = -1;
}
