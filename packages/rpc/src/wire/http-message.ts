import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Compression,
  createAsyncIterable,
  encodeEnvelope,
  readAllBytes,
  type UniversalClientRequest,
  type UniversalClientResponse,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  endStreamFlag,
  endStreamFromJson,
  endStreamToJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { findTrailerError, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { callErrors } from "../errors/call-errors.ts";
import { withoutValues } from "../errors/decode-error.ts";
import { type Refusal, refuse } from "../errors/errors.ts";
import { messageBytesMax } from "../limits.ts";
import { connectErrorOf } from "./connect-error.ts";
import { protocolOf, type WireProtocol } from "./wire-protocol.ts";

/** An HTTP request as bytes, without a server or a client: what endpoints and the gateway hand around. */
export type ByteRequest = UniversalClientRequest;

/** Its answer. */
export type ByteResponse = UniversalClientResponse;

/** A refusal as a call's protocol says it over HTTP: for unary Connect its status and its JSON, for the others how the stream ends. */
export function byteErrorResponse(
  refusal: Refusal,
  headers?: Headers,
  { protocol, contentType }: CallProtocol = { protocol: "connect", contentType: "" },
): ByteResponse {
  const error = connectErrorOf(refusal);
  if (protocol !== "connect") {
    const header = new Headers(headers);
    header.set("content-type", contentType);
    const trailer = new Headers();
    if (protocol === "connect-stream") {
      const end = encodeEnvelope(
        endStreamFlag,
        Buffer.from(JSON.stringify(endStreamToJson(new Headers(), error, undefined))),
      );
      return { status: 200, header, body: createAsyncIterable([end]), trailer };
    }
    setTrailerStatus(trailer, error);
    if (protocol === "grpc") return { status: 200, header, body: createAsyncIterable([]), trailer };
    const end = encodeEnvelope(trailerFlag, trailerSerialize(trailer));
    return { status: 200, header, body: createAsyncIterable([end]), trailer: new Headers() };
  }
  const body = errorToJsonBytes(error, undefined);
  const header = new Headers(headers);
  header.set("content-type", "application/json");
  header.set("content-length", `${body.byteLength}`);
  return { status: codeToHttpStatus(error.code), header, body: createAsyncIterable([body]), trailer: new Headers() };
}

/** The protocol of a call, and the content type that it was spoken with. */
export interface CallProtocol {
  readonly protocol: WireProtocol;
  readonly contentType: string;
}

export function callProtocolOf(headers: Headers): CallProtocol {
  return { protocol: protocolOf(headers), contentType: headers.get("content-type") ?? "application/json" };
}

/**
 * Gives an answer that Connect itself made (a body that is no message, or too large a one) the reason that every error
 * of the contract has; the one that is known, where the message was refused before it was decoded.
 */
export async function withReason(
  response: ByteResponse,
  call: CallProtocol,
  known?: Refusal,
): Promise<{ readonly response: ByteResponse; readonly refusal: Refusal | undefined }> {
  const { error, kept } = await connectOwnError(response, call.protocol);
  if (known !== undefined) {
    return { response: byteErrorResponse(known, keptHeaders(response.header), call), refusal: known };
  }
  if (error === undefined || !unreadableCodes.has(error.code)) {
    return { response: kept, refusal: undefined };
  }
  // The protocols have a code of their own for a compression that is not known here.
  const isUnknown = error.code === Code.Unimplemented;
  const definition = isUnknown
    ? ({ ...callErrors.INVALID_REQUEST, code: "unimplemented" } as const)
    : callErrors.INVALID_REQUEST;
  const refusal = refuse(definition, { fields: [{ field: "", description: withoutValues(error.rawMessage) }] });
  const header = keptHeaders(response.header);
  if (isUnknown) header.set(acceptHeaders[call.protocol], compressions.map(({ name }) => name).join(","));
  return { response: byteErrorResponse(refusal, header, call), refusal };
}

/** The compressions that are read and written. */
export const compressions: readonly Compression[] = [compressionGzip, compressionBrotli];

/** Where each protocol names them to who spoke in another one. Connect's library leaves that out of gRPC's answers. */
const acceptHeaders: Readonly<Record<WireProtocol, string>> = {
  connect: "accept-encoding",
  "connect-stream": "connect-accept-encoding",
  grpc: "grpc-accept-encoding",
  "grpc-web": "grpc-accept-encoding",
};

/** What Connect says of a message that it cannot read. It calls bytes that are no protobuf INTERNAL; they are the caller's mistake. */
const unreadableCodes: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.ResourceExhausted,
  Code.Internal,
  Code.Unimplemented,
]);

/** The error in an answer that holds no message, and the answer as if nobody had looked. */
async function connectOwnError(
  response: ByteResponse,
  protocol: WireProtocol,
): Promise<{ readonly error: ConnectError | undefined; readonly kept: ByteResponse }> {
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

/** What is said instead of Connect's own words where a handler's answer could not be written; those are the cause. */
export async function unwritable(
  response: ByteResponse,
  call: CallProtocol,
): Promise<{ readonly refusal: Refusal; readonly headers: Headers }> {
  const { error } = await connectOwnError(response, call.protocol);
  const cause = new Error("the answer cannot be written", { cause: error });
  return { refusal: refuse(callErrors.INTERNAL_ERROR, { cause }), headers: keptHeaders(response.header) };
}

function keptHeaders(header: Headers): Headers {
  const kept = new Headers(header);
  for (const name of ["content-encoding", "connect-content-encoding", "grpc-encoding"]) kept.delete(name);
  return kept;
}

/** What a handler of Connect's answers, as the client side of it. */
export function clientResponse(response: UniversalServerResponse): ByteResponse {
  return {
    status: response.status,
    header: new Headers(response.header),
    body: response.body ?? createAsyncIterable<Uint8Array>([]),
    // gRPC fills it while the body is read: it must stay the same object.
    trailer: response.trailer instanceof Headers ? response.trailer : new Headers(response.trailer),
  };
}
