import type { FieldViolation } from "../errors/error-table.ts";
import type { RequestSize } from "./request-size.ts";

/** What was seen of a message before it was decoded. */
export interface Scan {
  /** Fields, list items and map entries that were visited, those that the contract does not know included. */
  readonly fields: number;
  /** How deep it went. */
  readonly depth: number;
  /** Why the message is not to be decoded; the visit ended there. */
  readonly violation: FieldViolation | undefined;
}

/** Ends a visit. */
export class ScanStopped extends Error {
  readonly violation: FieldViolation;

  constructor(violation: FieldViolation) {
    super(violation.description);
    this.violation = violation;
  }
}

/** Counts what is visited, and ends the visit where it is more than a request may have. */
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

/** Runs a visit to its end, or to where it was stopped. */
export function scanned(count: ScanCount, visit: () => void): Scan {
  try {
    visit();
    return { fields: count.fields, depth: count.depth, violation: undefined };
  } catch (error) {
    if (!(error instanceof ScanStopped)) throw error;
    return { fields: count.fields, depth: count.depth, violation: error.violation };
  }
}
