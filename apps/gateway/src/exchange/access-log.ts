import type { Logger } from "@rialto/telemetry";
import type { Exchange } from "./exchange.ts";

/**
 * Writes one line when the response is complete or the client has disconnected. The line has no path values, query,
 * headers or body, so that it can be kept for long and shown to everyone who operates the shop.
 */
export function logWhenDone(exchange: Exchange, log: Logger, startedAt: number): void {
  const { request, record } = exchange;
  exchange.onClose(() => {
    const { sentStatus } = exchange;
    log.info(
      {
        requestId: exchange.requestId,
        traceId: exchange.trace.traceId,
        method: request.method,
        route: record.route ?? "unknown",
        status: sentStatus ?? 499,
        code: sentStatus === undefined ? "canceled" : (record.code ?? "ok"),
        ms: Math.round((performance.now() - startedAt) * 10) / 10,
        caller: record.caller ?? "anonymous",
      },
      "request",
    );
  });
}

/** Makes what logs the response to a request that could not be read as HTTP. */
export function logUnreadable(
  log: Logger,
): (answered: { readonly requestId: string; readonly status: number }) => void {
  return ({ requestId, status }) =>
    log.info({ requestId, route: "unknown", status, code: "invalid_argument", caller: "anonymous" }, "request");
}
