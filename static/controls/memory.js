/** What a browser remembers for a person. Where it may not, as some do for files and private windows, until the page is left. */

/** @type {Map<string, string>} */
const until = new Map();

/** @param {string} key @returns {string | null} */
export function recall(key) {
  try {
    return localStorage.getItem(key) ?? until.get(key) ?? null;
  } catch {
    return until.get(key) ?? null;
  }
}

/** @param {string} key @param {string | null} value null forgets it */
export function remember(key, value) {
  if (value === null) until.delete(key);
  else until.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // It is remembered until the page is left.
  }
}
