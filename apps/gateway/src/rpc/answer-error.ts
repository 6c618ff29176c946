import { CallError, callErrors, encodeError, endWithHead } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import type { Exchange } from "../exchange/exchange.ts";
import { endLingering } from "../exchange/lingering-close.ts";
import { isGrpc, isProcedurePath, protocolAt } from "./procedures.ts";

/**
 * Answers with an error in the protocol of the client, or closes the connection where half a response is out. Errors
 * that are not a call's are INTERNAL_ERROR.
 */
export function answerError(exchange: Exchange, thrown: unknown, log: Logger): void {
  const { request, response, isGone, record, requestId, trace } = exchange;
  if (isGone) return;
  const error = thrown instanceof CallError ? thrown : new CallError(callErrors.INTERNAL_ERROR);
  const { code, http } = error;
  record.code = code;
  const ids = { requestId, traceId: trace.traceId, spanId: trace.spanId };
  if (code === "internal") log.error({ ...ids, err: thrown }, "request failed");
  // Shed load is in the access log; a second line for each request would be load as well.
  if (code === "unavailable" && http.headers === undefined) log.warn({ ...ids, err: thrown }, "service unavailable");
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (code === "unauthenticated") response.setHeader("www-authenticate", "Bearer");
  for (const [name, value] of Object.entries(http.headers ?? {})) {
    // HTTP/2 ends the one call; its connection carries the others on.
    if (name !== "connection" || request.httpVersionMajor === 1) response.setHeader(name, value);
  }
  const contentType = request.headers["content-type"]?.split(";", 1)[0]?.trim() ?? "application/json";
  const { status, headers, body } = encodeError(error, { protocol: errorProtocolOf(exchange, error), contentType });
  if (body === undefined) {
    endWithHead(response, status, Object.entries(headers));
    return;
  }
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader("content-length", body.byteLength);
  endLingering(request, response, request.method === "HEAD" ? undefined : body);
}

/**
 * The protocol of an error. A gRPC client reads nothing else, at any path; of 405 and 415 it reads the status alone.
 */
function errorProtocolOf(exchange: Exchange, { http }: CallError): Parameters<typeof encodeError>[1]["protocol"] {
  const isProcedure = isProcedurePath(exchange.path);
  const isHttpOnly = http.status === 405 || http.status === 415;
  const protocol = (isProcedure || isGrpc(exchange)) && !isHttpOnly ? protocolAt(exchange) : "connect";
  return protocol === "connect" && !isProcedure ? "rest" : protocol;
}
