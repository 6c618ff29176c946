import type { ErrorCode } from "./codes.ts";
import { withinErrorSize } from "./error-size.ts";
import type { ErrorDefinition, FieldViolation } from "./error-table.ts";

/** Details of an error beside its code, reason and message. */
export interface CallErrorDetails {
  /** A message about this very request, where the table's is too general. */
  readonly message?: string;
  readonly fields?: readonly FieldViolation[];
  /** Facts for the client's code, by snake_case names. No personal data. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly http?: HttpErrorDetails;
  /** See `CallError.remote`. False where it is not given. */
  readonly remote?: boolean;
  /** The cause. Stays in the logs. */
  readonly cause?: unknown;
}

/** What only HTTP can say of an error. */
export interface HttpErrorDetails {
  /**
   * An HTTP status that is more exact than the one of the code: 405, 413, 415. Connect unary and REST answer with it.
   */
  readonly status?: number | undefined;
  /** Response headers, in every protocol. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * The error of a call, on both of its sides: a handler throws it to refuse a call, a client throws it where a call
 * failed. It reaches the caller with its code, reason, message, fields and metadata, within the bounds of
 * `withinErrorSize`: 20 violations, 2,688 bytes of details. The cause stays here.
 *
 *     throw new CallError(errors.OUT_OF_STOCK, { metadata: { product_id: id } });
 */
export class CallError extends Error {
  override readonly name = "CallError";
  readonly code: ErrorCode;
  /** The reason of the callee's error table. Empty where the call did not reach the callee, and for canceled calls. */
  readonly reason: string;
  readonly fields: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly http: HttpErrorDetails;
  /**
   * Whether this is the result of a call that this process made. A handler that does not handle such an error does not
   * pass it on: another service's reasons are not in its own error table. See `toCallError`.
   */
  readonly remote: boolean;

  constructor(
    { code, reason, message: general }: Pick<ErrorDefinition, "code" | "reason" | "message">,
    { message = general, fields = [], metadata = {}, http = {}, remote = false, cause }: CallErrorDetails = {},
  ) {
    const bounded = withinErrorSize({ message, fields, metadata });
    super(bounded.message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reason = reason;
    this.fields = bounded.fields;
    this.metadata = bounded.metadata;
    this.http = http;
    this.remote = remote;
  }
}

/** The error of a callee in this process, as its caller gets it: the same as if it had come over the network. */
export function remoteError(error: CallError): CallError {
  const { fields, metadata, cause } = error;
  return new CallError(error, { fields, metadata, remote: true, cause });
}

/** The reason of a call's error; undefined where it has none, and for every other error. */
export function reasonOf(error: unknown): string | undefined {
  return error instanceof CallError && error.reason !== "" ? error.reason : undefined;
}

/** Whether the same call may succeed later: the callee was down, busy or too slow, or another change came first. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof CallError && transientCodes.has(error.code);
}

const transientCodes: ReadonlySet<ErrorCode> = new Set([
  "unavailable",
  "deadline_exceeded",
  "aborted",
  "resource_exhausted",
]);
