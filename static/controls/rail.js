/** The net, drawn beside the list of its layers: a dot for each, lines to those that take what it gives. */

import { kinOf, lanesOf } from "../data/net.js";
import { makeSvg } from "../element.js";

/**
 * @typedef {import("../data/net.js").Net} Net
 * @typedef {import("../data/net.js").Piece} Piece
 */

/** Pixels: between two lanes, from the last to the names, of the corners, of the dots. */
const LANE = 7;
const MARGIN = 7;
const CORNER = 5;
const DOT = 3;
/** Farther than any row is high; what is too long is cut off. */
const FAR = 999;

export class Rail {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {Net} */
    this.net = { layers: [], edges: [] };
    for (const type of /** @type {const} */ (["pointerover", "focusin"])) list.addEventListener(type, (event) => this.#mark(nameAt(event)));
    for (const type of ["pointerleave", "focusout"]) list.addEventListener(type, () => this.#mark(""));
  }

  /**
   * Draw a net into the rows of its layers.
   * @param {Net} net
   * @param {Map<string, Element>} elements
   */
  draw(net, elements) {
    this.net = net;
    const { rows, lanes } = lanesOf(net);
    const width = 2 * MARGIN + LANE * lanes;
    this.list.style.setProperty("--rail", `${width}px`);
    net.layers.forEach(({ name, type }, i) => {
      const element = elements.get(name);
      if (!element) return;
      element.querySelector(".rail")?.remove();
      element.prepend(picture(rows[i], width));
      element.setAttribute("title", describe(net, name, type));
    });
  }

  /** Whether rows follow each other as layers do, so that lines between them can be drawn. @param {boolean} whole */
  show(whole) {
    this.list.classList.toggle("railed", whole && this.net.edges.length > 0);
  }

  /** Point out a layer's neighbours. @param {string} name */
  #mark(name) {
    const { before, after } = kinOf(this.net, name);
    for (const element of this.list.children) {
      const one = element.getAttribute("data-layer") ?? "";
      element.classList.toggle("kin", before.includes(one) || after.includes(one));
    }
  }
}

/** @param {Event} event */
function nameAt({ target }) {
  return (target instanceof Element && target.closest("[data-layer]")?.getAttribute("data-layer")) || "";
}

/**
 * What is said of a layer to those who rest on it.
 * @param {Net} net
 * @param {string} name
 * @param {string} type
 */
function describe(net, name, type) {
  const { before, after } = kinOf(net, name);
  return [`${name} (${type})`, before.length && `takes ${before.join(", ")}`, after.length && `gives to ${after.join(", ")}`]
    .filter(Boolean)
    .join("\n");
}

/** @param {Piece[]} pieces @param {number} width */
function picture(pieces, width) {
  const home = width - MARGIN;
  const svg = makeSvg("svg", { class: "rail", width, "aria-hidden": "true" });
  // Rows differ in height: everything is drawn from the middle of each, and farther than it reaches.
  const middle = makeSvg("svg", { y: "50%", overflow: "visible" });
  for (const { way, lane, common } of pieces) {
    middle.append(makeSvg("path", { d: line(way, home, home - LANE * lane), ...(common ? {} : { class: "some" }) }));
  }
  middle.append(makeSvg("circle", { cx: home, cy: 0, r: DOT }));
  svg.append(middle);
  return svg;
}

/**
 * @param {Piece["way"]} way
 * @param {number} home where the dots are
 * @param {number} x where the lane is
 */
function line(way, home, x) {
  if (way === "through") return `M${x},${-FAR}V${FAR}`;
  if (way === "above") return `M${home},${-FAR}V0`;
  if (way === "below") return `M${home},0V${FAR}`;
  const sign = way === "start" ? 1 : -1;
  return `M${home},0H${x + CORNER}Q${x},0 ${x},${sign * CORNER}V${sign * FAR}`;
}
