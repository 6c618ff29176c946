import type { DescMethod } from "@bufbuild/protobuf";
import {
  CallError,
  callErrors,
  type ErrorCode,
  errorCodeOf,
  errorResponse,
  type HttpResponse,
  isErrorCode,
  isTrailerFrame,
  requestSizeOf,
  saysItsEnd,
  writeNodeResponse,
} from "@rialto/rpc";
import type { InFlightRequest } from "../admission/load-shedding.ts";
import { upstreamNameOf } from "../contract.ts";
import { bodyBytesMaxOf } from "../exchange/body.ts";
import type { AccessRecord, AdmittedExchange, Exchange } from "../exchange/exchange.ts";
import { headersOutward } from "../upstream/request-headers.ts";
import { callUpstream, type Upstreams } from "../upstream/upstream.ts";
import { protocolAt } from "./procedures.ts";
import { inBinary, inText, isWebText, textBytesOf } from "./web-text.ts";

/**
 * Forwards a call as bytes, in its own protocol and encoding, and its response as it arrives, no faster than the client
 * reads. Only gRPC-Web's text mode is converted, to binary and back. A client that disconnects cancels the call to the
 * service; a gateway that closes ends its streams.
 */
export async function forward(
  exchange: AdmittedExchange,
  method: DescMethod,
  upstreams: Upstreams,
  inFlight: InFlightRequest,
): Promise<void> {
  const { request, response, signal, closing } = exchange;
  const isStream = method.methodKind !== "unary";
  const type = request.headers["content-type"];
  const bytesMax = bodyBytesMaxOf(requestSizeOf(method));
  const requestBody = receivedBody(inFlight, isWebText(type) ? textBytesOf(bytesMax) : bytesMax, {
    service: upstreamNameOf(method),
    isStream,
  });
  const answer = await callUpstream(exchange, method, upstreams, {
    httpMethod: request.method ?? "POST",
    query: exchange.query,
    ...(isWebText(type) ? await inBinary(type, requestBody) : { body: requestBody }),
    signal: isStream ? AbortSignal.any([signal, closing]) : signal,
  });
  const trailer = new Headers();
  const body = isStream ? endedStream(exchange, answer, trailer) : recorded(exchange, answer, trailer);
  const header = new Headers(headersOutward(answer.header));
  const whole = { ...answer, header, body, trailer };
  await writeNodeResponse(isWebText(type) ? inText(whole) : whole, response, exchange.writeTimeout);
}

/**
 * Yields the body, which is received when it is first read: within the deadline of the call. Takes a place when the
 * body is complete.
 */
async function* receivedBody(
  inFlight: InFlightRequest,
  bytesMax: number,
  to: Parameters<InFlightRequest["receive"]>[1],
): AsyncGenerator<Uint8Array, void> {
  const bytes = await inFlight.receive(bytesMax, to);
  if (bytes.byteLength > 0) yield bytes;
}

/** Yields the stream. If it breaks off, ends it with an error that the client's protocol can carry. */
async function* endedStream(
  exchange: Exchange,
  { body, header, trailer: end }: HttpResponse,
  trailer: Headers,
): AsyncGenerator<Uint8Array, void> {
  const { record } = exchange;
  try {
    yield* body;
    if (!saysItsEnd({ header, trailer: end })) throw new Error("a gRPC stream ended without a status");
    passTrailers(end, trailer);
    recordGrpc(record, header, trailer);
  } catch (error) {
    if (exchange.isGone) throw error;
    record.code = "unavailable";
    const protocol = protocolAt(exchange);
    // A response of unary Connect has no end to write an error into.
    if (protocol === "connect") throw error;
    const cutOff = new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { message: "The stream was cut off." });
    const end = errorResponse(cutOff, { protocol, contentType: "" });
    yield* end.body;
    passTrailers(end.trailer, trailer);
  }
}

/**
 * Yields the response to a unary call, and records the code of a failed one for the access log. The code of a
 * compressed response cannot be read.
 */
async function* recorded(
  { record }: Exchange,
  { status, header, body, trailer: end }: HttpResponse,
  trailer: Headers,
): AsyncGenerator<Uint8Array, void> {
  let isFirst = true;
  for await (const chunk of body) {
    if (isFirst) record.code ??= codeIn(chunk, status, header);
    isFirst = false;
    yield chunk;
  }
  passTrailers(end, trailer);
  recordGrpc(record, header, trailer);
}

/** How many bytes of a response are searched for its code. */
const codeBytesMax = 1024;

/**
 * Returns the code at the start of a response: in Connect's JSON error, or in gRPC-Web's trailers if no message
 * precedes them.
 */
function codeIn(chunk: Uint8Array, status: number, header: Headers): ErrorCode | undefined {
  const text = Buffer.from(chunk).toString("latin1", 0, codeBytesMax);
  if (status !== 200) {
    const name = /^\s*\{\s*"code"\s*:\s*"([a-z_]+)"/.exec(text)?.[1];
    return isErrorCode(name) ? name : "unknown";
  }
  if (!isTrailerFrame(chunk) || header.get("content-type")?.startsWith("application/grpc-web") !== true)
    return undefined;
  const number = /(?:^.{5}|\n)grpc-status: *(\d+)/s.exec(text)?.[1];
  return number === undefined || number === "0" ? undefined : errorCodeOf(Number(number));
}

/** Copies a service's trailers. The client sees the same names as of its headers. */
function passTrailers(from: Headers, to: Headers): void {
  for (const [name, value] of Object.entries(headersOutward(from))) to.set(name, value);
}

/** Records gRPC's status, which is in the trailers, or in the headers if there is no message. */
function recordGrpc(record: AccessRecord, header: Headers, trailer: Headers): void {
  const status = trailer.get("grpc-status") ?? header.get("grpc-status");
  if (status !== null && status !== "0") record.code = errorCodeOf(Number(status));
}
