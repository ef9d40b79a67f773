/** A moment as people write it. Pure. */

/** @param {number} seconds unix */
export function moment(seconds) {
  return new Date(1000 * seconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
