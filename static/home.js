/** The home page: what can be started, and what has been. */

import { Api, ApiError } from "./api.js";
import { overall } from "./controls.js";
import { data, find, make, write } from "./element.js";
import { LiveSocket } from "./feed.js";
import { makeCard } from "./form.js";
import { keepTheme } from "./theme.js";

/**
 * @typedef {import("./types.js").Experiment} Experiment
 * @typedef {import("./types.js").Run} Run
 */

/** @type {{claims: import("./types.js").Claim[], root: string, plotly: string}} */
const page = data("page");
const api = new Api(page.root);
const list = find("experiments", HTMLElement);
const note = find("connection", HTMLElement);
/** @type {Experiment[] | null} */
let experiments = null;
let asking = false;

keepTheme(find("theme", HTMLButtonElement), () => {});
find("claims", HTMLElement).append(
  ...page.claims.map((claim) => makeCard(claim, api, ({ id }) => void enter(`${page.root}/e/${id}`))),
);
const live = new LiveSocket(api.socket("/ws/live"), {
  opened: () => {
    live.send({ type: "list" });
    void refresh();
  },
  closed: () => say("Connection lost. Reconnecting…"),
  text: (message) => message.type === "run" && update(message.run),
});
addEventListener("load", () => requestIdleCallback(loadPlotly, { timeout: 1000 }));
addEventListener("pageshow", (event) => event.persisted && location.reload());

/**
 * Open an experiment's page in this document, where Plotly is ready: to load it anew takes longer than the first steps.
 * @param {string} path
 */
async function enter(path) {
  if (!window.Plotly) return location.assign(path);
  const response = await fetch(path);
  if (!response.ok) return location.assign(path);
  const { body, title } = new DOMParser().parseFromString(await response.text(), "text/html");
  live.close();
  history.pushState(null, "", path);
  addEventListener("popstate", () => location.reload());
  document.title = title;
  document.body.replaceWith(body);
  await import("./main.js");
}

/** @param {string} sentence */
function say(sentence) {
  write(note, sentence);
  note.hidden = !sentence;
}

/** Get Plotly ready while a person reads. */
function loadPlotly() {
  document.head.append(make("script", { src: page.plotly, async: true }));
}

/** Ask for the whole list again. */
async function refresh() {
  if (asking) return;
  asking = true;
  try {
    ({ experiments } = await api.get("/api/experiments"));
    say("");
    show();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say(error.message);
  }
  asking = false;
}

/** @param {Run} run */
function update(run) {
  const experiment = experiments?.find(({ id }) => id === run.experiment);
  const at = experiment?.runs.findIndex(({ id }) => id === run.id) ?? -1;
  if (!experiment || at < 0) return void refresh();
  experiment.runs[at] = run;
  const row = list.querySelector(`[data-experiment="${CSS.escape(experiment.id)}"]`);
  if (row) row.replaceWith(makeRow(experiment));
}

function show() {
  if (!experiments?.length) {
    const text = "Nothing has been trained yet. Press Start above: two small nets begin to learn, and their layers appear within a second. ";
    const own = "Or watch your own net: put normscope.watch(model) around its training loop, and it is listed here.";
    return list.replaceChildren(make("p", { class: "empty" }, text, own));
  }
  const head = make("div", { class: "experiment-head", "aria-hidden": "true" }, ...["name", "arms", "status", "step", "when"].map((t) => make("span", {}, t)));
  list.replaceChildren(head, ...experiments.map(makeRow));
}

/** @param {Experiment} experiment */
function makeRow({ id, name, runs, created }) {
  const status = overall(runs);
  const steps = Math.max(0, ...runs.map((run) => run.steps ?? 0));
  const step = Math.max(0, ...runs.map((run) => run.last_step + 1));
  const done = steps ? Math.min(1, runs.reduce((sum, run) => sum + (run.last_step + 1), 0) / (steps * runs.length)) : 0;
  const bar = make("progress", { max: 1, value: done, "aria-label": "progress" });
  bar.hidden = !steps;
  const text = steps ? `${step.toLocaleString("en")} / ${steps.toLocaleString("en")}` : step.toLocaleString("en");
  const label = make("span", { class: "status", "data-status": status }, status === "running" ? "live" : status);
  const arms = [...new Set(runs.map((run) => run.arm || run.name))].join(" · ");
  return make(
    "a",
    { class: "experiment-row", href: `${page.root}/e/${id}`, "data-testid": "experiment-row", "data-experiment": id },
    make("b", {}, name),
    make("span", { class: "arms" }, arms),
    label,
    make("span", { class: "progress" }, bar, text),
    make("time", { datetime: new Date(1000 * created).toISOString() }, when(created)),
  );
}

/** @param {number} time unix seconds */
function when(time) {
  const minutes = Math.max(0, (Date.now() / 1000 - time) / 60);
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  if (minutes < 1) return "just now";
  if (minutes < 60) return relative.format(-Math.round(minutes), "minute");
  if (minutes < 24 * 60) return relative.format(-Math.round(minutes / 60), "hour");
  return new Date(1000 * time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}
