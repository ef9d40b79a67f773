/** What the histories of runs are laid along: steps, or what makes runs of different pace comparable. Pure. */

/**
 * @typedef {import("./frame.js").Frame} Frame
 * @typedef {"step" | "time" | "epoch"} By
 *
 * @typedef {object} Axis places on it are whole numbers: steps, milliseconds, thousandths of an epoch
 * @property {string} title with its unit, as charts show it
 * @property {(place: number) => string} text a place in short
 * @property {(place: number) => string} say a place in a sentence
 * @property {number} unit how many places make one of what ticks show
 * @property {string} hover how a place is told in a chart, in d3's format
 */

/** @param {number} value */
const grouped = (value) => value.toLocaleString("en");
const seconds = (/** @type {number} */ place) => {
  const total = place / 1000;
  if (total < 60) return `${total.toFixed(total < 10 ? 2 : 1)} s`;
  const [minutes, rest] = [Math.floor(total / 60), Math.floor(total % 60)];
  const two = (/** @type {number} */ part) => String(part).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${two(rest)} min` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(rest)} h`;
};
const epochs = (/** @type {number} */ place) => (place / 1000).toFixed(2);

/** @type {Record<By, Axis>} */
export const AXES = {
  step: { title: "step", text: grouped, say: (place) => `step ${grouped(place)}`, unit: 1, hover: "step %{x:,.0f}" },
  time: { title: "seconds since the first step began", text: seconds, say: seconds, unit: 1000, hover: "%{x:,.0f} ms" },
  epoch: { title: "epoch", text: epochs, say: (place) => `epoch ${epochs(place)}`, unit: 1000, hover: "epoch %{x:,.0f} / 1,000" },
};

/** The series by which a run tells in which epoch it is. */
const EPOCH = "epoch";

/**
 * Lay a run's frames along an axis; frames that cannot be placed on it lie at its beginning.
 * @param {By} by
 * @param {Frame[]} whole all that is known of the run: it says where the axis begins and how steps lie on it
 * @param {Frame[]} frames of that run, in order
 */
export function lay(by, whole, frames) {
  if (!whole.length) return;
  if (by === "time") layByTime(beginning(whole), frames);
  else {
    const scale = by === "epoch" ? 1000 / stepsPerEpoch(whole) : 1;
    const ahead = by === "epoch" ? 1 : 0; // an epoch is over with its last step
    for (const frame of frames) {
      frame.from = Math.round((frame.firstStep + ahead) * scale);
      frame.to = Math.round((frame.lastStep + ahead) * scale);
    }
  }
}

/** @param {number} begun unix seconds @param {Frame[]} frames */
function layByTime(begun, frames) {
  let before = -1;
  for (const frame of frames) {
    frame.to = Math.max(before, Math.round(1000 * (frame.time - begun)));
    // A frame of one step happened at its end; one that holds several begins where the one before it ends.
    frame.from = frame.frames === 1 ? frame.to : Math.min(before + 1, frame.to);
    before = frame.to;
  }
}

/** When a run's first step began, unix seconds: its frames tell when steps ended. @param {Frame[]} frames */
function beginning(frames) {
  const [first, second] = frames;
  const pace = second ? (second.time - first.time) / (second.lastStep - first.lastStep) : 0;
  return first.time - pace * (first.lastStep + 1);
}

/**
 * How many steps an epoch takes, from the epochs that a run has told; Infinity if it has told none.
 * @param {Frame[]} frames
 */
function stepsPerEpoch(frames) {
  const told = frames.filter((frame) => frame.series.has(EPOCH));
  const [first, last] = [told[0], told[told.length - 1]];
  if (!first) return Infinity;
  const epochOf = (/** @type {Frame} */ frame) => frame.series.get(EPOCH)?.high[0] ?? NaN;
  const gone = epochOf(last) - epochOf(first);
  return gone > 0 ? (last.lastStep - first.lastStep) / gone : (last.lastStep + 1) / Math.max(epochOf(last), 1);
}

/** Whether a run tells in which epoch it is. @param {Frame[]} frames */
export function tellsEpochs(frames) {
  return [frames[0], frames[frames.length - 1]].some((frame) => frame?.series.has(EPOCH));
}

/**
 * Ticks at round values of what an axis shows; null if its places are that themselves.
 * @param {Axis} axis
 * @param {[number, number]} range
 */
export function ticksOf({ unit }, [low, high]) {
  if (unit === 1) return null;
  const rough = (high - low) / unit / 7;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const tickvals = [];
  for (let i = Math.ceil(low / unit / step); i * step * unit <= high; i++) tickvals.push(Math.round(i * step * unit));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { tickvals, ticktext: tickvals.map((at) => (at / unit).toFixed(digits)) };
}
