/** The few parts of plotly.js that static/charts.js uses. */

export interface Trace {
  type: string;
  x: ArrayLike<number>;
  y: ArrayLike<number>;
  z?: ArrayLike<number>[];
  customdata?: ArrayLike<number>[];
  meta?: Record<string, unknown>;
  line?: Record<string, unknown>;
  marker?: Record<string, unknown>;
  fillcolor?: string;
  [more: string]: unknown;
}

export interface Axis {
  range?: [number, number];
  tickvals?: number[];
  ticktext?: string[];
  [more: string]: unknown;
}

export interface Layout {
  width: number;
  height: number;
  margin: { l: number; r: number; t: number; b: number };
  xaxis: Axis;
  yaxis: Axis;
  datarevision: number;
  [more: string]: unknown;
}

declare global {
  interface Window {
    Plotly?: {
      react(host: HTMLElement, traces: Trace[], layout: Layout, config: object): Promise<HTMLElement>;
      toImage(figure: object, options: { format: string; width: number; height: number; scale: number }): Promise<string>;
      purge(host: HTMLElement): void;
      Fx: { unhover(host: HTMLElement): void };
    };
    /** What has been painted, for benchmarks and tests. */
    normscope?: { sharp: boolean; span: [number, number] | null; painted: Record<string, number>; paintedAt: number; longest: number };
  }
}
