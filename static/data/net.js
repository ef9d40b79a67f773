/** How the layers of the shown runs hang together, and how that is drawn beside a list of them. Pure. */

/**
 * @typedef {import("../types.js").Run} Run
 * @typedef {import("./state.js").Layer} Layer
 *
 * @typedef {object} Edge
 * @property {string} from a layer's name
 * @property {string} to the layer that takes what it gives
 * @property {boolean} common whether it is there in every run that has both layers
 *
 * @typedef {object} Net
 * @property {Layer[]} layers each once, none before what it takes
 * @property {Edge[]} edges empty until a run has told
 *
 * @typedef {object} Piece a part of the drawing, in one row: from a lane, or from above or below, to another
 * @property {"through" | "start" | "end" | "above" | "below"} way
 * @property {number} lane 0 is the lane of the layers themselves
 * @property {boolean} common
 *
 * @typedef {object} Trunk what shares a lane: places of those who give and of those who take, and whether in all runs
 * @property {Map<number, boolean>} from
 * @property {Map<number, boolean>} to
 */

/** More lanes than this are drawn on top of each other. */
export const MOST_LANES = 5;

/**
 * The layers of some runs and what is between them.
 * @param {Run[]} runs
 * @returns {Net}
 */
export function netOf(runs) {
  /** @type {Map<string, Layer>} */
  const layers = new Map();
  /** In how many runs an edge is. @type {Map<string, {from: string, to: string, runs: number}>} */
  const found = new Map();
  for (const run of runs) {
    for (const { name, type, kinds } of run.layers) {
      const known = layers.get(name);
      const all = new Set([...(known?.kinds ?? []), ...kinds]);
      layers.set(name, { name, type: known && known.type !== "Identity" ? known.type : type, kinds: all });
    }
    for (const [a, b] of run.edges) {
      const [from, to] = [run.layers[a].name, run.layers[b].name];
      const key = JSON.stringify([from, to]);
      const edge = found.get(key) ?? { from, to, runs: 0 };
      edge.runs++;
      found.set(key, edge);
    }
  }
  const has = runs.filter((run) => run.edges.length).map((run) => new Set(run.layers.map((layer) => layer.name)));
  const edges = [...found.values()].map(({ from, to, runs: count }) => {
    const able = has.filter((names) => names.has(from) && names.has(to)).length;
    return { from, to, common: count === able };
  });
  return { layers: inOrder(layers, edges), edges };
}

/**
 * Layers so that each comes after those whose outputs it takes; else, and where they go round in a circle, as they are.
 * @param {Map<string, Layer>} layers
 * @param {Edge[]} edges
 */
function inOrder(layers, edges) {
  if (!edges.length) return [...layers.values()];
  /** @type {Map<string, string[]>} */
  const sources = new Map();
  for (const { from, to } of edges) sources.set(to, [...(sources.get(to) ?? []), from]);
  /** @type {Set<string>} */
  const placed = new Set();
  /** @type {Set<string>} */
  const begun = new Set();
  for (const name of layers.keys()) {
    // A layer after everything that it takes, without recursion: nets may be thousands of layers deep.
    const waiting = [name];
    while (waiting.length) {
      const next = waiting[waiting.length - 1];
      const missing = begun.has(next) ? [] : (sources.get(next) ?? []).filter((one) => !placed.has(one) && !begun.has(one));
      begun.add(next);
      if (missing.length) waiting.push(...missing.reverse());
      else {
        waiting.pop();
        placed.add(next);
      }
    }
  }
  return [...placed].flatMap((name) => layers.get(name) ?? []);
}

/**
 * The lines beside a list of layers: what goes from one to the next in the lane of the layers, anything else in a lane
 * beside it, the shorter the nearer. What a layer gives to several shares a lane; so do layers whose outputs come
 * together on their way to all that takes them, as on the way around the parts of a transformer.
 * @param {Net} net
 * @returns {{rows: Piece[][], lanes: number}} the pieces in each layer's row, and how many lanes there are beside theirs
 */
export function lanesOf({ layers, edges }) {
  const place = new Map(layers.map((layer, i) => [layer.name, i]));
  /** @type {Piece[][]} */
  const rows = layers.map(() => []);
  /** By the places of the two, whether it is common. @type {Map<number, Map<number, boolean>>} */
  const given = new Map();
  /** What comes back to where it was needed before. @type {Trunk[]} */
  const back = [];
  for (const { from, to, common } of edges) {
    const [a, b] = [place.get(from) ?? 0, place.get(to) ?? 0];
    if (b < a) {
      back.push({ from: new Map([[b, common]]), to: new Map([[a, common]]) });
      continue;
    }
    given.set(a, (given.get(a) ?? new Map()).set(b, common));
    if (b > a + 1) continue;
    rows[a].push({ way: "below", lane: 0, common });
    rows[b].push({ way: "above", lane: 0, common });
  }
  const trunks = [...trunksOf(given), ...back].map((trunk) => {
    const [first, last] = [Math.min(...trunk.from.keys()), Math.max(...trunk.to.keys())];
    return { ...trunk, first, last };
  });
  trunks.sort((x, y) => x.last - x.first - (y.last - y.first) || x.first - y.first);
  /** What each lane is taken for. @type {[number, number][][]} */
  const taken = [];
  for (const { from, to, first, last } of trunks) {
    let lane = taken.findIndex((spans) => spans.every(([begin, end]) => last <= begin || end <= first));
    if (lane < 0) lane = taken.length < MOST_LANES ? taken.push([]) - 1 : MOST_LANES - 1;
    taken[lane++].push([first, last]);
    const common = [...to.values()].includes(true);
    for (const row of from.keys()) rows[row].push({ way: "start", lane, common });
    for (let row = first + 1; row < last; row++) rows[row].push({ way: "through", lane, common });
    for (const [row, whether] of to) rows[row].push({ way: "end", lane, common: whether });
  }
  return { rows, lanes: taken.length };
}

/**
 * What needs lanes, from the places of those who give and take.
 * @param {Map<number, Map<number, boolean>>} given
 * @returns {Trunk[]}
 */
function trunksOf(given) {
  /** @type {Trunk[]} */
  const trunks = [];
  /** The trunks by their last place. @type {Map<number, {trunk: Trunk, first: number, takers: number[]}>} */
  const heads = new Map();
  for (const [from, to] of [...given].sort(([a], [b]) => b - a)) {
    const takers = [...to.keys()].sort((a, b) => a - b);
    const far = new Map([...to].filter(([place]) => place > from + 1));
    if (!far.size) continue;
    const common = [...far.values()].includes(true);
    const last = takers[takers.length - 1];
    const head = heads.get(last);
    const beyond = head && takers.filter((place) => place > head.first);
    if (head && beyond?.join() === head.takers.join()) {
      head.trunk.from.set(from, common);
      for (const [place, whether] of far) head.trunk.to.set(place, whether || head.trunk.to.get(place) === true);
      Object.assign(head, { first: from, takers });
    } else {
      const trunk = { from: new Map([[from, common]]), to: far };
      trunks.push(trunk);
      heads.set(last, { trunk, first: from, takers });
    }
  }
  return trunks;
}

/**
 * What a layer takes and what takes what it gives, by name.
 * @param {Net} net
 * @param {string} name
 */
export function kinOf({ edges }, name) {
  return {
    before: edges.filter((edge) => edge.to === name).map((edge) => edge.from),
    after: edges.filter((edge) => edge.from === name).map((edge) => edge.to),
  };
}
