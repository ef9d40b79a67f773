/** Elements of the page: making them, finding them, and writing to them only when something changed. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | number | EventListener>} [attributes] functions listen; true is an empty attribute
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * The element with a data-testid, which the page must have.
 * @template {typeof HTMLElement} T
 * @param {string} id
 * @param {T} type
 * @param {ParentNode} [within]
 * @returns {InstanceType<T>}
 */
export function find(id, type, within = document) {
  const found = within.querySelector(`[data-testid="${id}"]`);
  if (!(found instanceof type)) throw new Error(`missing element: ${id}`);
  return /** @type {InstanceType<T>} */ (found);
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Let an element have just these children. Those that are in place are left alone, with what is focused or unfolded in them.
 * @param {Element} parent
 * @param {Element[]} children
 */
export function place(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

/**
 * The JSON that the template put into the page.
 * @param {string} id
 * @returns {any}
 */
export function data(id) {
  const script = document.getElementById(id);
  if (!script) throw new Error(`missing data: ${id}`);
  return JSON.parse(script.textContent ?? "null");
}

/**
 * Copy what a field holds.
 * @param {HTMLInputElement} field
 * @returns {Promise<string>} how it went, in a sentence
 */
export async function copy(field) {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    return "Copied.";
  } catch {
    return "The browser does not let a page copy here: press Ctrl+C."; // no https, or not allowed
  }
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
export function makeSvg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
