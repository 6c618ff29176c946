import type { Evidence } from "../evidence.ts";

/** A violated claim. */
export interface Violation {
  readonly message: string;
  /** The order that it is about, if any. Its history is added to the report. */
  readonly order?: string | undefined;
}

/** One claim, and its violations. */
export interface CheckResult {
  readonly name: string;
  /** What was compared, in numbers. */
  readonly figures: string;
  readonly violations: readonly Violation[];
}

/** Compares the records of one place with those of another. */
export type Check = (evidence: Evidence) => CheckResult;
