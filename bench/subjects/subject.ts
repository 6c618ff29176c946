import type { Load } from "../load/plan.ts";
import type { RuntimeReport } from "../measure/runtime-reports.ts";
import type { Keys } from "../programs/keys.ts";
import type { Tools } from "../tools/tools.ts";

/** What every row of one run has in common. */
export interface Bench {
  /** The checkout whose code is "ours". */
  readonly root: string;
  /** The checkout of the state before, where one was named. */
  readonly before: string | undefined;
  readonly tools: Tools;
  readonly keys: Keys;
  readonly pace: Pace;
  readonly print: (line: string) => void;
}

/** How long and how often is measured. */
export interface Pace {
  /** Whether the rounds are long enough to compare a ratio with what is wanted. */
  readonly decides: boolean;
  readonly warmUpSeconds: number;
  readonly roundSeconds: number;
  readonly pairs: number;
  readonly openLoopSeconds: number;
  /** Calls of the row about memory. */
  readonly calls: number;
  /** Starts of the row about cold starts. */
  readonly starts: number;
}

/** Something that is measured: ours, or a baseline. */
export interface Subject {
  readonly name: string;
  /** What the machine lacks to run it, by name. */
  readonly missing?: string | undefined;
  start(bench: Bench): Promise<Running>;
}

/** A subject that answers. */
export interface Running {
  /** The roots of the process trees whose CPU counts. */
  readonly counted: readonly number[];
  readonly load: Load;
  /** Begins a new report of the Node processes under test, and returns the last one. */
  readonly ask: () => Promise<RuntimeReport | undefined>;
  stop(): Promise<void>;
}
