/** The step cursor below the charts: one for all of them. */

import { find, write } from "../element.js";
import { isDone } from "../data/shown.js";

/** @typedef {import("../charts/desk.js").Desk} Desk */

const PLAY_SECONDS = 12;

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
    state.show({ step: step === null ? null : Math.max(0, Math.min(Math.round(step), state.newestStep)) });
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
    if (state.view.step === null || state.view.step >= state.newestStep) this.move(0);
    this.#advance(performance.now());
  }

  /** @param {number} then */
  #advance(then) {
    requestAnimationFrame((now) => {
      const { state } = this.desk;
      if (!this.playing) return;
      if (state.step >= state.newestStep) return this.play(false);
      const gone = ((now - then) / 1000 / PLAY_SECONDS) * state.newestStep;
      if (gone >= 1) this.move(state.step + gone);
      this.#advance(gone >= 1 ? now : then);
    });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { target, key } = event;
    const typing = target instanceof Element && target.closest("input, select, textarea, dialog, button, summary");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const stride = event.shiftKey ? 10 : 1;
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
    const plot = event.target instanceof Element ? event.target.closest(".plot.steps") : null;
    if (!(plot instanceof HTMLElement) || event.button !== 0) return;
    const chart = [...this.desk.panels].find((panel) => panel.plot === plot)?.chart;
    if (!chart?.drawing) return;
    const { span, drawing } = chart;
    const follow = (/** @type {PointerEvent} */ { clientX }) => {
      const share = (clientX - plot.getBoundingClientRect().left - span.left) / span.width;
      const [from, to] = drawing.x;
      this.move(from + share * (to - from));
    };
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
    this.range.max = String(Math.max(0, newestStep));
    this.range.value = String(step);
    this.range.disabled = newestStep < 1;
    this.range.style.setProperty("--done", `${newestStep > 0 ? (100 * step) / newestStep : 0}%`);
    write(this.number, newestStep < 0 ? "–" : step.toLocaleString("en"));
    this.range.setAttribute("aria-valuetext", `step ${step}`);
    this.follow.setAttribute("aria-pressed", String(state.view.step === null));
    write(this.followLabel, state.runs.every(isDone) ? "Newest" : "Follow live");
    for (const panel of this.desk.panels) panel.point(step);
  }
}
