/** The experiment page: puts the parts together. */

import { Alerts } from "./controls/alerts.js";
import { api, page, state } from "./opening.js";
import { offerRuns } from "./controls/compare.js";
import { Controls } from "./controls/controls.js";
import { Cursor } from "./controls/cursor.js";
import { Desk } from "./charts/desk.js";
import { Distributions } from "./tabs/distributions.js";
import { find, make, write } from "./element.js";
import { MeasuredTab } from "./tabs/measured.js";
import { Feed } from "./server/feed.js";
import { FindingTab } from "./tabs/finding.js";
import { Landscape } from "./tabs/landscape.js";
import { Painter } from "./charts/painter.js";
import { edit, makeTags } from "./controls/edit.js";
import { restore } from "./server/saved.js";
import { SeriesTab } from "./tabs/series.js";
import { Share } from "./controls/share.js";
import { Sidebar } from "./controls/sidebar.js";
import { takeOver } from "./charts/glimpse.js";
import { Tour } from "./controls/tour.js";
import { Zoom } from "./controls/zoom.js";
import { keepTheme } from "./controls/theme.js";

/** @typedef {{element: HTMLElement, arrange: () => void, reveal: () => void}} Tab */

/** Milliseconds after the first frames, and at the latest, when Plotly is loaded: evaluating it holds everything up. */
const PLOTLY_SOON = 300;
const PLOTLY_LATEST = 2500;
/** Milliseconds after which the address is changed that could not be. */
const ADDRESS_PERIOD = 1000;

const { saved } = page;
/** What the address is to be, and the timer until then. */
let address = location.pathname + location.search;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let keeping;
addEventListener("pagehide", keepAddress);
/** Whether the page is a frame in a notebook. */
const embedded = "embed" in document.documentElement.dataset;
const painter = new Painter(() => state.version);
const desk = new Desk(state, page.figures, painter);
const distributions = new Distributions(desk);
/** Those that the experiment has. @type {Partial<Record<import("./data/view.js").Tab, Tab>>} */
const tabs = { distributions, landscape: new Landscape(desk), series: new SeriesTab(desk) };
for (const name of /** @type {const} */ (["gradients", "normalizer", "evidence"])) {
  const charts = page.figures.measured[name];
  if (charts) tabs[name] = new MeasuredTab(desk, charts);
}
if (page.claim) tabs.finding = new FindingTab(state, api, page.claim);
const sidebar = new Sidebar(desk, goTo, page.rules);
new Alerts(desk, api, goTo);
const note = find("connection", HTMLElement);

find("charts", HTMLElement).append(...Object.values(tabs).map((tab) => tab.element));
new Controls(desk, api);
/** The histories that are on their way. @type {Map<string, unknown>} */
let completing = new Map();
if (saved) {
  new Cursor(desk, () => {});
  const at = new Date(1000 * saved.at);
  write(find("saved", HTMLElement), `saved ${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`);
} else {
  const feed = new Feed(state, api, (text, final) => {
    write(note, text);
    note.hidden = !text;
    note.dataset.final = String(final);
  });
  new Cursor(desk, () => void feed.sharpen());
  completing = feed.completing;
  find("save-page", HTMLButtonElement).addEventListener("click", savePage);
}
new Zoom(desk);
if (embedded) find("whole", HTMLAnchorElement).addEventListener("click", ({ currentTarget }) => {
  if (currentTarget instanceof HTMLAnchorElement) currentTarget.href = location.pathname + (state.query ? `?${state.query}` : "");
});
else new Tour();
if (!page.experiment.id && !saved) void offerRuns(api, page.experiment.runs.map((run) => run.id));
else if (!api.readOnly) {
  new Share(state, api);
  find("edit", HTMLButtonElement).addEventListener("click", () => edit(api, page.experiment, (words) => {
    Object.assign(page.experiment, words);
    describe();
  }));
}
listen();
keepTheme(find("theme", HTMLButtonElement), (theme) => {
  desk.theme = theme;
  arrange();
});
if (takeOver(desk)) painter.waits = () => completing.size > 0;
state.listen((what) => (what === "frames" ? shownTab().reveal() : arrange()));
if (saved) restore(state, saved);
describe();
reportPaints();
setTimeout(loadPlotly, PLOTLY_LATEST);
if (!state.runs.some((run) => run.last_seq >= 0)) fetchPlotly();
state.listen(() => {
  if (state.newestStep < 0) return;
  fetchPlotly();
  setTimeout(loadPlotly, PLOTLY_SOON);
});
keepHeadHeight();

/** The tab that the view names; the first if the experiment has no such tab. */
function shownTab() {
  return tabs[state.view.tab] ?? distributions;
}

/** Show what people wrote about the experiment. */
function describe() {
  const { name, tags, notes } = page.experiment;
  const title = find("title", HTMLElement);
  write(title, name);
  title.title = name;
  document.title = `${name} · Normscope`;
  const about = find("described", HTMLElement);
  about.replaceChildren(...makeTags(tags), ...(notes ? [make("p", {}, notes)] : []));
  about.hidden = !about.childElementCount;
}

/** Save what is shown as one file that needs no server. */
function savePage() {
  const query = new URLSearchParams({ runs: state.runs.map((run) => run.id).join(), view: state.query });
  make("a", { href: `${location.pathname}/saved.html?${query}`, download: "" }).click();
}

/** Show what the view says. */
function arrange() {
  const { view } = state;
  for (const tab of Object.values(tabs)) tab.element.hidden = tab !== shownTab();
  for (const button of document.querySelectorAll("button[data-view]")) {
    if (!(button instanceof HTMLElement)) continue;
    const [key, value] = (button.dataset.view ?? "").split("=");
    button.setAttribute("aria-pressed", String(view[/** @type {"tab"} */ (key)] === value));
  }
  shownTab().arrange();
  sidebar.arrange();
  state.version++;
  const query = [embedded && "embed=1", state.query].filter(Boolean).join("&");
  const compare = document.querySelector('[data-testid="compare"]');
  if (compare) compare.setAttribute("href", `${page.root}/compare/${state.runs.map((run) => encodeURIComponent(run.id)).join(",")}`);
  address = location.pathname + (query ? `?${query}` : "");
  keepAddress();
}

/** Let the address hold the view. Some browsers bear few changes in a row, as while a cursor is dragged: then later. */
function keepAddress() {
  clearTimeout(keeping);
  if (address === location.pathname + location.search) return;
  try {
    history.replaceState(null, "", address);
  } catch {
    if (!saved) keeping = setTimeout(keepAddress, ADDRESS_PERIOD); // a browser may forbid it to a file for good
  }
}

/** Let every button with data-view="key=value" show what it says. */
function listen() {
  for (const button of document.querySelectorAll("button[data-view]")) {
    button.addEventListener("click", () => {
      const [key, value] = button.getAttribute("data-view")?.split("=") ?? [];
      state.show({ [key]: value });
    });
  }
}

/** Let what sticks below the header know its height; on a narrow window the list of layers begins folded. */
function keepHeadHeight() {
  const head = document.querySelector("header.top");
  if (!head) return;
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--head", `${head.getBoundingClientRect().height}px`);
  }).observe(head);
  if (innerWidth <= 900) document.querySelector("details.layers")?.removeAttribute("open");
}

/** @param {string} name of a layer */
function goTo(name) {
  if (state.view.tab !== "distributions") state.show({ tab: "distributions" });
  distributions.scrollTo(name);
}

/** Have Plotly brought, behind what is shown first: it is most of what a page weighs. */
function fetchPlotly() {
  if (window.Plotly || !page.plotly || document.querySelector('link[rel="preload"]')) return;
  document.head.append(make("link", { rel: "preload", href: page.plotly, as: "script", fetchpriority: "low" }));
}

/** Load Plotly once there is something to look at: while it is evaluated nothing else happens. */
function loadPlotly() {
  if (window.Plotly || !page.plotly || document.querySelector("script[data-plotly]")) return;
  document.head.append(make("script", { src: page.plotly, async: true, "data-plotly": true }));
}

/** Say what the loss chart shows, after it has been drawn: benchmarks and tests read it. */
function reportPaints() {
  const { loss } = distributions;
  const draw = loss.draw.bind(loss);
  const report = () => {
    const steps = state.runs.map((run) => [run.id, state.whole(run.id).newest?.lastStep ?? -1]);
    const paintedAt = performance.timeOrigin + performance.now();
    const sharp = !state.runs.some((run) => state.blurred(run.id));
    window.normscope = { sharp, span: state.view.span, painted: Object.fromEntries(steps), paintedAt, longest: painter.longest };
  };
  loss.draw = (version, deadline) => {
    draw(version, deadline);
    report();
  };
  // Where nobody has told a loss there is no such chart.
  const instead = {
    options: {},
    drawn: -1,
    drawnAt: 0,
    wants: (/** @type {number} */ version) => loss.element.hidden && instead.drawn !== version,
    draw: (/** @type {number} */ version) => {
      instead.drawn = version;
      report();
    },
  };
  painter.jobs.add(instead);
}
