import type { Logger, Tracing } from "@rialto/telemetry";
import type { Exchange } from "./exchange.ts";
import { endRequestSpan } from "./request-span.ts";

/**
 * Writes one line when the response is complete or the client has disconnected. The line has no path values, query,
 * headers or body, so that it can be kept for long and shown to everyone who operates the shop. With `tracing`, the
 * span of the request ends with it.
 */
export function logWhenDone(exchange: Exchange, log: Logger, tracing: Tracing | undefined): void {
  const { request, record } = exchange;
  const startedAt = performance.now();
  const startTime = tracing === undefined ? 0 : Date.now();
  exchange.onClose(() => {
    const { sentStatus, caller } = exchange;
    const marked = tracing === undefined ? undefined : endRequestSpan(exchange, tracing, startTime);
    log.info(
      {
        requestId: exchange.requestId,
        traceId: exchange.trace.traceId,
        spanId: exchange.trace.spanId,
        method: request.method,
        route: record.route ?? "unknown",
        status: sentStatus ?? 499,
        code: sentStatus === undefined ? "canceled" : (record.code ?? "ok"),
        ms: Math.round((performance.now() - startedAt) * 10) / 10,
        caller: record.caller ?? "anonymous",
        ...(caller?.kind === "user" ? { userId: caller.userId } : {}),
        ...marked,
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
