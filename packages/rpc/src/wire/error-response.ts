import { createAsyncIterable } from "@connectrpc/connect/protocol";
import type { CallError } from "../errors/call-error.ts";
import { codes } from "../errors/codes.ts";
import { connectEndOfStream, connectErrorJson } from "./connect-error.ts";
import { grpcTrailers, grpcWebTrailers } from "./grpc-error.ts";
import type { HttpResponse } from "./http-message.ts";
import { restErrorJson } from "./rest-error.ts";
import { protocolOf, type WireProtocol } from "./wire-protocol.ts";

/** The protocol of a call, and the content type of its request. */
export interface CallProtocol {
  readonly protocol: WireProtocol;
  readonly contentType: string;
}

export function callProtocolOf(headers: Headers): CallProtocol {
  return { protocol: protocolOf(headers), contentType: headers.get("content-type") ?? "application/json" };
}

/** An error as the head and the body of an HTTP response. */
export interface EncodedError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined where the head says it all: gRPC and gRPC-Web call that Trailers-Only. */
  readonly body?: Uint8Array;
}

/**
 * Encodes an error in a protocol. `contentType` is the request's; streams and gRPC answer in the same one. HTTP's own
 * headers are the caller's to set.
 */
export function encodeError(
  error: CallError,
  { protocol, contentType }: { readonly protocol: WireProtocol | "rest"; readonly contentType: string },
): EncodedError {
  const headers = { "content-type": contentType };
  switch (protocol) {
    case "rest":
      return jsonError(error, restErrorJson(error));
    case "connect":
      return jsonError(error, connectErrorJson(error));
    case "connect-stream":
      return { status: 200, headers, body: connectEndOfStream(error) };
    case "grpc":
    case "grpc-web":
      return { status: 200, headers: { ...headers, ...grpcTrailers(error) } };
  }
}

function jsonError(error: CallError, json: object): EncodedError {
  return {
    status: error.http.status ?? codes[error.code].httpStatus,
    headers: { "content-type": "application/json" },
    body: Buffer.from(JSON.stringify(json)),
  };
}

/**
 * A response that is an error and nothing else. gRPC's trailers are trailers here, and gRPC-Web's a frame of the body,
 * as in every other response.
 */
export function errorResponse(
  error: CallError,
  call: CallProtocol = { protocol: "connect", contentType: "" },
  headers?: Headers,
): HttpResponse {
  const header = new Headers(headers);
  for (const [name, value] of Object.entries(error.http.headers ?? {})) header.set(name, value);
  const trailer = new Headers();
  if (call.protocol === "grpc" || call.protocol === "grpc-web") {
    header.set("content-type", call.contentType);
    if (call.protocol === "grpc-web") return { status: 200, header, body: chunks(grpcWebTrailers(error)), trailer };
    for (const [name, value] of Object.entries(grpcTrailers(error))) trailer.set(name, value);
    return { status: 200, header, body: chunks(), trailer };
  }
  const encoded = encodeError(error, call);
  const body = encoded.body ?? new Uint8Array();
  for (const [name, value] of Object.entries(encoded.headers)) header.set(name, value);
  if (call.protocol === "connect") header.set("content-length", `${body.byteLength}`);
  return { status: encoded.status, header, body: chunks(body), trailer };
}

function chunks(...bytes: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  return createAsyncIterable([...bytes]);
}
