import { Code, ConnectError, type ContextValues } from "@connectrpc/connect";
import { type Compression, compressionNegotiate } from "@connectrpc/connect/protocol";
import type { DeadlineWheel } from "@rialto/async";
import { headerText } from "../headers/web-headers.ts";
import type { Spoken } from "./choose-protocol.ts";
import type { Answer, Exchange } from "./exchange.ts";
import type { UnaryHooks } from "./hooks.ts";
import { RequestGone } from "./read-body.ts";
import { UnaryCall } from "./unary-call.ts";
import type { UnaryMethod } from "./unary-method.ts";
import type { UnaryProtocol } from "./unary-protocol.ts";

/**
 * Answers one unary call, in the order of the official handlers: the gate, the head, the body, the message, the
 * handler. Rejects only where the answer cannot be written. It waits only for what has to be waited for: each promise
 * costs about as much as a look at a header.
 */
export async function answerUnary(
  exchange: Exchange,
  unary: UnaryMethod,
  { protocol, isBinary }: Spoken,
  {
    wheel,
    hooks,
    values,
  }: { readonly wheel: DeadlineWheel; readonly hooks: UnaryHooks; readonly values: ContextValues | undefined },
): Promise<void> {
  const { options } = unary;
  const { headers } = exchange;
  const timeout = protocol.parseTimeout(headerText(headers[protocol.timeoutHeader]), options.maxTimeoutMs);
  const compression = negotiated(exchange, protocol, options.acceptCompression);
  const call = new UnaryCall({
    unary,
    exchange,
    protocolName: protocol.name,
    isBinary,
    timeoutMs: timeout.timeoutMs,
    headers: protocol.headers(isBinary, compression.response),
    trailers: protocol.trailers(),
    values,
    wheel,
  });
  let answer: Answer;
  try {
    if (options.requestGate !== undefined) await options.requestGate(call);
    const admitted = hooks.admit?.(call);
    if (admitted !== undefined) await admitted;
    protocol.assertHead(call);
    if (compression.error !== undefined) throw compression.error;
    if (timeout.error !== undefined) throw timeout.error;
    // What came in the same packet as the head is here once promises have settled.
    if (admitted === undefined) await undefined;
    const received = protocol.receive(call, hooks);
    const body = received instanceof Promise ? await received : received;
    const read = protocol.read(call, body, compression.request, hooks);
    const request = read instanceof Promise ? await read : read;
    const invoked = unary.invoke(call, request);
    const response = invoked instanceof Promise ? await invoked : invoked;
    const message = unary.codecs.output(isBinary).serialize(response);
    const written = protocol.write(call, message, compression.response);
    answer = written instanceof Promise ? await written : written;
    call.end();
  } catch (thrown) {
    call.end(thrown);
    const rendered = hooks.renderError?.(call, thrown);
    if (thrown instanceof RequestGone) return;
    answer = rendered ?? (await protocol.writeError(call, connectErrorOf(thrown), compression.response));
  }
  if (!exchange.isOver()) exchange.send(answer);
}

interface Negotiated {
  readonly request: Compression | null;
  readonly response: Compression | null;
  readonly error?: ConnectError;
}

function negotiated(exchange: Exchange, protocol: UnaryProtocol, accepted: Compression[]): Negotiated {
  const asked = protocol.requestEncoding(exchange);
  const accepts = headerText(exchange.headers[protocol.acceptEncodingField]);
  if (asked === null && accepts === null) return uncompressed;
  return compressionNegotiate(accepted, asked, accepts, protocol.acceptEncodingHeader);
}

const uncompressed: Negotiated = { request: null, response: null };

/** What is no error of Connect is a defect, whose text does not reach the caller. */
function connectErrorOf(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  return new ConnectError("internal error", Code.Internal, undefined, undefined, thrown);
}
