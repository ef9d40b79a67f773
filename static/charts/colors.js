/** Colours by strength. Pure. */

/**
 * From nothing to the arm's colour. Shares differ by orders of magnitude, so it rises as their square root does.
 * @param {(share: number) => string} colorAt
 */
export function ramp(colorAt) {
  return [0, 0.2, 0.4, 0.6, 0.8, 1].map((t) => [t * t, colorAt(t)]);
}

/**
 * @param {string} hex
 * @param {number} alpha
 */
export function faded(hex, alpha) {
  return `rgba(${partsOf(hex).join()},${alpha})`;
}

/**
 * Between two colours.
 * @param {string} from
 * @param {string} to
 * @param {number} share of the second
 */
export function mixed(from, to, share) {
  const [a, b] = [partsOf(from), partsOf(to)];
  return `rgb(${a.map((part, i) => Math.round(part + share * (b[i] - part))).join()})`;
}

/** Red, green and blue. @param {string} hex */
function partsOf(hex) {
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}
