/** Words in files of comma-separated values. Pure. */

const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * A cell as RFC 4180 has it. Spreadsheets run what looks like a formula, and names come from anyone: such words get an
 * apostrophe before them, which makes them text. Numbers that are words stay as they are.
 * @param {string} words
 */
export function csvWords(words) {
  const text = FORMULA.test(words) && (!words.trim() || Number.isNaN(Number(words))) ? `'${words}` : words;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
