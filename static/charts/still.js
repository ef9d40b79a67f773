/** A drawing of the page as a picture that stands alone: with its heading, and looking as it does here. */

import { makeSvg } from "../element.js";

/** Pixels above the drawing, for a heading of two lines. */
const HEAD = 50;
/** Pixels that a picture is wide at least, how wide a letter of its heading is, and how much is left beside it. */
const NARROWEST = 520;
const LETTER = 8;
const MARGIN = 12;
/** Pixels of a PNG for each of the picture's. */
const SCALE = 2;
/** What style sheets say of a drawing's parts, which nobody says of a file's. */
const LOOKS = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity", "font-size", "font-family"];

/**
 * @param {SVGElement} drawing on the page, with a viewBox
 * @param {"png" | "svg"} ending
 * @param {[string, string]} heading
 * @returns {Promise<string>} an address to save it from
 */
export async function still(drawing, ending, heading) {
  const { svg, width, height } = stand(drawing, heading);
  const text = new XMLSerializer().serializeToString(svg);
  if (ending === "svg") return URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [SCALE * width, SCALE * height];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/png");
}

/** @param {SVGElement} drawing @param {[string, string]} heading */
function stand(drawing, heading) {
  const [, , across, down] = (drawing.getAttribute("viewBox") ?? "0 0 1 1").split(" ").map(Number);
  const width = Math.ceil(Math.max(NARROWEST, ...heading.map((line) => LETTER * line.length + 2 * MARGIN)));
  const inner = width - 2 * MARGIN;
  const height = Math.ceil(HEAD + (inner * down) / across + MARGIN);
  const style = getComputedStyle(document.documentElement);
  const [paper, ink, soft] = ["--card", "--ink", "--soft"].map((name) => style.getPropertyValue(name).trim());
  const copy = /** @type {SVGElement} */ (drawing.cloneNode(true));
  inscribe(drawing, copy);
  place(copy, { x: MARGIN, y: HEAD, width: inner, height: height - HEAD - MARGIN });
  const lines = heading.map((words, i) => {
    const line = makeSvg("text", { x: MARGIN, y: 22 + 18 * i, fill: i ? soft : ink, "font-size": i ? 12 : 15, "font-family": "system-ui, sans-serif" });
    line.textContent = words;
    return line;
  });
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
  svg.append(makeSvg("rect", { width, height, fill: paper }), ...lines, copy);
  return { svg, width, height };
}

/** Write into a copy how its parts look. @param {Element} shown @param {Element} copy */
function inscribe(shown, copy) {
  const style = getComputedStyle(shown);
  for (const name of LOOKS) copy.setAttribute(name, style.getPropertyValue(name));
  copy.removeAttribute("class");
  [...shown.children].forEach((child, i) => inscribe(child, copy.children[i]));
}

/** @param {Element} element @param {Record<string, number>} at */
function place(element, at) {
  for (const [name, value] of Object.entries(at)) element.setAttribute(name, String(value));
}
