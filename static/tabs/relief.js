/** A run's surface in perspective, to be turned by dragging or by arrow keys. Drawn as SVG: it needs no 3-D graphics. */

import { mixed } from "../charts/colors.js";
import { make, makeSvg, write } from "../element.js";
import { relief } from "../lines/relief.js";

/**
 * @typedef {import("../lines/relief.js").Surface} Surface
 * @typedef {import("../lines/relief.js").Eye} Eye
 *
 * @typedef {object} Shown
 * @property {number} version another if anything else is
 * @property {Surface} surface
 * @property {[ArrayLike<number>, ArrayLike<number>]} path
 * @property {string} progress how much of the surface is there, in words; empty if all of it is
 */

const SIZE = { width: 460, height: 300, margin: 12 };
const TURN = 0.01;
const KEYS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1],
});

export class Relief {
  /**
   * @param {object} options
   * @param {string} options.name of the run
   * @param {string} options.style of its name
   * @param {() => Shown} options.data
   * @param {{color: string, paper: string, ink: string}} options.colors
   * @param {Eye} options.eye shared, so that all surfaces are seen from one place
   * @param {() => void} options.turned draws all of them
   * @param {(drawing: SVGElement) => HTMLElement} options.menu saves it
   */
  constructor(options) {
    this.options = options;
    this.label = `Loss around the last weights of ${options.name}, in perspective: height and strength of colour are log10 of the loss. Turn it with the arrow keys.`;
    this.svg = makeSvg("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", tabindex: 0 });
    const title = make("h3", { style: options.style }, options.name);
    this.readout = make("span", { class: "readout", role: "status" });
    this.element = make("figure", { class: "panel relief", "data-testid": "chart-relief" }, make("figcaption", {}, title, this.readout, options.menu(this.svg)), this.svg);
    this.shown = "";
    this.svg.addEventListener("pointerdown", (event) => this.#drag(event));
    this.svg.addEventListener("keydown", (event) => {
      const turn = KEYS[event.key];
      if (!turn) return;
      event.preventDefault();
      event.stopPropagation();
      this.#turn(...turn);
    });
  }

  /** Draw what has come since it was drawn. */
  refine() {
    const { version, progress } = this.options.data();
    if (this.shown === `${version} ${progress}`) return;
    this.shown = `${version} ${progress}`;
    write(this.readout, progress);
    this.svg.setAttribute("aria-label", progress ? `${this.label} Shown: ${progress}.` : this.label);
    this.draw();
  }

  draw() {
    const { data, colors, eye } = this.options;
    const { surface, path } = data();
    const { cells, path: walk } = relief(surface, path[0], path[1], eye, SIZE);
    const polygons = cells.map(({ points, level }) => {
      const fill = mixed(colors.paper, colors.color, 0.12 + 0.75 * level);
      return makeSvg("polygon", { points: points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), fill, stroke: colors.paper, "stroke-width": 0.5 });
    });
    const line = makeSvg("polyline", { points: walk.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" "), fill: "none", stroke: colors.ink, "stroke-width": 2, "stroke-linejoin": "round" });
    const ends = walk.length ? [[walk[0], colors.paper], [walk[walk.length - 1], colors.ink]] : [];
    const dots = ends.map(([[cx, cy], fill]) => makeSvg("circle", { cx: Number(cx), cy: Number(cy), r: 4, fill: String(fill), stroke: colors.ink, "stroke-width": 1.5 }));
    this.svg.replaceChildren(...polygons, line, ...dots);
  }

  /** @param {number} azimuth @param {number} elevation */
  #turn(azimuth, elevation) {
    const { eye } = this.options;
    eye.azimuth += azimuth;
    eye.elevation = Math.max(0.1, Math.min(1.5, eye.elevation + elevation));
    this.options.turned();
  }

  /** @param {Event} event */
  #drag(event) {
    if (!(event instanceof PointerEvent) || event.button !== 0) return;
    let [x, y] = [event.clientX, event.clientY];
    this.svg.setPointerCapture(event.pointerId);
    const follow = (/** @type {Event} */ now) => {
      if (!(now instanceof PointerEvent)) return;
      this.#turn(-TURN * (now.clientX - x), TURN * (now.clientY - y));
      [x, y] = [now.clientX, now.clientY];
    };
    this.svg.addEventListener("pointermove", follow);
    const release = () => this.svg.removeEventListener("pointermove", follow);
    this.svg.addEventListener("pointerup", release, { once: true });
    this.svg.addEventListener("pointercancel", release, { once: true });
  }
}
