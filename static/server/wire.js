/** The only file that knows bytes: frames as normscope/wire writes them, and the viewer's binary messages. */

import { Frame, KINDS } from "../data/frame.js";
import { BINS } from "../data/sketch.js";

const VERSION = 1;
const HEADER = 30;
const TABLE = 8;
const MAX_VARINT = 7;

/** Bytes that are not what the protocol says; the message names what is wrong. */
export class WireError extends Error {}

const text = new TextDecoder();

/**
 * The frame in `bytes`. Histograms stay packed until they are asked for.
 * @param {Uint8Array} bytes exactly one frame
 * @returns {Frame}
 */
export function decodeFrame(bytes) {
  try {
    return readFrame(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw new WireError("malformed frame: it is cut off");
    throw error;
  }
}

/** @param {Uint8Array} bytes */
function readFrame(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new WireError(`frame of version ${version}; this page speaks version ${VERSION}`);
  const head = {
    level: view.getUint8(1),
    seq: view.getUint32(4, true),
    frames: view.getUint32(8, true),
    firstStep: view.getUint32(12, true),
    lastStep: view.getUint32(16, true),
    time: view.getFloat64(20, true),
  };
  const frame = new Frame(head, view.getUint16(2, true));
  const at = readSeries(frame, view, bytes, HEADER, view.getUint16(28, true));
  readLayers(frame, view, bytes, at);
  return frame;
}

/**
 * @param {Frame} frame
 * @param {DataView} view
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} count
 * @returns {number} where the series end
 */
function readSeries(frame, view, bytes, at, count) {
  for (let i = 0; i < count; i++) {
    const length = view.getUint8(at);
    const name = text.decode(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
    const size = view.getUint16(at, true);
    const samples = view.getUint32(at + 2, true);
    at += 6;
    const mean = readDoubles(view, at, size);
    const merged = frame.level > 0;
    const low = merged ? readDoubles(view, at + 8 * size, size) : mean;
    const high = merged ? readDoubles(view, at + 16 * size, size) : mean;
    frame.series.set(name, { mean, low, high, samples });
    at += 8 * size * (merged ? 3 : 1);
  }
  return at;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} size
 */
function readDoubles(view, at, size) {
  const values = new Float64Array(size);
  for (let i = 0; i < size; i++) values[i] = view.getFloat64(at + 8 * i, true);
  return values;
}

/**
 * @param {Frame} frame
 * @param {DataView} view
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function readLayers(frame, view, bytes, at) {
  const rows = frame.rows;
  const ends = new Uint32Array(rows + 1);
  ends[0] = at + rows * (TABLE + 16);
  for (let row = 0; row < rows; row++) {
    const entry = at + row * TABLE;
    frame.layers[row] = view.getUint16(entry, true);
    frame.kinds[row] = view.getUint8(entry + 2);
    if (frame.kinds[row] >= KINDS.length) throw new WireError(`malformed frame: kind ${frame.kinds[row]} of ${KINDS.length}`);
    ends[row + 1] = ends[row] + view.getUint32(entry + 4, true);
    const moments = at + rows * TABLE + row * 16;
    for (let k = 0; k < 4; k++) frame.moments[4 * row + k] = view.getFloat32(moments + 4 * k, true);
  }
  if (ends[rows] !== bytes.length) {
    throw new WireError(`malformed frame: ${bytes.length} bytes where ${ends[rows]} were announced`);
  }
  for (let row = 0; row < rows; row++) {
    const reader = new Varints(bytes, ends[row], ends[row + 1]);
    for (let k = 0; k < 4; k++) frame.counters[4 * row + k] = reader.next();
  }
  frame.packed = (row) => readHistogram(bytes, ends[row], ends[row + 1]);
}

/** LEB128 integers, one after another. */
class Varints {
  /**
   * @param {Uint8Array} bytes
   * @param {number} at
   * @param {number} end
   */
  constructor(bytes, at, end) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  next() {
    let value = 0;
    let scale = 1;
    for (let place = 0; place < MAX_VARINT; place++) {
      if (this.at >= this.end) throw new WireError("malformed frame: an integer is cut off");
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * scale; // not a shift: counts may pass 2^31
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError(`malformed frame: an integer longer than ${MAX_VARINT} bytes`);
  }
}

const scratchBins = new Uint16Array(BINS);

/**
 * The filled bins of one layer, increasing.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @param {number} end
 * @returns {import("../data/sketch.js").Histogram}
 */
function readHistogram(bytes, start, end) {
  const reader = new Varints(bytes, start, end);
  for (let k = 0; k < 4; k++) reader.next();
  let filled = 0;
  let bin = 0;
  for (let runs = reader.next(); runs > 0; runs--) {
    bin += reader.next();
    const length = reader.next();
    if (!(length > 0 && length <= BINS - bin)) {
      throw new WireError(`malformed frame: a run of ${length} bins at bin ${bin} of ${BINS}`);
    }
    for (const stop = bin + length; bin < stop; bin++) scratchBins[filled++] = bin;
  }
  const counts = new Float64Array(filled);
  for (let i = 0; i < filled; i++) counts[i] = reader.next();
  if (reader.at !== end) throw new WireError("malformed frame: a layer's counters do not end where its table says");
  return { bins: scratchBins.slice(0, filled), counts };
}

/**
 * The frames of a body or message in which each is behind its length as u32.
 * @param {ArrayBuffer} buffer
 * @param {number} [at] where the first length is
 * @returns {Frame[]}
 */
export function decodeStream(buffer, at = 0) {
  const view = new DataView(buffer);
  const frames = [];
  while (at < buffer.byteLength) {
    if (at + 4 > buffer.byteLength) throw new WireError("malformed stream: a length is cut off");
    const length = view.getUint32(at, true);
    if (at + 4 + length > buffer.byteLength) throw new WireError("malformed stream: a frame is cut off");
    frames.push(decodeFrame(new Uint8Array(buffer, at + 4, length)));
    at += 4 + length;
  }
  return frames;
}

/**
 * A binary message of /ws/live.
 * @param {ArrayBuffer} buffer
 * @returns {{slot: number, generation: number, frames: Frame[]}}
 */
export function decodeLive(buffer) {
  if (buffer.byteLength < 2) throw new WireError("malformed message: it is cut off");
  const head = new Uint8Array(buffer, 0, 2);
  return { slot: head[0], generation: head[1], frames: decodeStream(buffer, 2) };
}
