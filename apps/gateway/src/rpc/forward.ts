import type { DescMethod } from "@bufbuild/protobuf";
import {
  beginClientSpan,
  CallError,
  callErrors,
  errorResponse,
  type HttpResponse,
  requestSizeOf,
  writeNodeResponse,
} from "@rialto/rpc";
import type { RecordedSpan } from "@rialto/telemetry";
import type { InFlightRequest, ReceiveFor } from "../admission/in-flight-request.ts";
import { upstreamNameOf } from "../contract.ts";
import { bodyBytesMaxOf } from "../exchange/body.ts";
import type { AdmittedExchange, Exchange } from "../exchange/exchange.ts";
import { headersOutward } from "../upstream/request-headers.ts";
import { runForwarding } from "../upstream/run-forwarding.ts";
import { callUpstream, type Upstreams } from "../upstream/upstream.ts";
import { protocolAt } from "./procedures.ts";
import { codeIn, recordGrpc } from "./response-code.ts";
import { inBinary, inText, isWebText, textBytesOf } from "./web-text.ts";

/**
 * Forwards a stream, a call of gRPC or one in text mode as bytes, in its own protocol and encoding, and its response as
 * it arrives, no faster than the client reads. Only gRPC-Web's text mode is converted, to binary and back. A client
 * that disconnects cancels the call to the service; a gateway that closes ends its streams.
 */
export function forward(
  exchange: AdmittedExchange,
  method: DescMethod,
  upstreams: Upstreams,
  inFlight: InFlightRequest,
): Promise<void> {
  const span = beginClientSpan(method);
  if (span === undefined) return forwardAs(undefined, exchange, method, upstreams, inFlight);
  return runForwarding(span, exchange, () => forwardAs(span, exchange, method, upstreams, inFlight));
}

async function forwardAs(
  span: RecordedSpan | undefined,
  exchange: AdmittedExchange,
  method: DescMethod,
  upstreams: Upstreams,
  inFlight: InFlightRequest,
): Promise<void> {
  const { request, signal, closing } = exchange;
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
    span,
  });
  const trailer = new Headers();
  const body = isStream ? endedStream(exchange, answer, trailer) : recorded(exchange, answer, trailer);
  const header = new Headers(headersOutward(answer.header));
  const whole = { ...answer, header, body, trailer };
  await writeNodeResponse(isWebText(type) ? inText(whole) : whole, exchange.response, exchange.writeTimeout);
}

/**
 * Yields the body, which is received when it is first read: within the deadline of the call. Takes a place when the
 * body is complete.
 */
async function* receivedBody(
  inFlight: InFlightRequest,
  bytesMax: number,
  to: ReceiveFor,
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
    passTrailers(end, trailer);
    recordGrpc(record, header.get("grpc-status"), trailer.get("grpc-status"));
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
    if (isFirst) record.code ??= codeIn(chunk, status, header.get("content-type"));
    isFirst = false;
    yield chunk;
  }
  passTrailers(end, trailer);
  recordGrpc(record, header.get("grpc-status"), trailer.get("grpc-status"));
}

/** Copies a service's trailers. The client sees the same names as of its headers. */
function passTrailers(from: Headers, to: Headers): void {
  for (const [name, value] of Object.entries(headersOutward(from))) to.set(name, value);
}
