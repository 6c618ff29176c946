import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { LazySignal } from "@rialto/async";
import { type Answer, createUnaryHandler, RequestGone, UnaryCall, type UnaryHandler } from "@rialto/connect";
import type { Received } from "@rialto/http";
import {
  checkMessage,
  envelopesBytesMax,
  MessageRefused,
  noBase64,
  noCompression,
  refusalFor,
  tooLarge,
} from "../bounds/message-bounds.ts";
import { type RequestSize, requestSizeOf } from "../bounds/request-size.ts";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import { toCallError } from "../errors/to-call-error.ts";
import { compressionBytesMin, messageBytesMax, requestSizeDefault } from "../limits.ts";
import { errorAnswer } from "../wire/error-answer.ts";
import { compressions, unreadableError } from "../wire/library-error.ts";
import { versionRefusalOf } from "../wire/request-head.ts";
import { requestIdFrom, requestIdHeader } from "../wire/request-id.ts";
import { type AdmittedCall, admit, answer, type EndpointParts, finish } from "./pipeline.ts";
import type { UnaryHandler as Handler, Route } from "./route.ts";
import { bodyError, type ReceiveCall } from "./service-bodies.ts";

// The unary calls of an endpoint, by the fast path of `packages/connect`: the steps and the words of `rpc-handler.ts`,
// which answers everything else, without web headers or streams.

/** The state of a call between its head and its end. */
interface CallState {
  readonly size: RequestSize;
  requestId: string | undefined;
  call: AdmittedCall | undefined;
  /** Whether the message was decoded, and the pipeline ends the call. */
  isAnswering: boolean;
}

/** Creates the fast path of an endpoint's routes. Whatever it does not take goes by `rpc-handler.ts`. */
export function createFastPath(parts: EndpointParts, routes: readonly Route[], receiveCall: ReceiveCall): UnaryHandler {
  const methods = routes.flatMap(({ unary }) => [...unary]);
  const sizes = new Map<DescMethod, RequestSize>(methods.map(([method]) => [method, requestSizeOf(method)]));
  return createUnaryHandler({
    acceptCompression: compressions.map(checkedCompression),
    compressMinBytes: compressionBytesMin,
    writeMaxBytes: messageBytesMax,
    // A person who reads JSON expects to see "available": 0.
    jsonOptions: { alwaysEmitImplicit: true },
    routes(router) {
      for (const [method, handler] of methods) {
        router.rpc(method, unaryOf(parts, handler), { readMaxBytes: sizes.get(method)?.bytes ?? messageBytesMax });
      }
    },
    hooks: {
      admit: (call) => admitCall(parts, call, sizes.get(call.method) ?? requestSizeDefault),
      receive: (call) => receive(call, receiveCall),
      check: (call, message) =>
        checkMessage(message, { method: call.method, size: stateOf(call).size, isJson: !call.isBinary }),
      renderError: (call, thrown) => renderError(parts, call, thrown),
    },
  });
}

function admitCall(parts: EndpointParts, call: UnaryCall, size: RequestSize): void | Promise<void> {
  const state: CallState = { size, requestId: undefined, call: undefined, isAnswering: false };
  call.kept = state;
  const unknownVersion = versionRefusalOf(call);
  if (unknownVersion !== undefined) throw unknownVersion;
  const requestId = requestIdFrom(call.header(requestIdHeader));
  state.requestId = requestId;
  call.setHeader(requestIdHeader, requestId);
  const timeoutMs = call.timeoutMs();
  const admitted = admit(parts, {
    method: call.method,
    headers: { get: (name) => call.header(name) },
    requestId,
    signal: goneSignal(call),
    deadline: timeoutMs === undefined ? undefined : new Date(Date.now() + timeoutMs),
  });
  if (admitted instanceof Promise)
    return admitted.then((found) => {
      state.call = found;
    });
  state.call = admitted;
}

/** Aborts when the client goes away. The deadline is the pipeline's. */
function goneSignal({ exchange }: UnaryCall): LazySignal {
  const signal = new LazySignal();
  exchange.onGone(() => signal.abort(exchange.goneReason()));
  return signal;
}

function receive(call: UnaryCall, receiveCall: ReceiveCall): Uint8Array | Promise<Uint8Array> {
  const { size, call: admitted } = stateOf(call);
  if (admitted === undefined) throw new Error("the call was not admitted");
  const { canceled } = admitted.clock;
  const bytesMax = call.protocolName === "connect" ? size.bytes : size.bytes + envelopesBytesMax;
  const received = receiveCall(call, bytesMax, canceled);
  const bytesOf = (known: Received): Uint8Array => {
    switch (known.kind) {
      case "whole":
        return known.bytes;
      case "gone":
        if (!call.exchange.isOver() && canceled.aborted) throw canceled.reason;
        throw new RequestGone();
      case "too-large":
        throw new MessageRefused(tooLarge(size));
      default:
        throw bodyError(known.kind);
    }
  };
  return received instanceof Promise ? received.then(bytesOf) : bytesOf(received);
}

function unaryOf(parts: EndpointParts, handler: Handler) {
  return (request: Message, context: HandlerContext): Promise<Record<string, unknown>> => {
    if (!(context instanceof UnaryCall)) throw new Error("the handler was called by another path");
    const state = stateOf(context);
    if (state.call === undefined) throw new Error("the call was not admitted");
    state.isAnswering = true;
    return answer(parts, state.call, handler, request);
  };
}

function renderError(parts: EndpointParts, call: UnaryCall, thrown: unknown): Answer {
  const { requestId } = stateOf(call);
  const error = endOf(parts, call, thrown);
  const contentType = call.header("content-type") ?? "application/json";
  const fields = requestId === undefined ? {} : { [requestIdHeader]: requestId };
  return errorAnswer(error, { protocol: call.protocolName, contentType }, fields);
}

/** Returns the error of a call, and ends it where the pipeline has not. */
function endOf(parts: EndpointParts, call: UnaryCall, thrown: unknown): CallError {
  const state = stateOf(call);
  if (state.call === undefined) return toCallError(thrown);
  if (state.call.isAnswered) {
    // The handler's response cannot be serialized, or is too large: a defect, whose text must not reach the caller.
    const cause = new Error("the response cannot be written", { cause: thrown });
    return finish(parts, state.call, new CallError(callErrors.INTERNAL_ERROR, { cause }));
  }
  return state.isAnswering ? toCallError(thrown) : finish(parts, state.call, unreadOf(call, thrown));
}

/** The error of a call that was admitted, and whose message was not decoded. */
function unreadOf(call: UnaryCall, thrown: unknown): CallError {
  const isGrpc = call.protocolName !== "connect";
  if (thrown instanceof RequestGone) return new CallError(callCanceled);
  if (thrown instanceof MessageRefused) return refusalFor(thrown.violation, { isGrpc });
  if (thrown instanceof ConnectError) {
    const isTooLarge = thrown.code === Code.ResourceExhausted;
    const error = isTooLarge
      ? refusalFor(tooLarge(stateOf(call).size), { isGrpc })
      : unreadableError(thrown, call.protocolName);
    return error ?? toCallError(thrown);
  }
  // A GET has its message in its URL, in base64.
  const isBase64 = call.requestMethod === "GET" && !(thrown instanceof CallError);
  return isBase64 ? refusalFor(noBase64, { isGrpc }) : toCallError(thrown);
}

/** A compression that says what is wrong with a message as a violation. */
function checkedCompression(compression: Compression): Compression {
  return {
    ...compression,
    async decompress(bytes, bytesMax) {
      try {
        return await compression.decompress(new Uint8Array(bytes), bytesMax);
      } catch (error) {
        const isTooLarge = error instanceof ConnectError && error.code === Code.ResourceExhausted;
        throw new MessageRefused(isTooLarge ? tooLarge({ bytes: bytesMax }) : noCompression(compression.name));
      }
    },
  };
}

function stateOf({ kept }: UnaryCall): CallState {
  return kept as CallState; // Set when the call is let in, before anything else is done with it.
}
