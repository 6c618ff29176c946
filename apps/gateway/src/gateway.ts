import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { callErrors, requestIdHeader, requestIdOf, type TokenVerifier } from "@rialto/rpc";
import { continueTrace, type Logger } from "@rialto/telemetry";
import { logWhenDone } from "./access-log.ts";
import { isProcedurePath, isStreamRequest, publishedMethods, requireConnect } from "./connect.ts";
import { contractServices, procedureOf } from "./contract.ts";
import type { Exchange } from "./exchange.ts";
import { forward } from "./forward.ts";
import { admit, unknownMethod } from "./policy.ts";
import { answerTo, connectEndOfStream, connectError, httpStatusOf, refused, restError } from "./refused.ts";
import { answerRest } from "./rest.ts";
import { compileRoutes } from "./routes.ts";
import type { Behind } from "./upstream.ts";

export interface GatewayOptions extends Behind {
  readonly port: number;
  readonly host?: string;
  /** Checks access tokens. */
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}

/** A gateway that takes requests. */
export interface Gateway {
  readonly port: number;
  /** Takes no new request, ends the streams, lets what else is at work end for a while, then cuts what is left. */
  close(): Promise<void>;
}

/** The largest head that a request may have. */
const headBytesMax = 16 * 1024;
/** How long a client may take to send the head of a request, and the whole of it. */
const headMsMax = 10_000;
const requestMsMax = 30_000;
/** How long `close` waits for requests at work. */
const closeGraceMsMax = 3_000;
const idleCheckMs = 20;

/**
 * Starts the one public door: Connect and REST on one port. A request is identified, admitted by its method's policy in the
 * contract, and passed on to the service that serves it. Throws where the contract's routes clash or the port is taken.
 */
export async function startGateway(o: GatewayOptions): Promise<Gateway> {
  const closing = new AbortController();
  const answer = createHandler(o, closing.signal);
  const server = createServer({ maxHeaderSize: headBytesMax, headersTimeout: headMsMax, requestTimeout: requestMsMax });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, response);
  });
  server.listen(o.port, o.host);
  await once(server, "listening");
  // It listens on TCP, so it has an address with a port.
  const { port } = server.address() as AddressInfo;
  return { port, close: () => close(server, closing) };
}

function createHandler(
  o: GatewayOptions,
  closing: AbortSignal,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const methods = publishedMethods(contractServices);
  const table = compileRoutes(contractServices);

  async function dispatch(exchange: Exchange): Promise<void> {
    const { request, path, record } = exchange;
    const { authorization } = request.headers;
    if (path === "/health") return answerHealth(exchange);
    if (isProcedurePath(path)) {
      const method = methods.get(path);
      if (method === undefined) throw unknownMethod();
      record.route = procedureOf(method);
      requireConnect(exchange);
      record.caller = callerKind(await admit(method, authorization, o.verifier));
      return forward(exchange, method, o);
    }
    const match = table.match(request.method === "HEAD" ? "GET" : (request.method ?? ""), path);
    if (match.kind === "found") {
      record.route = match.route.template;
      record.caller = callerKind(await admit(match.route.method, authorization, o.verifier));
      return answerRest(exchange, match.route, match.values, o);
    }
    if (match.kind === "malformed")
      throw refused(callErrors.INVALID_REQUEST, { message: "The path is not well encoded." });
    if (match.kind === "unknown")
      throw refused({ ...callErrors.METHOD_UNKNOWN, code: "not_found", message: "There is nothing at this path." });
    const allow = match.allow.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
    throw refused(callErrors.METHOD_UNKNOWN, {
      message: `This path takes ${allow}.`,
      httpStatus: 405,
      headers: { allow },
    });
  }

  return async (request, response) => {
    const exchange = begin(request, response, closing);
    logWhenDone(exchange, o.log, performance.now());
    try {
      await dispatch(exchange);
    } catch (error) {
      answerError(exchange, error, o.log);
    }
  };
}

function begin(request: IncomingMessage, response: ServerResponse, closing: AbortSignal): Exchange {
  const given = request.headers[requestIdHeader];
  const requestId = requestIdOf(new Headers(typeof given === "string" ? { [requestIdHeader]: given } : {}));
  response.setHeader(requestIdHeader, requestId);
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const traceparent = request.headers.traceparent;
  return {
    request,
    response,
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? "" : url.slice(mark),
    requestId,
    trace: continueTrace(typeof traceparent === "string" ? traceparent : undefined),
    signal: gone.signal,
    closing,
    record: { route: undefined, code: undefined, caller: undefined },
  };
}

/** Says what went wrong in the protocol that the client speaks, or cuts the connection where half an answer is out. */
function answerError(exchange: Exchange, error: unknown, log: Logger): void {
  const { response, signal, record, path, requestId } = exchange;
  if (signal.aborted) return;
  const answer = answerTo(error);
  record.code = answer.code;
  if (answer.code === "internal") log.error({ requestId, err: error }, "request failed");
  if (answer.code === "unavailable") log.warn({ requestId, err: error }, "service unavailable");
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (answer.code === "unauthenticated") response.setHeader("www-authenticate", "Bearer");
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  if (isProcedurePath(path) && isStreamRequest(exchange) && answer.httpStatus === undefined) {
    response.writeHead(200, { "content-type": exchange.request.headers["content-type"] ?? "application/connect+json" });
    response.end(connectEndOfStream(answer));
    return;
  }
  const json = JSON.stringify(isProcedurePath(path) ? connectError(answer) : restError(answer));
  response.writeHead(httpStatusOf(answer), {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
  });
  response.end(exchange.request.method === "HEAD" ? undefined : json);
}

function answerHealth({ response, record }: Exchange): void {
  record.route = "/health";
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify({ status: "ok" }));
}

function callerKind(caller: Awaited<ReturnType<typeof admit>>): string {
  return caller.kind === "user" ? caller.role.toLowerCase() : caller.kind;
}

async function close(server: Server, closing: AbortController): Promise<void> {
  const closed = once(server, "close");
  server.close();
  closing.abort();
  // A connection whose last request ends after close() would stay open for its next one.
  const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
  const late = setTimeout(() => server.closeAllConnections(), closeGraceMsMax);
  await closed;
  clearInterval(idle);
  clearTimeout(late);
}
