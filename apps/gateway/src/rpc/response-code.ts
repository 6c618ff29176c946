import { type ErrorCode, errorCodeOf, isErrorCode, isTrailerFrame } from "@rialto/rpc";
import type { AccessRecord } from "../exchange/exchange.ts";

/** How many bytes of a response are searched for its code. */
const codeBytesMax = 1024;

/**
 * Returns the code at the start of a response: in Connect's JSON error, or in gRPC-Web's trailers if no message
 * precedes them. Undefined for a success; `unknown` for a failure that has no code there, or is compressed.
 */
export function codeIn(
  bytes: Uint8Array,
  status: number,
  contentType: string | null | undefined,
): ErrorCode | undefined {
  if (status !== 200) {
    const name = /^\s*\{\s*"code"\s*:\s*"([a-z_]+)"/.exec(textOf(bytes))?.[1];
    return isErrorCode(name) ? name : "unknown";
  }
  if (contentType?.startsWith("application/grpc-web") !== true || !isTrailerFrame(bytes)) return undefined;
  const number = /(?:^.{5}|\n)grpc-status: *(\d+)/s.exec(textOf(bytes))?.[1];
  return number === undefined || number === "0" ? undefined : errorCodeOf(Number(number));
}

/** Records gRPC's status, which is in the trailers, or in the headers if there is no message. */
export function recordGrpc(record: AccessRecord, inHeaders: GrpcStatus, inTrailers: GrpcStatus): void {
  const status = inTrailers ?? inHeaders ?? "0";
  if (status !== "0") record.code = errorCodeOf(Number(status));
}

type GrpcStatus = string | readonly string[] | null | undefined;

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, codeBytesMax)).toString("latin1");
}
