import type { IncomingMessage, ServerResponse } from "node:http";
import { closeGraceMsMax, listenHttp, type RequestStart } from "@rialto/http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { lastAnswerMs, peerStreamResets, serviceHeadBytesMax, upstreamStreamsMax } from "../limits.ts";
import { isStockPath } from "../stock-path.ts";
import { callProtocolOf, errorResponse } from "../wire/error-response.ts";
import type { HttpRequest } from "../wire/http-message.ts";
import { readNodeRequest, writeNodeResponse } from "../wire/node-http.ts";
import { renderClientErrors } from "./client-error.ts";
import type { Endpoint } from "./endpoint.ts";
import { type BodyOptions, createReceiver, type Receive } from "./service-bodies.ts";

/** A running server. */
export interface RpcListener {
  readonly port: number;
  /** Goes on answering, and asks clients to send their next calls to another replica. */
  drain(): void;
  /**
   * Accepts no more connections, ends streams at once and waits for the calls in progress. Those that take longer than
   * `graceMs` are answered TEMPORARILY_UNAVAILABLE, and connections that stay open after that are closed. Further calls
   * return the same promise.
   */
  close(o?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * Serves an endpoint over HTTP/1.1 and HTTP/2: Connect, gRPC and gRPC-Web at the paths of its methods. `extra` gets
 * every request first that is no unary call of these, and returns whether it answers it. Port 0 is any free one.
 * Rejects with Node's error where the port is in use.
 */
export async function listen(o: {
  readonly endpoint: Endpoint;
  readonly port: number;
  readonly host?: string;
  readonly extra?: (req: IncomingMessage, res: ServerResponse) => boolean;
  /** Overrides the limits of bodies in `limits.ts`. */
  readonly bodies?: BodyOptions;
}): Promise<RpcListener> {
  const { endpoint, extra } = o;
  const closing = new AbortController();
  const streams = pathsOf(endpoint, "streams");
  const { receive, receiveCall } = createReceiver(o.bodies ?? {});
  const fast = isStockPath() ? undefined : endpoint.fastPath?.(receiveCall);
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    if (fast?.onRequest(req, res) === true || extra?.(req, res) === true) return;
    // The pipeline has logged every failure, or the client is gone.
    answerRequest(endpoint, req, res, { closing: closing.signal, streams, receive }).catch(() => res.destroy());
  };
  const { port, host } = o;
  const unaryPaths = pathsOf(endpoint, "unary");
  const answersWhole = ({ method, path, contentType }: RequestStart) =>
    method === "POST" &&
    (contentType === "application/json" || contentType === "application/proto") &&
    unaryPaths.has(path);
  const listener = await listenHttp({
    port,
    ...(host === undefined ? {} : { host }),
    streamsMax: upstreamStreamsMax,
    headBytesMax: serviceHeadBytesMax,
    streamResets: peerStreamResets,
    renderClientError: renderClientErrors({}),
    onRequest,
    ...(fast === undefined ? {} : { onStream: fast.onStream, answersWhole }),
  });
  async function close(graceMs: number): Promise<void> {
    endpoint.closing();
    const ended = listener.close({ graceMs: graceMs + lastAnswerMs });
    closing.abort(new CallError(callErrors.TEMPORARILY_UNAVAILABLE));
    const timer = setTimeout(endpoint.endCalls, graceMs);
    await ended;
    clearTimeout(timer);
  }
  let closed: Promise<void> | undefined;
  return {
    port: listener.port,
    drain: listener.drain,
    close: ({ graceMs = closeGraceMsMax } = {}) => {
      closed ??= close(graceMs);
      return closed;
    },
  };
}

async function answerRequest(
  endpoint: Endpoint,
  req: IncomingMessage,
  res: ServerResponse,
  o: { readonly closing: AbortSignal; readonly streams: ReadonlySet<string>; readonly receive: Receive },
): Promise<void> {
  try {
    const request = o.receive(req, readNodeRequest(req, res));
    await writeNodeResponse(await endpoint.handle(endingWith(request, o.closing, o.streams)), res);
  } catch (error) {
    if (res.headersSent || !(error instanceof CallError)) throw error;
    await writeNodeResponse(errorResponse(error, callOf(req)), res);
  }
}

function callOf(req: IncomingMessage) {
  return callProtocolOf(new Headers({ "content-type": req.headers["content-type"] ?? "" }));
}

/** Ends streams when the server closes: they could take minutes, and their clients reconnect to another replica. */
function endingWith(request: HttpRequest, closing: AbortSignal, streams: ReadonlySet<string>): HttpRequest {
  if (!streams.has(new URL(request.url).pathname)) return request;
  return { ...request, signal: request.signal === undefined ? closing : AbortSignal.any([request.signal, closing]) };
}

/** The paths of the methods of one kind. */
function pathsOf({ routes }: Endpoint, kind: "unary" | "streams"): ReadonlySet<string> {
  const methods = routes.flatMap((route) => [...route[kind].keys()]);
  return new Set(methods.map((method) => `/${method.parent.typeName}/${method.name}`));
}
