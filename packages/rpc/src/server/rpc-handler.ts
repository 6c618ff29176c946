import type { Message } from "@bufbuild/protobuf";
import { createConnectRouter, createContextKey, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { grpcStatusOk, headerGrpcStatus } from "@connectrpc/connect/protocol-grpc";
import { requestSizeOf } from "../bounds/request-size.ts";
import { type SizedMethod, sizedRequest } from "../bounds/sized-request.ts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { toCallError } from "../errors/to-call-error.ts";
import { compressionBytesMin, messageBytesMax } from "../limits.ts";
import { toConnectError } from "../wire/connect-error.ts";
import { type CallProtocol, callProtocolOf, errorResponse } from "../wire/error-response.ts";
import { withHttpReason } from "../wire/http-errors.ts";
import { clientResponse, type HttpRequest, type HttpResponse } from "../wire/http-message.ts";
import { compressions, unwritable, withReason } from "../wire/library-error.ts";
import { versionRefusal, withPlainContentType } from "../wire/request-head.ts";
import { requestIdHeader, requestIdOf } from "../wire/request-id.ts";
import { boundTimeout } from "../wire/wire-protocol.ts";
import { type AdmittedCall, admit, answer, answerStream, type EndpointParts, finish } from "./pipeline.ts";
import type { Route, StreamHandler, UnaryHandler } from "./route.ts";

/** The state of a call between its head and its end. */
interface CallState {
  readonly signal: AbortSignal;
  call: AdmittedCall | undefined;
  /** Why the message was not decoded, where the scan of its bytes refused it. */
  unread: CallError | undefined;
  /** Whether the message was decoded, and the pipeline ends the call. */
  isAnswering: boolean;
  /** Whether the handler returned a response, which is not serialized yet. */
  isAnswered: boolean;
}

const okStatus = 200;

const stateKey = createContextKey<CallState | undefined>(undefined);

/**
 * Creates the handler of Connect, gRPC and gRPC-Web requests, binary and JSON, for an endpoint's routes. It admits a
 * call before it reads the body.
 */
export function createRpcHandler(
  parts: EndpointParts,
  routes: readonly Route[],
): (request: HttpRequest) => Promise<HttpResponse> {
  const router = createConnectRouter({
    grpc: true,
    grpcWeb: true,
    acceptCompression: [...compressions],
    compressMinBytes: compressionBytesMin,
    readMaxBytes: messageBytesMax,
    writeMaxBytes: messageBytesMax,
    // A person who reads JSON expects to see "available": 0.
    jsonOptions: { alwaysEmitImplicit: true },
    requestGate: (context) => admitCall(parts, context),
  });
  for (const { unary, streams } of routes) {
    for (const [method, handler] of unary) router.rpc(method, unaryOf(parts, handler));
    for (const [method, handler] of streams) router.rpc(method, streamOf(parts, handler));
  }
  const handlers = new Map(
    router.handlers.map((handler) => {
      const { method } = handler;
      const sized: SizedMethod = { method, size: requestSizeOf(method), compressions };
      return [handler.requestPath, { handler, sized }];
    }),
  );

  return async (given) => {
    const asked = withPlainContentType(given);
    const found = handlers.get(new URL(asked.url).pathname);
    const call = callProtocolOf(asked.header);
    if (found === undefined) return errorResponse(new CallError(callErrors.METHOD_UNKNOWN), call);
    const unknownVersion = versionRefusal(asked);
    if (unknownVersion !== undefined) return errorResponse(unknownVersion, call);
    const { handler, sized } = found;
    const state: CallState = {
      signal: asked.signal ?? new AbortController().signal,
      call: undefined,
      unread: undefined,
      isAnswering: false,
      isAnswered: false,
    };
    const request = sizedRequest(asked, sized, (refusal) => {
      state.unread = refusal;
    });
    boundTimeout(request.header);
    const response = await handler({
      httpVersion: "1.1",
      method: request.method,
      url: request.url,
      header: request.header,
      body: request.body ?? createAsyncIterable<Uint8Array>([]),
      signal: state.signal,
      contextValues: createContextValues().set(stateKey, state),
    });
    const answered = withHttpReason(clientResponse(response), handler.method);
    if (state.call !== undefined && state.isAnswered && isError(answered, call)) {
      // The handler's response cannot be serialized, or is too large: a defect, whose text must not reach the caller.
      const { error, headers } = await unwritable(answered, call);
      return errorResponse(finish(parts, state.call, error), call, headers);
    }
    if (state.call === undefined || state.isAnswering) return answered;
    // The call was admitted, but its message could not be decoded: Connect's own error has no reason.
    const { response: withReasonAdded, error } = await withReason(answered, call, state.unread);
    finish(parts, state.call, error);
    return withReasonAdded;
  };
}

/** Whether a response is an error by its head and its trailers. gRPC-Web has its status in the body. */
function isError({ status, trailer }: HttpResponse, { protocol }: CallProtocol): boolean {
  return status !== okStatus || (protocol === "grpc" && trailer.get(headerGrpcStatus) !== grpcStatusOk);
}

async function admitCall(parts: EndpointParts, context: HandlerContext): Promise<void> {
  const state = stateOf(context);
  const requestId = requestIdOf(context.requestHeader);
  context.requestHeader.set(requestIdHeader, requestId);
  context.responseHeader.set(requestIdHeader, requestId);
  const timeoutMs = context.timeoutMs();
  try {
    state.call = await admit(parts, {
      method: context.method,
      headers: context.requestHeader,
      requestId,
      signal: state.signal,
      deadline: timeoutMs === undefined ? undefined : new Date(Date.now() + timeoutMs),
    });
  } catch (error) {
    throw toConnectError(toCallError(error));
  }
}

function stateOf(context: HandlerContext): CallState {
  const state = context.values.get(stateKey);
  if (state === undefined) throw new Error("the handler was called without its state");
  return state;
}

function callOf(context: HandlerContext): AdmittedCall {
  const state = stateOf(context);
  if (state.call === undefined) throw new Error("the call was not admitted");
  state.isAnswering = true;
  return state.call;
}

function unaryOf(parts: EndpointParts, handler: UnaryHandler) {
  return async (request: Message, context: HandlerContext): Promise<Record<string, unknown>> => {
    try {
      const response = await answer(parts, callOf(context), handler, request);
      stateOf(context).isAnswered = true;
      return response;
    } catch (error) {
      throw toConnectError(toCallError(error));
    }
  };
}

function streamOf(parts: EndpointParts, handler: StreamHandler) {
  return async function* (request: Message, context: HandlerContext): AsyncGenerator<Record<string, unknown>, void> {
    try {
      yield* answerStream(parts, callOf(context), handler, request);
    } catch (error) {
      throw toConnectError(toCallError(error));
    }
  };
}
