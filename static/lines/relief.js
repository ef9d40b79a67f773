/** A surface as a relief: its cells in perspective from above, those behind first, and a path upon it. Pure. */

/**
 * @typedef {object} Surface
 * @property {ArrayLike<number>} a places along the first direction, increasing
 * @property {ArrayLike<number>} b along the second
 * @property {ArrayLike<number>[]} z for each of b, the heights over a
 *
 * @typedef {{azimuth: number, elevation: number}} Eye where from it is seen, in radians: around the surface, and above it
 * @typedef {{points: [number, number][], level: number}} Cell corners on the screen, and the mean height from 0 to 1
 */

/** The surface's height, in widths. */
const HEIGHT = 0.55;

/**
 * @param {Surface} surface
 * @param {ArrayLike<number>} pathA
 * @param {ArrayLike<number>} pathB
 * @param {Eye} eye
 * @param {{width: number, height: number, margin: number}} box
 * @returns {{cells: Cell[], path: [number, number][]}}
 */
export function relief({ a, b, z }, pathA, pathB, { azimuth, elevation }, { width, height, margin }) {
  const all = z.flatMap((row) => Array.from(row)).filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const level = (/** @type {number} */ value) => (Number.isFinite(value) ? (value - low) / (high - low || 1) : 1);
  const [cos, sin] = [Math.cos(azimuth), Math.sin(azimuth)];
  /** @param {number} u @param {number} v @param {number} w each from 0 to 1 @returns {[number, number, number]} x, y, nearness */
  const place = (u, v, w) => {
    const [x, y] = [(u - 0.5) * cos - (v - 0.5) * sin, (u - 0.5) * sin + (v - 0.5) * cos];
    return [x, y * Math.sin(elevation) - HEIGHT * w * Math.cos(elevation), y];
  };
  const [columns, rows] = [a.length, b.length];
  const grid = z.map((row, j) => Array.from(row, (value, i) => place(i / (columns - 1), j / (rows - 1), level(value))));
  const cells = [];
  for (let j = 0; j + 1 < rows; j++) {
    for (let i = 0; i + 1 < columns; i++) {
      const corners = [grid[j][i], grid[j][i + 1], grid[j + 1][i + 1], grid[j + 1][i]];
      const heights = [z[j][i], z[j][i + 1], z[j + 1][i + 1], z[j + 1][i]].map(level);
      cells.push({ corners, level: mean(heights), nearness: mean(corners.map((corner) => corner[2])) });
    }
  }
  const walk = Array.from(pathA, (x, k) => {
    const [u, v] = [fraction(a, x), fraction(b, pathB[k])];
    return place(u, v, heightAt(z, u, v, level));
  });
  const fit = fitting([...grid.flat(), ...walk], width, height, margin);
  return {
    cells: cells.toSorted((p, q) => p.nearness - q.nearness).map((cell) => ({ points: cell.corners.map(fit), level: cell.level })),
    path: walk.map(fit),
  };
}

/** Where a value lies between the first and the last of some that increase evenly, from 0 to 1. @param {ArrayLike<number>} values @param {number} at */
function fraction(values, at) {
  const [first, last] = [values[0], values[values.length - 1]];
  return Math.max(0, Math.min(1, (at - first) / (last - first || 1)));
}

/**
 * The height between grid points, bilinear.
 * @param {ArrayLike<number>[]} z
 * @param {number} u
 * @param {number} v
 * @param {(value: number) => number} level
 */
function heightAt(z, u, v, level) {
  const [x, y] = [u * (z[0].length - 1), v * (z.length - 1)];
  const [i, j] = [Math.min(Math.floor(x), z[0].length - 2), Math.min(Math.floor(y), z.length - 2)];
  const [s, t] = [x - i, y - j];
  const along = (/** @type {number} */ row) => (1 - s) * level(z[row][i]) + s * level(z[row][i + 1]);
  return (1 - t) * along(j) + t * along(j + 1);
}

/**
 * What brings points into a box, in the middle and with one scale.
 * @param {[number, number, number][]} points
 * @param {number} width
 * @param {number} height
 * @param {number} margin
 * @returns {(point: [number, number, number]) => [number, number]}
 */
function fitting(points, width, height, margin) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((width - 2 * margin) / (right - left || 1), (height - 2 * margin) / (bottom - top || 1));
  return ([x, y]) => [width / 2 + scale * (x - (left + right) / 2), height / 2 + scale * (y - (top + bottom) / 2)];
}

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
