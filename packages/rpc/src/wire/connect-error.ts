import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import {
  codeFromString,
  codeToString,
  endStreamFlag,
  endStreamToJson,
  errorToJson,
} from "@connectrpc/connect/protocol-connect";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import type { ErrorCode } from "../errors/codes.ts";
import type { ErrorDefinition } from "../errors/error-table.ts";
import { errorDetails, errorDomain, fieldViolationOf } from "./error-details.ts";

/** The error of Connect's library, which writes it in the protocol of the call. */
export function toConnectError(error: CallError): ConnectError {
  const connectError = new ConnectError(error.message, codeFromString(error.code) ?? Code.Internal);
  for (const { desc, value } of errorDetails(error)) connectError.details.push({ desc, value });
  const seconds = error.metadata.retry_after_seconds;
  // HTTP has a header for it, which clients and proxies heed without knowing our reasons.
  if (seconds !== undefined) connectError.metadata.set("retry-after", seconds);
  return connectError;
}

/** The JSON of a failed unary call: https://connectrpc.com/docs/protocol#error-end-stream. */
export function connectErrorJson(error: CallError): JsonObject {
  return errorToJson(toConnectError(error), undefined);
}

/** The last envelope of a stream that failed. */
export function connectEndOfStream(error: CallError): Uint8Array {
  const end = endStreamToJson(new Headers(), toConnectError(error), undefined);
  return encodeEnvelope(endStreamFlag, Buffer.from(JSON.stringify(end)));
}

/** The error that a client throws. Texts of the transport do not get into its message. */
export function fromConnectError(error: ConnectError): CallError {
  const code = codeToString(error.code) as ErrorCode; // Connect's own names of its codes.
  const known = knownDetails(error);
  if (known === undefined) return transportError(code, error);
  return new CallError({ code, message: error.rawMessage, reason: known.reason }, { ...known, remote: true });
}

/** The details that a callee wrote; undefined where the error is not from its pipeline. */
function knownDetails(error: ConnectError): Pick<CallError, "reason" | "metadata" | "fields"> | undefined {
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === errorDomain);
  if (info === undefined) return undefined;
  const fields = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(fieldViolationOf));
  return { reason: info.reason, metadata: info.metadata, fields };
}

/**
 * The error of a call that failed before the callee's pipeline: the reason and the message are those that the callee
 * gives for the same code.
 */
function transportError(code: ErrorCode, cause: ConnectError): CallError {
  const known = transportErrors[code];
  // What a proxy says of itself (401, 403, a page of its own) is not said of our caller.
  const { message, reason } = known ?? callErrors.INTERNAL_ERROR;
  return new CallError(
    { code: known === undefined ? callErrors.INTERNAL_ERROR.code : code, message, reason },
    { remote: true, cause },
  );
}

const transportErrors: Readonly<Partial<Record<ErrorCode, ErrorDefinition>>> = {
  canceled: callCanceled,
  deadline_exceeded: callErrors.DEADLINE_PASSED,
  unavailable: callErrors.TEMPORARILY_UNAVAILABLE,
  aborted: callErrors.TEMPORARILY_UNAVAILABLE,
  resource_exhausted: callErrors.TEMPORARILY_UNAVAILABLE,
  invalid_argument: callErrors.INVALID_REQUEST,
  unimplemented: callErrors.METHOD_UNKNOWN,
};
