import type { FieldViolation } from "../errors/error-table.ts";
import type { RequestSize } from "./request-size.ts";

/** The result of scanning a message before it is decoded. */
export interface Scan {
  /** Fields, list items and map entries that were visited, unknown fields included. */
  readonly fields: number;
  /** The deepest nesting that was visited. */
  readonly depth: number;
  /** Why the message must not be decoded. The scan ended there. */
  readonly violation: FieldViolation | undefined;
}

/** Thrown by a visit to end the scan. */
export class ScanStopped extends Error {
  readonly violation: FieldViolation;

  constructor(violation: FieldViolation) {
    super(violation.description);
    this.violation = violation;
  }
}

/** Counts fields and depth. Throws `ScanStopped` where they exceed the limits of the request. */
export interface ScanCount {
  fields: number;
  depth: number;
  field(): void;
  enter(depth: number): void;
}

export function countWithin(size: RequestSize): ScanCount {
  return {
    fields: 0,
    depth: 0,
    field() {
      this.fields += 1;
      if (this.fields > size.fields)
        throw new ScanStopped({
          field: "",
          description: `must have at most ${size.fields} fields and items`,
          rule: "request.fields",
        });
    },
    enter(depth) {
      if (depth > this.depth) this.depth = depth;
      if (depth > size.depth)
        throw new ScanStopped({
          field: "",
          description: `must be nested at most ${size.depth} deep`,
          rule: "request.depth",
        });
    },
  };
}

/** Runs a visit, and returns its counts and the violation that ended it. */
export function scanned(count: ScanCount, visit: () => void): Scan {
  try {
    visit();
    return { fields: count.fields, depth: count.depth, violation: undefined };
  } catch (error) {
    if (!(error instanceof ScanStopped)) throw error;
    return { fields: count.fields, depth: count.depth, violation: error.violation };
  }
}
