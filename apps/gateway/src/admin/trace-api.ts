import { TraceService } from "@rialto/contracts";
import { CallError, createEndpoint, type Endpoint, serve, type TokenVerifier } from "@rialto/rpc";
import type { Logger, TraceRing } from "@rialto/telemetry";
import { traceErrors } from "./trace-errors.ts";
import { traceMessage, traceSummaries } from "./trace-message.ts";

/** The service name of the trace API: its domain in the contract, and the audience of tokens for it. */
export const traceApiName = "trace";

const pageSizeDefault = 50;

/**
 * Serves the last traces of the system, which this gateway keeps in memory. Without any it refuses each call with
 * TRACES_NOT_KEPT: the methods are in the contract, and who asks in production is told where to look.
 */
export function createTraceApi(o: {
  readonly traces: Pick<TraceRing, "list" | "get" | "linkedTo"> | undefined;
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const { verifier, log } = o;
  const requireTraces = () => {
    if (o.traces === undefined) throw new CallError(traceErrors.TRACES_NOT_KEPT);
    return o.traces;
  };
  const route = serve(TraceService, {
    async listTraces({ pageSize, orderId, requestId }) {
      const found = requireTraces().list({
        orderId: orderId || undefined,
        requestId: requestId || undefined,
        max: pageSize || pageSizeDefault,
      });
      return { traces: traceSummaries(found) };
    },
    async getTrace({ traceId }) {
      const traces = requireTraces();
      const trace = traces.get(traceId);
      if (trace === undefined) throw new CallError(traceErrors.TRACE_NOT_FOUND);
      return { trace: traceMessage(trace, traces.linkedTo(trace)) };
    },
  });
  // The gateway stores no idempotency keys, so the key of their fingerprint does not matter. Nor does it trace this
  // endpoint: looking at traces would add to them.
  return createEndpoint({ service: traceApiName, routes: [route], verifier, fingerprintKey: traceApiName, log });
}
