import type { DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { HandlerContext, Interceptor, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import type { UnaryCall } from "./unary-call.ts";

/** Calls a handler with a message, and answers the whole message that it answers: at once, where it does. */
export type Invoke = (call: UnaryCall, request: Message) => Message | Promise<Message>;

/**
 * Returns a handler behind its interceptors, the first of which is the outermost. Without interceptors the handler is
 * called with the call itself.
 */
export function invokeWith(
  interceptors: readonly Interceptor[],
  handle: (request: Message, context: HandlerContext) => Message | Promise<Message>,
): Invoke {
  if (interceptors.length === 0) return (call, request) => handle(request, call);
  return async (call, request) => {
    const innermost = async (asked: UnaryRequest): Promise<UnaryResponse> => {
      const message = await handle(asked.message, contextOf(call, asked));
      return responseOf(call, message);
    };
    // An interceptor is called with what it is made for only: the type joins unary calls and streams.
    const next = interceptors.reduceRight((inner, intercept) => intercept(inner), innermost as ReturnType<Interceptor>);
    const { message, header, trailer } = await next(requestOf(call, request));
    copyHeaders(header, call.responseHeader);
    copyHeaders(trailer, call.responseTrailer);
    return message as Message; // Of a unary call, as the request was.
  };
}

/** The request of an interceptor. Its members are its own, since interceptors spread it, and lazy. */
function requestOf(call: UnaryCall, message: Message): UnaryRequest {
  return {
    stream: false,
    message,
    method: methodOf(call),
    service: call.service,
    requestMethod: call.requestMethod,
    get url() {
      return call.url;
    },
    get signal() {
      return call.signal;
    },
    get header() {
      return call.requestHeader;
    },
    get contextValues() {
      return call.values;
    },
  };
}

function responseOf(call: UnaryCall, message: Message): UnaryResponse {
  const { responseHeader: header, responseTrailer: trailer } = call;
  return { stream: false, message, method: methodOf(call), service: call.service, header, trailer };
}

function methodOf(call: UnaryCall): DescMethodUnary {
  return call.unary.method;
}

/** The context of a handler whose interceptors may have replaced parts of the request. */
function contextOf(call: UnaryCall, asked: UnaryRequest): HandlerContext {
  return {
    method: call.method,
    service: asked.service,
    requestMethod: call.requestMethod,
    protocolName: call.protocolName,
    timeoutMs: call.timeoutMs,
    get url() {
      return call.url;
    },
    get signal() {
      return asked.signal;
    },
    get requestHeader() {
      return asked.header;
    },
    get responseHeader() {
      return call.responseHeader;
    },
    get responseTrailer() {
      return call.responseTrailer;
    },
    get values() {
      return asked.contextValues;
    },
  };
}

/** What an interceptor answers in headers of its own takes the place of the call's. */
function copyHeaders(from: Headers, to: Headers): void {
  if (from === to) return;
  for (const name of [...to.keys()]) to.delete(name);
  for (const [name, value] of from) to.set(name, value);
}
