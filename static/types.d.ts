/** What the server says and what the page is made with; see docs/architecture.md. */

export type Status = "waiting" | "starting" | "running" | "paused" | "stopping" | "finished" | "stopped" | "failed" | "lost";

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
  /** Why it has not begun: whose turn it waits for, where a cluster has queued it; null once it has. */
  reason: string | null;
  error: string | null;
  created: number;
  started: number | null;
  ended: number | null;
  steps: number | null;
  last_seq: number;
  last_step: number;
  /** How many alerts there have been, and how many of them last. */
  alerts: number;
  lasting: number;
  layers: LayerInfo[];
  /** Pairs of layers, the second of which takes what the first gives; empty until the run has told. */
  edges: [number, number][];
  /** How many captured steps came as one at most; 1 unless the server was out of reach for very long. */
  thinned: number;
  control: { paused: boolean; pace: number | null; stop: boolean };
  versions: Record<string, string>;
  /** The conditions that differ from run to run, by name: depth, rate, …. */
  varied: Record<string, number | string>;
}

/** What a list of experiments tells of a run. */
export type BriefRun = Pick<Run, "id" | "experiment" | "arm" | "seed" | "name" | "status" | "steps" | "last_step" | "varied" | "alerts" | "lasting">;

export interface Experiment {
  id: string;
  name: string;
  claim: number | null;
  settings: Record<string, Value>;
  tags: string[];
  notes: string;
  created: number;
  runs: Run[];
}

export type BriefExperiment = Omit<Experiment, "runs"> & { runs: BriefRun[] };

export type Value = number | string | number[];

export interface Setting {
  name: string;
  label: string;
  kind: "int" | "float" | "choice" | "ints" | "floats";
  default: Value;
  low: number | null;
  high: number | null;
  unit: string;
  choices: string[] | null;
  suffix: string;
  sentence: string;
}

export interface Claim {
  number: number;
  title: string;
  sentence: string;
  measures: string;
  /** With what an arm has whatever the settings say, by name of the setting. */
  arms: { name: string; sentence: string; changes: Record<string, Value> }[];
  literature: string;
  default_arms: string[];
  settings: Setting[];
  rule: Criterion[];
  /** The first is what the form begins with. */
  sizes: Record<string, { sentence: string; settings: Record<string, Value>; arms: string[] | null }>;
  /** The number that is shown first where several conditions were run; empty: that of the rule's first criterion. */
  mapped: string;
  /** For each setting that is a list, what takes its values. */
  varied: Record<string, string>;
}

/** One comparison that a verdict rests on. */
export interface Criterion {
  name: string;
  of: string;
  arm: string | string[];
  relation: "<" | ">";
  threshold: number;
  how: "value" | "difference" | "ratio" | "slope";
  against: string | null;
  over: string | null;
  decisive: boolean;
  unit: string;
}

export type Verdict = "supported" | "contradicted" | "undecided";

/** What the data say about a criterion. */
export interface Evidence extends Criterion {
  seeds: Record<string, number>;
  estimate: number | null;
  low: number | null;
  high: number | null;
  verdict: Verdict;
  /** Seeds that are done and have no such number. */
  missing: number[];
}

/** What a run came to. */
export interface Outcome {
  run: string;
  arm: string;
  seed: number;
  varied: Record<string, number | string>;
  status: Status;
  numbers: Record<string, number | null>;
}

export interface Finding {
  verdict: Verdict;
  reason: string;
  evidence: Evidence[];
  outcomes: Outcome[];
  seeds: { done: number; planned: number };
  command: string;
  settings: Record<string, Value>;
  /** By arm, what it has of its own in place of settings. */
  own: Record<string, Record<string, Value>>;
  versions: Record<string, string>[];
  min_seeds: number;
}

export interface Link {
  id: string;
  experiment: string;
  view: string;
  created: number;
  revoked: number | null;
  last_used: number | null;
  /** Those that it opens; null: all of the experiment. */
  runs: string[] | null;
  expires: number | null;
  /** Whether it asks for a password. */
  locked: boolean;
  url?: string | null;
}

export interface Token {
  id: string;
  role: "owner" | "sender";
  name: string;
  created: number;
  last_used: number | null;
  token?: string | null;
}

/** What people were told of a run. */
export interface Alert {
  id: string;
  created: number;
  rule: string;
  sentence: string;
  step: number;
  since: number;
  /** Where; a place without a layer is a series. */
  places: { layer: string | null; kind: string; value: number | null }[];
  more: number;
  /** The step at which it was over. */
  cleared: number | null;
}

/** When a layer's output is in trouble; see normscope/alerts/rules.py. */
export interface Rule {
  name: string;
  measure: "nonfinite" | "zeros" | "saturated" | "size" | "std";
  relation: ">" | ">=" | "<" | "<=";
  bound: number;
  steps: number;
  words: string;
}

/** A message of /ws/live that is text. */
export type LiveMessage =
  | { type: "run"; run: Run | BriefRun }
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

export interface Measured {
  name: string;
  logarithmic: boolean;
  over: "steps" | "layers";
  /** What each number of a vector belongs to. */
  of: "layer" | "tenth";
}

export interface Figures {
  themes: Record<Theme, { layout: Record<string, unknown>; arms: string[] }>;
  config: Record<string, unknown>;
  charts: Record<string, Figure>;
  /** The charts of what is measured, in order, by tab. */
  measured: Partial<Record<"gradients" | "normalizer" | "evidence", Measured[]>>;
}

/** What the experiment page's template puts into the page. */
export interface PageData {
  experiment: Experiment;
  claim: Claim | null;
  figures: Figures;
  link: string | null;
  root: string;
  rules: Rule[];
  /** Where Plotly is; empty where it is inside the page. */
  plotly: string;
  /** In a file that was saved: all that the server would say. */
  saved: Saved | null;
}

export interface Saved {
  /** Unix seconds. */
  at: number;
  /** The query of the view that it opens with. */
  view: string;
  /** Those of the whole experiment, in order. */
  arms: string[];
  /** By run: frames, in base64. */
  histories: Record<string, string>;
  /** The same of the span that the view shows. */
  closeups: Record<string, string>;
  finding: Finding | null;
  /** By run. */
  alerts: Record<string, Alert[]>;
}
