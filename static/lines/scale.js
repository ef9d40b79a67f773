/** The value scale: linear; asinh, which is linear around zero and logarithmic far from it; or logarithmic. Pure. */

/**
 * @typedef {object} Scale
 * @property {(value: number) => number} to value to place on the axis
 * @property {(place: number) => number} from
 * @property {(range: [number, number]) => {tickvals: number[], ticktext: string[]} | null} ticks null: Plotly's own
 * @property {string} key the same for the same scale
 */

/** @type {Scale} */
export const LINEAR = { to: (value) => value, from: (place) => place, ticks: () => null, key: "linear" };

/** How far below the unit a logarithmic axis ends. */
const DEPTH = 1e-3;

/**
 * @param {"linear" | "asinh" | "log"} name
 * @param {number} unit where asinh turns from linear to logarithmic; a thousandth of it is where a logarithmic axis ends
 * @returns {Scale}
 */
export function makeScale(name, unit) {
  if (name === "linear") return LINEAR;
  if (name === "log") {
    const least = unit * DEPTH;
    // Distributions reach zero and below: what has no logarithm lies at the axis' end.
    return { ...LOGARITHMIC, to: (value) => Math.log10(Math.max(value, least)), key: `log ${least}` };
  }
  return {
    to: (value) => Math.asinh(value / unit),
    from: (place) => unit * Math.sinh(place),
    ticks: (range) => asinhTicks(range, unit),
    key: `asinh ${unit}`,
  };
}

/** Powers of ten in equal distances; what is not above zero has no place. @type {Scale} */
export const LOGARITHMIC = {
  to: (value) => (value > 0 ? Math.log10(value) : NaN),
  from: (place) => 10 ** place,
  ticks: logarithmicTicks,
  key: "logarithmic",
};

/**
 * Powers of ten, thinned to about five; also twice and five times these where they are few.
 * @param {[number, number]} range
 */
function logarithmicTicks([low, high]) {
  const every = Math.ceil(Math.max(1, high - low) / 5);
  const factors = high - low < 2 ? [1, 2, 5] : [1];
  const powers = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const values = powers.filter((power) => power % every === 0).flatMap((power) => factors.map((factor) => factor * 10 ** power));
  const inside = values.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  return { tickvals: inside.map(Math.log10), ticktext: inside.map((value) => number(value)) };
}

/**
 * The power of ten that is at most a spread, for `makeScale`.
 * @param {number} spread
 */
export function unitOf(spread) {
  return spread > 0 && Number.isFinite(spread) ? 10 ** Math.floor(Math.log10(spread)) : 1;
}

/** The share of an axis that a label needs for itself; those nearer to zero go first. */
const CLOSEST = 0.12;

/**
 * Zero and the powers of ten beyond the unit, thinned to about nine.
 * @param {[number, number]} range
 * @param {number} unit
 */
function asinhTicks([low, high], unit) {
  const most = Math.max(Math.abs(low), Math.abs(high));
  const decades = Math.max(1, Math.ceil((most - Math.asinh(1)) / Math.LN10));
  const every = Math.max(1, Math.ceil(decades / 4));
  const powers = [];
  for (let k = 0; k <= decades; k += every) powers.push(unit * 10 ** k);
  let inside = placed(powers, unit, low, high);
  if (inside.length < 3) inside = placed(powers.flatMap((power) => [power, 2 * power, 5 * power]), unit, low, high);
  /** @type {typeof inside} */
  const apart = [];
  for (const tick of inside.toSorted((a, b) => Math.abs(a.place) - Math.abs(b.place))) {
    if (apart.every(({ place }) => Math.abs(place - tick.place) > CLOSEST * (high - low))) apart.push(tick);
  }
  return { tickvals: apart.map((t) => t.place), ticktext: apart.map((t) => number(t.value)) };
}

/**
 * Zero and the values and their negatives, where they lie within the range.
 * @param {number[]} values
 * @param {number} unit
 * @param {number} low
 * @param {number} high
 */
function placed(values, unit, low, high) {
  const places = [0, ...values, ...values.map((value) => -value)].map((value) => ({ value, place: Math.asinh(value / unit) }));
  return places.filter(({ place }) => place >= low && place <= high).sort((a, b) => a.place - b.place);
}

/**
 * A number in few characters.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(Math.max(0, digits - 2)).replace(/\.0+e/, "e").replace("e+", "e").replaceAll("-", "−");
  return String(Number(value.toPrecision(digits))).replace("-", "−");
}
