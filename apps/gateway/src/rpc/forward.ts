import type { DescMethod } from "@bufbuild/protobuf";
import { type ByteResponse, callErrors, type ErrorCode, saysItsEnd, writeNodeResponse } from "@rialto/rpc";
import type { InFlightRequest } from "../admission/load-shedding.ts";
import { upstreamNameOf } from "../contract.ts";
import { codeOfNumber, isCode } from "../errors/codes.ts";
import { grpcStatus, grpcWebTrailers, isTrailerFrame } from "../errors/grpc-error.ts";
import { connectEndOfStream, refused } from "../errors/refused.ts";
import { bodyBytesMaxOf } from "../exchange/body.ts";
import type { AccessRecord, AdmittedExchange, Exchange } from "../exchange/exchange.ts";
import { headersOutward } from "../upstream/request-headers.ts";
import { callUpstream, type Upstreams } from "../upstream/upstream.ts";
import { protocolAt } from "./procedures.ts";
import { inBinary, inText, isWebText, textBytesOf } from "./web-text.ts";

/**
 * Passes a call on as bytes, whatever protocol and encoding they are in, and its answer back as they come, no faster
 * than the client takes them; gRPC-Web's text mode alone is turned into binary and back. A client that goes away
 * cancels the call behind; a gateway that closes ends its streams.
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
  const bytesMax = bodyBytesMaxOf(method);
  const asked = bodyOf(inFlight, isWebText(type) ? textBytesOf(bytesMax) : bytesMax, {
    service: upstreamNameOf(method),
    isStream,
  });
  const answer = await callUpstream(exchange, method, upstreams, {
    httpMethod: request.method ?? "POST",
    query: exchange.query,
    ...(isWebText(type) ? await inBinary(type, asked) : { body: asked }),
    signal: isStream ? AbortSignal.any([signal, closing]) : signal,
  });
  const trailer = new Headers();
  const body = isStream ? endedStream(exchange, answer, trailer) : recorded(exchange, answer, trailer);
  const header = new Headers(headersOutward(answer.header));
  const whole = { ...answer, header, body, trailer };
  await writeNodeResponse(isWebText(type) ? inText(whole) : whole, response, exchange.writeTimeout);
}

/**
 * The body, which is received when it is first asked for: inside the deadline of the call. A place is taken with its
 * end.
 */
async function* bodyOf(
  inFlight: InFlightRequest,
  bytesMax: number,
  to: Parameters<InFlightRequest["receive"]>[1],
): AsyncGenerator<Uint8Array, void> {
  const bytes = await inFlight.receive(bytesMax, to);
  if (bytes.byteLength > 0) yield bytes;
}

/** The stream, with an end that its reader understands where it breaks off on the way here. */
async function* endedStream(
  exchange: Exchange,
  { body, header, trailer: end }: ByteResponse,
  trailer: Headers,
): AsyncGenerator<Uint8Array, void> {
  const { signal, record } = exchange;
  try {
    yield* body;
    if (!saysItsEnd({ header, trailer: end })) throw new Error("a gRPC stream ended without a status");
    passTrailers(end, trailer);
    recordGrpc(record, header, trailer);
  } catch (error) {
    if (signal.aborted) throw error;
    record.code = "unavailable";
    const { answer } = refused(callErrors.TEMPORARILY_UNAVAILABLE, { message: "The stream was cut off." });
    switch (protocolAt(exchange)) {
      case "connect-stream":
        yield connectEndOfStream(answer);
        return;
      case "grpc-web":
        yield grpcWebTrailers(answer);
        return;
      case "grpc":
        passTrailers(new Headers(grpcStatus(answer)), trailer);
        return;
      case "connect":
        throw error;
    }
  }
}

/**
 * The answer to a unary call. The code that a failed one begins with goes to the log; a compressed one keeps it to
 * itself.
 */
async function* recorded(
  { record }: Exchange,
  { status, header, body, trailer: end }: ByteResponse,
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

/** How far into an answer its code is looked for. */
const codeBytesMax = 1024;

/**
 * The code that an answer begins with: Connect's error in JSON, or gRPC-Web's trailers where no message comes before
 * them.
 */
function codeIn(chunk: Uint8Array, status: number, header: Headers): ErrorCode | undefined {
  const text = Buffer.from(chunk).toString("latin1", 0, codeBytesMax);
  if (status !== 200) {
    const name = /^\s*\{\s*"code"\s*:\s*"([a-z_]+)"/.exec(text)?.[1];
    return isCode(name) ? name : "unknown";
  }
  if (!isTrailerFrame(chunk) || header.get("content-type")?.startsWith("application/grpc-web") !== true)
    return undefined;
  const number = /(?:^.{5}|\n)grpc-status: *(\d+)/s.exec(text)?.[1];
  return number === undefined || number === "0" ? undefined : codeOfNumber(Number(number));
}

/** What a service says after its answer is whole, of which a client may see as much as of the headers before it. */
function passTrailers(from: Headers, to: Headers): void {
  for (const [name, value] of Object.entries(headersOutward(from))) to.set(name, value);
}

/** gRPC says how a call ended in the trailers, or in the head where there is no message. */
function recordGrpc(record: AccessRecord, header: Headers, trailer: Headers): void {
  const status = trailer.get("grpc-status") ?? header.get("grpc-status");
  if (status !== null && status !== "0") record.code = codeOfNumber(Number(status));
}
