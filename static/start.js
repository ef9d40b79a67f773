/**
 * What an experiment's page begins with. Where the server has drawn a picture into it, that is painted before anything
 * else is asked for; what a person does before the rest is here is done once it is.
 */

/** What people do on a page that its parts listen for. */
const DEEDS = ["click", "input", "change", "keydown"];
/** Milliseconds that a browser may take to paint; one that shows the page nowhere does not. */
const PATIENCE = 500;

/** With what was in a field then: its part may begin with something else. @type {{event: Event, value: string | null}[]} */
const held = [];

/** @param {Event} event */
function hold(event) {
  event.stopImmediatePropagation();
  if (event.type === "click") event.preventDefault(); // of typing the letters may stand
  const { target } = event;
  held.push({ event, value: target instanceof HTMLInputElement || target instanceof HTMLSelectElement ? target.value : null });
}

/** Do what was done before there was anyone to listen. */
function release() {
  for (const deed of DEEDS) removeEventListener(deed, hold, { capture: true });
  for (const { event, value } of held) {
    const { target } = event;
    if (value !== null) /** @type {HTMLInputElement | HTMLSelectElement} */ (target).value = value;
    const Same = /** @type {typeof Event} */ (event.constructor);
    target?.dispatchEvent(new Same(event.type, event));
  }
}

for (const deed of DEEDS) addEventListener(deed, hold, { capture: true });
const ahead = document.getElementById("modules");
if (ahead instanceof HTMLTemplateElement) {
  await new Promise((painted) => {
    requestAnimationFrame(() => setTimeout(painted));
    setTimeout(painted, PATIENCE);
  });
  document.head.append(ahead.content);
}
try {
  await Promise.all([import("./opening.js"), import("./experiment.js")]);
} catch (error) {
  const note = document.querySelector('[data-testid="connection"]');
  if (note) Object.assign(note, { textContent: "Part of this page could not be loaded. Load it again.", hidden: false });
  throw error;
} finally {
  release(); // whatever else is there works
}

export {};
