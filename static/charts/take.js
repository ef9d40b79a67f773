/** The menu that saves a chart: as a picture that stands alone, or its numbers. */

import { makeMenu } from "../controls/menu.js";
import { make } from "../element.js";
import { still } from "./still.js";
import { csvOf, fileName } from "../lines/table.js";

/**
 * @typedef {import("./desk.js").Desk} Desk
 * @typedef {import("./panel.js").Panel} Panel
 */

const TYPES = { png: "image/png", svg: "image/svg+xml", csv: "text/csv" };

/**
 * @param {Desk} desk
 * @param {Panel} panel
 */
export function takeMenu(desk, panel) {
  const about = [panel.options.layer, panel.chart.figure.title].filter(Boolean).join(", ");
  return menu(about, (ending) => take(desk, panel, ending));
}

/**
 * The same for what the page draws itself.
 * @param {object} options
 * @param {SVGElement} options.drawing
 * @param {string} options.about
 * @param {() => string[]} options.names what tells a file from others
 * @param {() => [string, string]} options.heading
 * @param {() => string} options.csv
 */
export function stillMenu({ drawing, about, names, heading, csv }) {
  return menu(about, async (ending) => {
    save(fileName(names(), ending), ending === "csv" ? addressOf(csv()) : await still(drawing, ending, heading()));
  });
}

/**
 * @param {string} about
 * @param {(ending: keyof typeof TYPES) => Promise<void>} taken
 */
function menu(about, taken) {
  const buttons = /** @type {(keyof typeof TYPES)[]} */ (Object.keys(TYPES)).map((ending) => {
    const click = () => void taken(ending);
    return make("button", { type: "button", "data-testid": `take-${ending}`, click }, ending.toUpperCase());
  });
  return makeMenu({ sign: "⤓", label: `Save this chart: ${about}`, testid: "take" }, buttons);
}

/** @param {string} csv */
function addressOf(csv) {
  return URL.createObjectURL(new Blob([csv], { type: TYPES.csv }));
}

/**
 * @param {Desk} desk
 * @param {Panel} panel
 * @param {keyof typeof TYPES} ending
 */
async function take(desk, panel, ending) {
  const name = fileName(namesOf(desk, panel), ending);
  if (ending === "csv") {
    const conditions = desk.state.differing.filter((condition) => condition !== "seed");
    const csv = panel.options.table ? csvOf(panel.options.table, panel.runs, conditions) : "";
    return save(name, addressOf(csv));
  }
  const { title } = panel.chart.figure;
  const heading = [panel.options.layer, title].filter(Boolean).join(": ");
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
  const below = `${sentence(desk.state.axis.say(desk.state.step))} of ${desk.state.experiment.name}`;
  save(name, await panel.chart.picture(ending, [heading, below], paper));
}

/** @param {string} words */
function sentence(words) {
  return words[0].toUpperCase() + words.slice(1);
}

/** What tells a file from others. @param {Desk} desk @param {Panel} panel */
function namesOf({ state }, { options, chart, runs }) {
  const one = runs.length === 1 && state.runs.length > 1 ? runs[0].arm : "";
  return [state.experiment.name, chart.figure.title, options.layer ?? "", one, `${state.view.by}-${state.step}`];
}

/** @param {string} name @param {string} url */
function save(name, url) {
  make("a", { href: url, download: name }).click();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
