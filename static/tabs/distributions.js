/** The tab of distributions: loss, accuracy, and a row for each layer. */

import { find, make, write } from "../element.js";
import { LayerRow } from "./row.js";
import { scalarLine } from "../lines/lines.js";
import { KINDS } from "../data/frame.js";
import { seriesTable } from "../lines/table.js";
import { showsLayer } from "../data/view.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../types.js").Run} Run
 */

/** Rows that have their charts from the beginning; of deeper nets, the others get them when they come near the window. */
const AT_ONCE = 24;
/** Windows' heights beyond which a row is jumped to: who glides past hundreds sees none of them. */
const FAR = 6;

export class Distributions {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.loss = lossPanel(desk);
    this.accuracy = accuracyPanel(desk);
    this.accuracy.element.hidden = true;
    this.rows = make("div", { class: "rows" });
    this.empty = make("p", { class: "empty" }, "No layer yet: the list arrives when training begins.");
    const pair = make("div", { class: "pair" }, this.loss.element, this.accuracy.element);
    this.reading = make("p", { class: "reading" });
    this.element = make("section", { class: "distributions" }, pair, this.empty, this.reading, this.rows);
    /** @type {LayerRow[]} */
    this.layers = [];
    this.kind = find("kind", HTMLSelectElement);
    this.kind.addEventListener("change", () => {
      desk.state.show({ kind: /** @type {import("../data/view.js").Kind} */ (this.kind.value) });
    });
    this.near = new IntersectionObserver((entries) => this.#fill(entries), { rootMargin: "800px" });
    this.key = "";
    /** @type {import("../types.js").Theme | null} */
    this.theme = null;
  }

  /** Make the rows that the view asks for, if they have changed. */
  arrange() {
    const { state, theme } = this.desk;
    const [kind, called] = KINDS[state.kind];
    const layers = state.layers.filter(({ name, kinds }) => kinds.has(kind) && showsLayer(state.view, name));
    const runs = state.runs.map((run) => run.id);
    const key = [kind, state.view.mode, runs, layers.map((layer) => `${layer.name}:${layer.type}`)].join(";");
    this.#offerKinds();
    this.empty.hidden = layers.length > 0;
    this.reading.hidden = !layers.length;
    const { charts } = this.desk.figures;
    const sentences = `${charts[state.view.mode].sentence} Right: ${lowered(charts.histogram.sentence)}`;
    write(this.reading, sentences.replaceAll("outputs", called));
    if (key !== this.key) this.#build(layers);
    else if (theme === this.theme) return;
    this.key = key;
    this.theme = theme;
    for (const panel of [this.loss, this.accuracy]) this.desk.dress(panel);
    for (const row of this.layers) row.dress();
  }

  /** Let a person choose what of layers is shown, where more than one thing is watched. */
  #offerKinds() {
    const { kinds, kind } = this.desk.state;
    this.kind.closest("label")?.toggleAttribute("hidden", kinds.length < 2);
    if (this.kind.options.length !== kinds.length) {
      this.kind.replaceChildren(...kinds.map((i) => make("option", { value: KINDS[i][0] }, KINDS[i][1])));
    }
    this.kind.value = KINDS[kind][0];
  }

  /** Show what has something to show by now: a user's own run may send an accuracy seldom, or never. */
  reveal() {
    const { runs, newestStep } = this.desk.state;
    const told = (/** @type {string[]} */ ...names) => runs.some((run) => names.some((name) => this.desk.state.whole(run.id).lastWith(name, null)));
    if (this.accuracy.element.hidden) this.accuracy.element.hidden = !told("accuracy", "test_accuracy");
    if (newestStep >= 0) this.loss.element.hidden = !told("loss");
  }

  /** @param {import("../data/state.js").Layer[]} layers */
  #build(layers) {
    for (const row of this.layers) row.remove();
    this.near.disconnect();
    this.layers = layers.map((layer) => new LayerRow(this.desk, layer));
    for (const row of this.layers.slice(0, AT_ONCE)) row.fill();
    this.rows.replaceChildren(...this.layers.map((row) => row.element));
    for (const row of this.layers.slice(AT_ONCE)) this.near.observe(row.element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #fill(entries) {
    const near = new Set(entries.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target));
    for (const row of this.layers.filter(({ element }) => near.has(element))) {
      this.near.unobserve(row.element);
      row.fill();
      row.dress();
    }
  }

  /** @param {string} name */
  scrollTo(name) {
    const row = this.layers.find((layer) => layer.name === name);
    if (!row) return;
    const far = Math.abs(row.element.getBoundingClientRect().top) > FAR * innerHeight;
    row.element.scrollIntoView({ behavior: far ? "instant" : "smooth", block: "start" });
  }
}

/** @param {string} sentence */
function lowered(sentence) {
  return sentence[0].toLowerCase() + sentence.slice(1);
}

/** @param {Desk} desk */
function lossPanel(desk) {
  const { state } = desk;
  return desk.linesPanel(
    "loss",
    { testid: "chart-loss", first: true, period: 0, table: seriesTable([{ column: "loss", series: "loss", of: ({ mean }) => mean[0] }], desk.framesOf) },
    (run, [train]) => scalarLine(state.history(run.id), "loss", train),
    (run) => state.frameAtCursor(run.id)?.scalar("loss") ?? NaN,
    { floor: 0 },
  );
}

/** @param {Desk} desk */
function accuracyPanel(desk) {
  const { state } = desk;
  return desk.linesPanel(
    "accuracy",
    { testid: "chart-accuracy", table: accuracyTable(desk) },
    (run, [train, test]) => {
      scalarLine(state.history(run.id), "accuracy", train, 100);
      scalarLine(state.history(run.id), "test_accuracy", test, 100);
    },
    (run) => {
      const frame = state.lastWith(run.id, "test_accuracy");
      return 100 * (frame?.scalar("test_accuracy") ?? state.frameAtCursor(run.id)?.scalar("accuracy") ?? NaN);
    },
    { floor: 0, ceiling: 101 },
  );
}

/** @param {Desk} desk */
function accuracyTable(desk) {
  const quantities = ["accuracy", "test_accuracy"].map((series) => {
    return { column: `${series} (%)`, series, of: (/** @type {import("../data/frame.js").Series} */ { mean }) => 100 * mean[0] };
  });
  return seriesTable(quantities, desk.framesOf);
}
