import { Code, ConnectError } from "@connectrpc/connect";
import { type Compression, createAsyncIterable, readAllBytes } from "@connectrpc/connect/protocol";
import { endStreamFlag, endStreamFromJson, errorFromJsonBytes } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { withoutValues } from "../errors/decode-error.ts";
import { messageBytesMax } from "../limits.ts";
import { type CallProtocol, errorResponse } from "./error-response.ts";
import type { HttpResponse } from "./http-message.ts";
import type { WireProtocol } from "./wire-protocol.ts";

/**
 * Adds a reason to an error that Connect's library made: a body that is not a message, or too large. `known` is the
 * error where the message was refused before it was decoded.
 */
export async function withReason(
  response: HttpResponse,
  call: CallProtocol,
  known?: CallError,
): Promise<{ readonly response: HttpResponse; readonly error: CallError | undefined }> {
  const { error: libraryError, kept } = await readError(response, call.protocol);
  if (known !== undefined) {
    return { response: errorResponse(known, call, keptHeaders(response.header)), error: known };
  }
  const error = libraryError === undefined ? undefined : unreadableError(libraryError, call.protocol);
  if (error === undefined) return { response: kept, error };
  return { response: errorResponse(error, call, keptHeaders(response.header)), error };
}

/**
 * The error of a message that Connect's library could not read, by the library's own; undefined where that is about
 * something else.
 */
export function unreadableError(error: ConnectError, protocol: WireProtocol): CallError | undefined {
  if (!unreadableCodes.has(error.code)) return undefined;
  const fields = [{ field: "", description: withoutValues(error.rawMessage) }];
  if (error.code !== Code.Unimplemented) return new CallError(callErrors.INVALID_REQUEST, { fields });
  // The protocols have a code for an unknown compression.
  const headers = { [acceptHeaders[protocol]]: compressions.map(({ name }) => name).join(",") };
  return new CallError({ ...callErrors.INVALID_REQUEST, code: "unimplemented" }, { fields, http: { headers } });
}

/** The compressions that are read and written. */
export const compressions: readonly Compression[] = [compressionGzip, compressionBrotli];

/**
 * The header in which each protocol lists the known compressions. Connect's library leaves it out of gRPC's responses.
 */
const acceptHeaders: Readonly<Record<WireProtocol, string>> = {
  connect: "accept-encoding",
  "connect-stream": "connect-accept-encoding",
  grpc: "grpc-accept-encoding",
  "grpc-web": "grpc-accept-encoding",
};

/**
 * The codes of Connect's library for a message that it cannot read. Bytes that are not protobuf are INTERNAL there, but
 * they are the caller's mistake.
 */
const unreadableCodes: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.ResourceExhausted,
  Code.Internal,
  Code.Unimplemented,
]);

/** The error in a response without a message, and the same response, unread. */
async function readError(
  response: HttpResponse,
  protocol: WireProtocol,
): Promise<{ readonly error: ConnectError | undefined; readonly kept: HttpResponse }> {
  if (protocol === "connect" && response.status === 200) return { error: undefined, kept: response };
  const bytes = await readAllBytes(response.body, messageBytesMax);
  const kept = { ...response, body: createAsyncIterable([bytes]) };
  return { error: errorOfEnd(bytes, response.trailer, protocol), kept };
}

function errorOfEnd(bytes: Uint8Array, trailer: Headers, protocol: WireProtocol): ConnectError | undefined {
  const content = bytes.subarray(envelopeHeadBytes);
  switch (protocol) {
    case "connect":
      return errorFromJsonBytes(bytes, undefined, new ConnectError("the message cannot be read"));
    case "connect-stream":
      return bytes[0] === endStreamFlag ? endStreamFromJson(content).error : undefined;
    case "grpc":
      return findTrailerError(trailer);
    case "grpc-web":
      return bytes[0] === trailerFlag ? findTrailerError(trailerParse(content)) : undefined;
  }
}

/** Flags and length, before each message of a stream. */
const envelopeHeadBytes = 5;

/**
 * The error of a response that Connect's library could not write. The library's own error is the cause: it stays here.
 */
export async function unwritable(
  response: HttpResponse,
  call: CallProtocol,
): Promise<{ readonly error: CallError; readonly headers: Headers }> {
  const { error: libraryError } = await readError(response, call.protocol);
  const cause = new Error("the response cannot be written", { cause: libraryError });
  return { error: new CallError(callErrors.INTERNAL_ERROR, { cause }), headers: keptHeaders(response.header) };
}

function keptHeaders(header: Headers): Headers {
  const kept = new Headers(header);
  for (const name of ["content-encoding", "connect-content-encoding", "grpc-encoding"]) kept.delete(name);
  return kept;
}
