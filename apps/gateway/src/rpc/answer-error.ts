import { endWithHead } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { grpcStatus } from "../errors/grpc-error.ts";
import {
  answerTo,
  connectEndOfStream,
  connectError,
  type ErrorAnswer,
  httpStatusOf,
  restError,
} from "../errors/refused.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { endLingering } from "../exchange/lingering-close.ts";
import { isGrpc, isProcedurePath, protocolAt } from "./procedures.ts";

/** Says what went wrong in the protocol that the client speaks, or cuts the connection where half an answer is out. */
export function answerError(exchange: Exchange, error: unknown, log: Logger): void {
  const { response, signal, record, path, requestId } = exchange;
  if (signal.aborted) return;
  const answer = answerTo(error);
  record.code = answer.code;
  if (answer.code === "internal") log.error({ requestId, err: error }, "request failed");
  // What was shed is in the access log; a line more for each would be load as well.
  if (answer.code === "unavailable" && answer.headers === undefined)
    log.warn({ requestId, err: error }, "service unavailable");
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (answer.code === "unauthenticated") response.setHeader("www-authenticate", "Bearer");
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    // HTTP/2 ends the one call; its connection carries the others on.
    if (name !== "connection" || exchange.request.httpVersionMajor === 1) response.setHeader(name, value);
  }
  // A client of gRPC understands nothing else, wherever it calls; of HTTP's own refusals it reads the status alone.
  const isCall = isProcedurePath(path) || isGrpc(exchange);
  const protocol = isCall && answer.httpStatus !== 405 && answer.httpStatus !== 415 ? protocolAt(exchange) : "connect";
  const contentType = exchange.request.headers["content-type"]?.split(";", 1)[0]?.trim() ?? "application/json";
  switch (protocol) {
    case "connect-stream": {
      const end = connectEndOfStream(answer);
      response.statusCode = 200;
      response.setHeader("content-type", contentType);
      response.setHeader("content-length", end.byteLength);
      endLingering(exchange.request, response, end);
      return;
    }
    case "grpc":
    case "grpc-web":
      endWithHead(response, 200, Object.entries({ "content-type": contentType, ...grpcStatus(inGrpc(answer)) }));
      return;
    case "connect": {
      const json = JSON.stringify(isProcedurePath(path) ? connectError(answer) : restError(answer));
      response.statusCode = httpStatusOf(answer);
      response.setHeader("content-type", "application/json");
      response.setHeader("content-length", Buffer.byteLength(json));
      endLingering(exchange.request, response, exchange.request.method === "HEAD" ? undefined : json);
    }
  }
}

/** gRPC has a code of its own for what is too large, where HTTP has a status. */
function inGrpc(answer: ErrorAnswer): ErrorAnswer {
  return answer.httpStatus === 413 ? { ...answer, code: "resource_exhausted" } : answer;
}
