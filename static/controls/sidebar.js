/** The list of layers: the net beside it, and of each layer a sparkline, the drift, and trouble where there is some. */

import { Chooser } from "./chooser.js";
import { Rail } from "./rail.js";
import { find, make, makeSvg, write } from "../element.js";
import { drift, momentsOf, placeOf, troubleOf } from "../data/layer.js";
import { matches, showsLayer } from "../data/view.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {import("../data/layer.js").Trouble} Trouble
 *
 * @typedef {object} Item a layer in the list
 * @property {import("../data/state.js").Layer} layer
 * @property {HTMLButtonElement} element
 * @property {Element[]} sparks one for each run
 * @property {HTMLElement} drift
 * @property {HTMLElement} trouble
 * @property {number} moved
 * @property {Trouble | null} worst
 */

const WIDTH = 60;
const HEIGHT = 20;
const POINTS = 48;
const PERIOD = 400;

export class Sidebar {
  /**
   * @param {Desk} desk
   * @param {(name: string) => void} goTo
   * @param {import("../types.js").Rule[]} rules what is trouble
   */
  constructor(desk, goTo, rules) {
    this.desk = desk;
    this.rules = rules;
    this.goTo = goTo;
    this.options = { first: true };
    this.drawnAt = 0;
    this.drawn = -1;
    this.chooser = new Chooser(desk);
    this.list = find("layers", HTMLElement);
    this.rail = new Rail(this.list);
    this.filter = find("filter", HTMLInputElement);
    this.sort = find("sort", HTMLSelectElement);
    this.all = find("all-layers", HTMLButtonElement);
    this.sort.value = desk.state.view.sort;
    /** @type {Item[]} */
    this.items = [];
    this.next = 0;
    /** The version that the pass through the list began with. */
    this.begun = -1;
    this.key = "";
    this.#listen();
    desk.painter.jobs.add(this);
  }

  #listen() {
    const { state } = this.desk;
    this.filter.addEventListener("input", () => this.#order());
    this.filter.addEventListener("keydown", ({ key }) => {
      if (key === "Enter") state.show({ layers: this.filter.value.split(/[\s,]+/).filter(Boolean).map(asGlob) });
    });
    this.sort.addEventListener("change", () => {
      state.show({ sort: /** @type {import("../data/view.js").Sort} */ (this.sort.value) });
      this.#order();
    });
    this.all.addEventListener("click", () => state.show({ layers: [] }));
  }

  /** Make what the runs and layers ask for, if they have changed. */
  arrange() {
    const { state } = this.desk;
    this.chooser.arrange();
    const key = JSON.stringify([state.net, state.runs.map((run) => run.id)]);
    if (key !== this.key) {
      this.key = key;
      this.items = state.layers.map((layer) => this.#item(layer));
      const colors = new Set(state.runs.map((run) => this.desk.colorOf(run)));
      this.list.parentElement?.style.setProperty("--drifts", String(Math.min(2, colors.size)));
      this.rail.draw(state.net, new Map(this.items.map(({ layer, element }) => [layer.name, element])));
      this.#order();
      this.drawn = -1;
      this.next = 0;
    }
    this.all.hidden = !state.view.layers.length;
    for (const { element, layer } of this.items) {
      const chosen = state.view.layers.length > 0 && showsLayer(state.view, layer.name);
      element.setAttribute("aria-pressed", String(chosen));
    }
  }

  /** @param {import("../data/state.js").Layer} layer @returns {Item} */
  #item(layer) {
    const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    const sparks = this.desk.state.runs.map((run) => makeSvg("path", { style: `stroke:var(--arm${this.desk.colorOf(run)})` }));
    svg.append(...sparks);
    const [moved, trouble] = [make("span", { class: "drift" }), make("span", { class: "trouble" })];
    const element = make("button", { class: "layer", "data-layer": layer.name });
    element.addEventListener("click", (event) => this.#choose(layer.name, event.ctrlKey || event.metaKey || event.shiftKey));
    element.append(make("span", { class: "name" }, make("bdi", {}, layer.name)), svg, moved, trouble);
    return { layer, element, sparks, drift: moved, trouble, moved: NaN, worst: null };
  }

  /** @param {string} name @param {boolean} more */
  #choose(name, more) {
    const { state } = this.desk;
    const { layers } = state.view;
    if (!more && !layers.length) return this.goTo(name);
    const known = layers.includes(name);
    state.show({ layers: known ? layers.filter((layer) => layer !== name) : more ? [...layers, name] : [name] });
  }

  #order() {
    const { sort } = this.desk.state.view;
    const items = this.items.filter((item) => matches(item.layer.name, this.filter.value));
    this.rail.show(sort === "order" && items.length === this.items.length);
    if (sort === "drift") items.sort((a, b) => (b.moved || 0) - (a.moved || 0));
    if (sort === "trouble") items.sort((a, b) => Number(b.worst !== null) - Number(a.worst !== null));
    const wanted = items.map((item) => item.element);
    if (wanted.length !== this.list.childElementCount || wanted.some((element, i) => this.list.children[i] !== element)) {
      this.list.replaceChildren(...wanted);
    }
  }

  /**
   * @param {number} version
   * @param {number} now
   */
  wants(version, now) {
    return this.drawn !== version && (this.next > 0 || now - this.drawnAt > PERIOD);
  }

  /**
   * Draw items until the deadline; the next turn goes on from there.
   * @param {number} version
   * @param {number} deadline
   */
  draw(version, deadline) {
    if (this.next === 0) this.begun = version;
    this.chooser.report();
    while (this.next < this.items.length) {
      this.#drawItem(this.items[this.next++]);
      if (performance.now() > deadline - 8) break;
    }
    this.drawnAt = performance.now();
    if (this.next < this.items.length) return;
    this.next = 0;
    this.drawn = this.begun;
    if (this.desk.state.view.sort !== "order") this.#order();
  }

  /** @param {Item} item */
  #drawItem(item) {
    const { state } = this.desk;
    const lines = state.runs.map((run) => spreads(state.history(run.id), placeOf(run, item.layer.name)));
    const all = lines.flat().filter(Number.isFinite);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    lines.forEach((line, i) => item.sparks[i]?.setAttribute("d", sparkline(line, low, high)));
    this.#drawDrift(item);
    this.#drawTrouble(item);
  }

  /** @param {Item} item */
  #drawDrift(item) {
    const { state } = this.desk;
    const earlier = Math.floor(0.9 * state.step);
    /** The largest of each arm's runs, by the arm's colour. @type {Map<number, number>} */
    const moves = new Map();
    for (const run of state.runs) {
      const move = drift(state.whole(run.id).at(earlier), state.frameAtCursor(run.id), placeOf(run, item.layer.name));
      const color = this.desk.colorOf(run);
      const known = moves.get(color) ?? NaN;
      moves.set(color, move <= known ? known : move);
    }
    item.moved = Math.max(...[...moves.values()].map((move) => move || 0));
    while (item.drift.childElementCount < moves.size) item.drift.append(make("b"));
    [...moves].forEach(([color, move], i) => {
      const element = /** @type {HTMLElement} */ (item.drift.children[i]);
      write(element, Number.isFinite(move) ? move.toFixed(2) : "–");
      element.style.color = `var(--text${color})`;
    });
    item.drift.title = `Drift: how far the mean moved since ${state.axis.say(earlier)}, in standard deviations`;
  }

  /** @param {Item} item */
  #drawTrouble(item) {
    const { state } = this.desk;
    item.worst = null;
    const sentences = [];
    for (const run of state.runs) {
      const history = state.whole(run.id);
      const found = troubleOf(history, placeOf(run, item.layer.name), history.indexAt(state.step), this.rules);
      if (!found) continue;
      item.worst ??= found;
      sentences.push(`${this.desk.nameOf(run)}: its output ${found.sentence} since ${found.about ? "about " : ""}step ${found.since}`);
    }
    write(item.trouble, item.worst ? `${item.worst.kind} since ${item.worst.about ? "≈ " : ""}${item.worst.since}` : "");
    item.trouble.title = sentences.join("\n");
  }
}

/** A word is a part of names; the view holds globs. @param {string} word */
function asGlob(word) {
  return /[*?]/.test(word) ? word : `*${word}*`;
}

/**
 * Standard deviations over steps, thinned.
 * @param {import("../data/history.js").History} history
 * @param {number} place
 */
function spreads({ frames }, place) {
  const values = [];
  const every = Math.max(1, frames.length / POINTS);
  for (let i = 0; i < frames.length; i += every) {
    const frame = frames[Math.floor(i)];
    const row = frame.row(place);
    if (row >= 0) values.push(momentsOf(frame, row).std);
  }
  return values;
}

/**
 * @param {number[]} values
 * @param {number} low
 * @param {number} high
 */
function sparkline(values, low, high) {
  const finite = values.filter(Number.isFinite);
  const span = high - low || 1;
  return finite
    .map((value, i) => {
      const x = finite.length > 1 ? (i / (finite.length - 1)) * (WIDTH - 2) + 1 : 1;
      return `${i ? "L" : "M"}${x.toFixed(1)},${(HEIGHT - 2 - ((value - low) / span) * (HEIGHT - 4)).toFixed(1)}`;
    })
    .join("");
}
