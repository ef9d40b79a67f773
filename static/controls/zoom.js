/** Zooming in time: one span of steps for all charts, chosen by brushing one, with a wheel, by keys or by buttons. */

import { find, write } from "../element.js";

/**
 * @typedef {import("../charts/desk.js").Desk} Desk
 * @typedef {[number, number]} Span
 */

const NAMES = { step: "Steps", time: "Time", epoch: "Epochs" };
/** Steps that a span has at least. */
const LEAST = 4;
/** How much of what is shown remains when it is zoomed in once. */
const FACTOR = 0.5;
/** How much a turn of the wheel by one pixel does. */
const WHEEL = 0.0025;
/** Pixels that a brush covers at least; a shorter one was a click. */
const BRUSH = 5;

export class Zoom {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    this.closer = find("zoom-in", HTMLButtonElement);
    this.wider = find("zoom-out", HTMLButtonElement);
    this.whole = find("zoom-whole", HTMLButtonElement);
    this.closer.addEventListener("click", () => this.by(FACTOR));
    this.wider.addEventListener("click", () => this.by(1 / FACTOR));
    this.whole.addEventListener("click", () => this.show(null));
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => this.#brush(event));
    // Not "dblclick": while a button is down, Plotly covers the page.
    document.addEventListener("mousedown", ({ target, detail }) => detail === 2 && desk.panelAt(target) && this.show(null), { capture: true });
    document.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    desk.state.listen((what) => what !== "run" && this.#say());
    this.#say();
  }

  /**
   * Show a span, or all; the cursor comes along.
   * @param {Span | null} span
   */
  show(span) {
    const { state, allSteps } = this.desk;
    const end = Math.max(allSteps[1], state.end);
    const wanted = span && spanIn(span, end);
    const { step } = state.view;
    const at = step === null || !wanted ? step : Math.max(wanted[0], Math.min(step, wanted[1], state.end));
    state.show({ span: wanted, step: at });
  }

  /**
   * Show more or less around a step that stays where it is.
   * @param {number} factor below 1 shows less
   * @param {number} [middle]
   */
  by(factor, middle) {
    const [first, last] = this.desk.steps;
    const { step } = this.desk.state;
    const fixed = middle ?? (first <= step && step <= last ? step : (first + last) / 2);
    this.show([fixed - (fixed - first) * factor, fixed + (last - fixed) * factor]);
  }

  #say() {
    const { span } = this.desk.state.view;
    this.whole.hidden = this.wider.disabled = span === null;
    this.closer.disabled = this.desk.steps[1] - this.desk.steps[0] <= LEAST;
    if (span) write(this.whole, `${NAMES[this.desk.state.view.by]} ${span.map(this.desk.state.axis.text).join(" to ")} ✕`);
  }

  /** @param {KeyboardEvent} event */
  #key({ target, key, ctrlKey, metaKey, altKey }) {
    const busy = target instanceof Element && target.closest("input:not([type=range]), select, textarea, dialog");
    if (busy || ctrlKey || metaKey || altKey) return;
    if (key === "+" || key === "=") this.by(FACTOR);
    else if (key === "-") this.by(1 / FACTOR);
    else if (key === "0") this.show(null);
  }

  /** @param {WheelEvent} event with Ctrl, which is also what pinching a touchpad sends */
  #wheel(event) {
    const panel = event.ctrlKey || event.metaKey ? this.desk.panelAt(event.target) : undefined;
    if (!panel) return;
    event.preventDefault();
    this.by(Math.exp(WHEEL * Math.max(-200, Math.min(event.deltaY, 200))), panel.stepAt(event.clientX));
  }

  /** Select steps on any chart, with Shift. @param {PointerEvent} event */
  #brush(event) {
    const panel = event.shiftKey && event.button === 0 ? this.desk.panelAt(event.target) : undefined;
    if (!panel) return;
    const began = { x: event.clientX, step: panel.stepAt(event.clientX) };
    /** @param {PointerEvent} now @returns {Span} */
    const spanTo = ({ clientX }) => /** @type {Span} */ ([began.step, panel.stepAt(clientX)].sort((a, b) => a - b));
    /** @param {Span | null} span */
    const mark = (span) => this.desk.panels.forEach((other) => other.mark(span));
    const follow = (/** @type {PointerEvent} */ now) => mark(spanTo(now));
    const end = (/** @type {PointerEvent} */ now) => {
      document.removeEventListener("pointermove", follow);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
      document.body.classList.remove("dragging");
      mark(null);
      if (now.type === "pointerup" && Math.abs(now.clientX - began.x) >= BRUSH) this.show(spanTo(now));
    };
    event.preventDefault();
    document.body.classList.add("dragging");
    document.addEventListener("pointermove", follow);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
  }
}

/**
 * A span in whole steps, no shorter than the least and within what there is; null if that is all.
 * @param {Span} span
 * @param {number} end
 * @returns {Span | null}
 */
function spanIn([first, last], end) {
  const length = Math.max(LEAST, Math.round(last - first));
  if (length >= end) return null;
  const from = Math.max(0, Math.min(Math.round((first + last - length) / 2), end - length));
  return [from, from + length];
}
