import { Code, ConnectError } from "@connectrpc/connect";
import { BulkheadFull } from "@rialto/async";

/** What Node says of a peer that could not be reached. */
const unreachable: ReadonlySet<unknown> = new Set(["ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED"]);

/** What it says of a connection or a stream that was lost during a call. */
const lost: ReadonlySet<unknown> = new Set([
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_STREAM_DESTROYED",
  "ERR_HTTP2_INVALID_STREAM",
  "ECONNRESET",
  "EPIPE",
]);

/**
 * Returns the error of a call that has no whole response, with the code that the official transports give:
 * `unavailable` for a peer that cannot be reached, `aborted` for a lost connection, `internal` for anything else; and
 * `resource_exhausted` where too many calls wait for a connection. The reason is its cause.
 */
export function transportError(reason: unknown): ConnectError {
  if (reason instanceof ConnectError) return reason;
  const codes = codesOf(reason);
  const code = codes.some((each) => lost.has(each))
    ? Code.Aborted
    : codes.some((each) => unreachable.has(each))
      ? Code.Unavailable
      : reason instanceof BulkheadFull
        ? Code.ResourceExhausted
        : Code.Internal;
  const error = ConnectError.from(reason, code);
  error.cause = reason;
  return error;
}

/** How far a chain of causes is followed. */
const causesMax = 8;

function codesOf(reason: unknown): readonly unknown[] {
  const codes: unknown[] = [];
  for (let each = reason; each instanceof Error && codes.length < causesMax; each = each.cause)
    codes.push("code" in each ? each.code : undefined);
  return codes;
}

/**
 * Returns the error of an HTTP/2 stream that was reset, by the code of its RST_STREAM; undefined for a code that says
 * nothing of a call. The mapping is gRPC's (PROTOCOL-HTTP2.md, "Errors").
 */
export function resetError(rstCode: number): ConnectError | undefined {
  const [name, code] = resets[rstCode] ?? [];
  if (code === undefined) return undefined;
  return new ConnectError(`http/2 stream closed with error code ${name} (0x${rstCode.toString(16)})`, code);
}

const resets: Readonly<Record<number, readonly [name: string, code: Code]>> = {
  1: ["PROTOCOL_ERROR", Code.Internal],
  2: ["INTERNAL_ERROR", Code.Internal],
  3: ["FLOW_CONTROL_ERROR", Code.Internal],
  4: ["SETTINGS_TIMEOUT", Code.Internal],
  6: ["FRAME_SIZE_ERROR", Code.Internal],
  7: ["REFUSED_STREAM", Code.Unavailable],
  8: ["CANCEL", Code.Canceled],
  9: ["COMPRESSION_ERROR", Code.Internal],
  10: ["CONNECT_ERROR", Code.Internal],
  11: ["ENHANCE_YOUR_CALM", Code.ResourceExhausted],
  12: ["INADEQUATE_SECURITY", Code.PermissionDenied],
  13: ["HTTP_1_1_REQUIRED", Code.PermissionDenied],
};
