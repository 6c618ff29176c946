import { createLineWriter, type Logger, type Tracing } from "@rialto/telemetry";
import type { Exchange } from "./exchange.ts";
import { endRequestSpan } from "./request-span.ts";

const names = [
  ...["requestId", "traceId", "spanId", "method", "route"],
  ...["status", "code", "ms", "caller", "userId", "sampledBy"],
] as const;

/** Writes the line of an exchange that begins now, when it is over. */
export type LogWhenDone = (exchange: Exchange, tracing: Tracing | undefined) => void;

/**
 * Makes what writes one line when the response is complete or the client has disconnected. The line has no path values,
 * query, headers or body, so that it can be kept for long and shown to everyone who operates the shop. With `tracing`,
 * the span of the request ends with it.
 */
export function createAccessLog(log: Logger): LogWhenDone {
  const write = createLineWriter(log, { level: "info", message: "request", names });
  return (exchange, tracing) => {
    const startedAt = performance.now();
    const startTime = tracing === undefined ? 0 : Date.now();
    exchange.onClose(() => {
      const { requestId, trace, request, record, sentStatus, caller } = exchange;
      const marked = tracing === undefined ? undefined : endRequestSpan(exchange, tracing, startTime);
      write([
        requestId,
        trace.traceId,
        trace.spanId,
        request.method,
        record.route ?? "unknown",
        sentStatus ?? 499,
        sentStatus === undefined ? "canceled" : (record.code ?? "ok"),
        Math.round((performance.now() - startedAt) * 10) / 10,
        record.caller ?? "anonymous",
        caller?.kind === "user" ? caller.userId : undefined,
        marked?.sampledBy,
      ]);
    });
  };
}

/** Makes what logs the response to a request that could not be read as HTTP. */
export function logUnreadable(
  log: Logger,
): (answered: { readonly requestId: string; readonly status: number }) => void {
  return ({ requestId, status }) =>
    log.info({ requestId, route: "unknown", status, code: "invalid_argument", caller: "anonymous" }, "request");
}
