import type { Evidence } from "../evidence.ts";

/** What does not hold. */
export interface Violation {
  readonly words: string;
  /** The order whose story tells how it came to this, where it is about one. */
  readonly order?: string | undefined;
}

/** One claim, and whether it holds. */
export interface CheckResult {
  readonly name: string;
  /** What was compared, in figures. */
  readonly figures: string;
  readonly violations: readonly Violation[];
}

/** Compares what is written in one place with what is written in another. */
export type Check = (evidence: Evidence) => CheckResult;
