/** The step cursor below the charts: one for all of them. */

import { find, write } from "../element.js";
import { tellsEpochs } from "../data/axis.js";
import { isDone } from "../data/shown.js";

/** @typedef {import("../charts/desk.js").Desk} Desk */

const PLAY_SECONDS = 12;
/** How many times a key moves it from one end of time to the other. */
const STRIDES = 300;

export class Cursor {
  /**
   * @param {Desk} desk
   * @param {() => void} settled when the cursor has stood still for a moment
   */
  constructor(desk, settled) {
    this.desk = desk;
    this.settled = settled;
    this.options = { first: true };
    this.drawnAt = 0;
    this.drawn = -1;
    this.key = "";
    this.range = find("cursor", HTMLInputElement);
    this.number = find("cursor-step", HTMLElement);
    this.by = find("by", HTMLSelectElement);
    this.by.value = desk.state.view.by;
    this.by.addEventListener("change", () => desk.state.show({ by: /** @type {import("../data/axis.js").By} */ (this.by.value), step: null, span: null }));
    this.follow = find("follow", HTMLButtonElement);
    this.followLabel = find("follow-label", HTMLElement);
    this.playButton = find("play", HTMLButtonElement);
    this.range.addEventListener("input", () => this.move(Number(this.range.value)));
    this.follow.addEventListener("click", () => this.move(null));
    this.playButton.addEventListener("click", () => this.play(!this.playing));
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => this.#grab(event));
    desk.painter.jobs.add(this);
  }

  /** @param {number | null} step null follows the newest */
  move(step) {
    const { state } = this.desk;
    const at = step === null ? null : Math.max(0, Math.min(Math.round(step), state.end));
    state.show({ step: at, span: around(state.view.span, at ?? state.end) });
    clearTimeout(this.timer);
    this.timer = setTimeout(this.settled, 180);
  }

  /** @param {boolean} playing */
  play(playing) {
    this.playing = playing;
    this.playButton.setAttribute("aria-pressed", String(playing));
    this.playButton.setAttribute("aria-label", playing ? "Stop playing" : "Play from the cursor");
    if (!playing) return;
    const { state } = this.desk;
    const [first, last] = state.bounds;
    if (state.view.step === null || state.step < first || state.step >= last) this.move(first);
    this.#advance(performance.now());
  }

  /** @param {number} then */
  #advance(then) {
    requestAnimationFrame((now) => {
      const { state } = this.desk;
      if (!this.playing) return;
      const [first, last] = state.bounds;
      if (state.step >= last) return this.play(false);
      const gone = ((now - then) / 1000 / PLAY_SECONDS) * (last - first);
      if (gone >= 1) this.move(Math.min(state.step + gone, last));
      this.#advance(gone >= 1 ? now : then);
    });
  }

  /** How far a key moves it: by one step, or by a small part of what is shown. */
  get stride() {
    const [first, last] = this.desk.state.bounds;
    return this.desk.state.view.by === "step" ? 1 : Math.max(1, Math.round((last - first) / STRIDES));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { target, key } = event;
    const typing = target instanceof Element && target !== this.range && target.closest("input, select, textarea, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === " " && target instanceof Element && target.closest("button, summary, a")) return; // which it presses
    const stride = (event.shiftKey ? 10 : 1) * this.stride;
    if (key === "ArrowLeft") this.move(this.desk.state.step - stride);
    else if (key === "ArrowRight") this.move(this.desk.state.step + stride);
    else if (key === "Home") this.move(0);
    else if (key === "End") this.move(null);
    else if (key === " ") this.play(!this.playing);
    else return;
    event.preventDefault();
  }

  /** Drag the cursor on any chart over steps. @param {PointerEvent} event */
  #grab(event) {
    const panel = this.desk.panelAt(event.target);
    if (!panel || event.button !== 0 || event.shiftKey) return;
    const follow = (/** @type {PointerEvent} */ { clientX }) => this.move(panel.stepAt(clientX));
    const release = () => {
      document.removeEventListener("pointermove", follow);
      document.body.classList.remove("dragging");
    };
    this.play(false);
    document.body.classList.add("dragging");
    document.addEventListener("pointermove", follow);
    document.addEventListener("pointerup", release, { once: true });
    document.addEventListener("pointercancel", release, { once: true });
    follow(event);
  }

  /** @param {number} version */
  wants(version) {
    return this.drawn !== version;
  }

  /** @param {number} version */
  draw(version) {
    this.drawn = version;
    this.drawnAt = performance.now();
    const { state } = this.desk;
    const { step, newestStep } = state;
    const [first, last] = state.bounds;
    this.range.min = String(first);
    this.range.max = String(last);
    this.range.value = String(step);
    this.range.disabled = last <= first;
    const done = Math.max(0, Math.min(1, (step - first) / (last - first || 1)));
    this.range.style.setProperty("--done", `${(100 * done).toFixed(2)}%`);
    write(this.number, newestStep < 0 ? "–" : state.axis.text(step));
    this.range.setAttribute("aria-valuetext", state.axis.say(step));
    this.follow.setAttribute("aria-pressed", String(state.view.step === null));
    write(this.followLabel, state.runs.every(isDone) ? "Newest" : "Follow live");
    const epochs = state.runs.some((run) => tellsEpochs(state.whole(run.id).frames));
    this.by.options[2].disabled = !epochs && state.view.by !== "epoch";
    for (const panel of this.desk.panels) panel.point(step);
  }
}

/**
 * A span as long as the given one that holds a step.
 * @param {[number, number] | null} span
 * @param {number} step
 * @returns {[number, number] | null}
 */
function around(span, step) {
  if (!span || (span[0] <= step && step <= span[1])) return span;
  const length = span[1] - span[0];
  const first = step < span[0] ? step : step - length;
  return [first, first + length];
}
