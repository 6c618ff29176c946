import { type ErrorCode, type FieldViolation, Refusal } from "./errors.ts";

/**
 * What a client throws when a call did not succeed, whether the callee refused, failed or could not be reached.
 * Not a `Refusal`: another service's "no" is not one's own, and must be told apart by `reasonOf` before it is passed on.
 */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: ErrorCode;
  /** The reason of the callee's table; empty where the call did not get that far. */
  readonly reason: string;
  readonly fields: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(o: {
    readonly message: string;
    readonly code: ErrorCode;
    readonly reason: string;
    readonly fields?: readonly FieldViolation[];
    readonly metadata?: Readonly<Record<string, string>>;
    readonly cause?: unknown;
  }) {
    super(o.message, o.cause === undefined ? undefined : { cause: o.cause });
    this.code = o.code;
    this.reason = o.reason;
    this.fields = o.fields ?? [];
    this.metadata = o.metadata ?? {};
  }
}

/** What a local callee's refusal looks like to its caller: the same as if it had come over the network. */
export function callErrorOf(refusal: Refusal): CallError {
  const { message, code, reason, fields, metadata, cause } = refusal;
  return new CallError({ message, code, reason, fields, metadata, cause });
}

/** The reason that a call, or one's own code, was refused with; undefined for everything else. */
export function reasonOf(error: unknown): string | undefined {
  if (error instanceof CallError || error instanceof Refusal) return error.reason === "" ? undefined : error.reason;
  return undefined;
}

/** Whether the call may succeed later as it stands: the callee was down, busy or too slow, or somebody else came first. */
export function isUnavailable(error: unknown): boolean {
  return (error instanceof CallError || error instanceof Refusal) && passingCodes.has(error.code);
}

const passingCodes: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "deadline_exceeded",
  "aborted",
  "resource_exhausted",
]);
