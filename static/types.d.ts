/** What the server says and what the page is made with; see docs/architecture.md. */

export type Status = "starting" | "running" | "paused" | "stopping" | "finished" | "stopped" | "failed" | "lost";

export interface LayerInfo {
  name: string;
  type: string;
  kinds: string[];
}

export interface Run {
  id: string;
  experiment: string;
  arm: string;
  seed: number;
  name: string;
  status: Status;
  error: string | null;
  created: number;
  started: number | null;
  ended: number | null;
  steps: number | null;
  last_seq: number;
  last_step: number;
  layers: LayerInfo[];
  control: { paused: boolean; pace: number | null; stop: boolean };
  versions: Record<string, string>;
}

export interface Experiment {
  id: string;
  name: string;
  claim: number | null;
  settings: Record<string, unknown>;
  created: number;
  runs: Run[];
}

export interface Setting {
  name: string;
  label: string;
  kind: "int" | "float" | "choice" | "ints";
  default: number | string;
  low: number | null;
  high: number | null;
  unit: string;
  choices: string[] | null;
  sentence: string;
}

export interface Claim {
  number: number;
  title: string;
  sentence: string;
  measures: string;
  arms: { name: string; sentence: string }[];
  default_arms: string[];
  settings: Setting[];
}

export interface Link {
  id: string;
  experiment: string;
  view: string;
  created: number;
  revoked: number | null;
  last_used: number | null;
  url?: string | null;
}

/** A message of /ws/live that is text. */
export type LiveMessage =
  | { type: "run"; run: Run }
  | { type: "skipped"; run: string; first: number; last: number }
  | { type: "error"; message: string };

export type Theme = "light" | "dark";

/** One kind of chart, as app/figures.py builds it. `roles` are the traces that each run brings. */
export interface Figure {
  title: string;
  sentence: string;
  layout: Record<string, unknown>;
  roles: Record<string, unknown>[];
}

export interface Figures {
  themes: Record<Theme, { layout: Record<string, unknown>; arms: string[] }>;
  config: Record<string, unknown>;
  charts: Record<string, Figure>;
}

/** What the experiment page's template puts into the page. */
export interface PageData {
  experiment: Experiment;
  claim: Claim | null;
  figures: Figures;
  link: string | null;
  root: string;
}
