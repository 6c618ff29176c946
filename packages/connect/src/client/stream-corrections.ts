import { Code, ConnectError, type Interceptor, type StreamResponse, type Transport } from "@connectrpc/connect";
import { deadlinePassed, isReset } from "./call-end.ts";

/**
 * Corrects what the official transports get wrong about streams, next to the transport, so that interceptors see what
 * callers see. Each correction names the cases of the conformance suite that fail without it.
 */
export const correctStreams: Interceptor = (next) => async (request) => {
  if (!request.stream) return next(request);
  const deadlineAt = performance.now() + timeoutMsOf(request.header);
  const corrected = (error: unknown) => lateReset(cutOff(error), deadlineAt);
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...withTrailersOfHead(response), message: correctedErrors(response.message, corrected) };
  } catch (error) {
    throw corrected(error);
  }
};

/**
 * Marks the rejection of a stream as handled. A caller of a bidirectional stream that is still sending has not asked
 * for the response yet, and Node would end its process. It gets the error when it asks. Cases:
 * "Timeouts/.../bidi-stream", on a busy machine.
 */
export function withHandledRejection(stream: Transport["stream"]): Transport["stream"] {
  return (...call) => {
    const response = stream(...call);
    response.catch(() => undefined);
    return response;
  };
}

/**
 * A response that ends too early is no fault of the caller: `internal`, where the official transports say
 * `invalid_argument`. Cases: "Connect Unexpected Responses/.../no-end-stream", ".../incomplete-message" and
 * ".../incomplete-message-prefix", and the last two of "gRPC Unexpected Responses".
 */
function cutOff(error: unknown): unknown {
  // A server may refuse a request in the same words: that is no end of its response.
  const isOurs = error instanceof ConnectError && error.code === Code.InvalidArgument && !error.isWireError;
  if (!isOurs || !cutOffs.has(error.rawMessage)) return error;
  return new ConnectError(error.rawMessage, Code.Internal, error.metadata, undefined, error);
}

const cutOffs: ReadonlySet<string> = new Set([
  "protocol error: incomplete envelope",
  "protocol error: missing EndStreamResponse",
]);

/**
 * grpc-go resets a stream at its deadline, which may arrive before the client's own timer fires. Cases:
 * "Timeouts/.../PROTOCOL_GRPC/.../(grpc server impl)", on a busy machine.
 */
function lateReset(error: unknown, deadlineAt: number): unknown {
  return isReset(error) && performance.now() >= deadlineAt ? deadlinePassed(error) : error;
}

/**
 * The trailers of a gRPC-Web response without a body are in its head. Cases: "Basic/.../bidi-stream/.../no-responses".
 */
function withTrailersOfHead(response: StreamResponse): StreamResponse {
  if (!response.header.has("grpc-status")) return response;
  const trailer = new Headers(response.trailer);
  response.header.forEach((value, name) => {
    trailer.set(name, value);
  });
  return { ...response, trailer };
}

async function* correctedErrors<T>(messages: AsyncIterable<T>, corrected: (error: unknown) => unknown) {
  try {
    yield* messages;
  } catch (error) {
    throw corrected(error);
  }
}

/** Reads the timeout that the transport wrote. */
function timeoutMsOf(header: Headers): number {
  const text = header.get("grpc-timeout") ?? header.get("connect-timeout-ms");
  return text === null ? Number.POSITIVE_INFINITY : Number.parseInt(text, 10);
}
