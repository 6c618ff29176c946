import { TraceService } from "@rialto/contracts";
import { CallError, createEndpoint, type Endpoint, serve, type TokenVerifier } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { traceErrors } from "./trace-errors.ts";

/** The service name of the trace API: its domain in the contract, and the audience of tokens for it. */
export const traceApiName = "trace";

/** Serves the traces that the gateway keeps: none, and it says so. */
export function createTraceApi({
  verifier,
  log,
}: {
  readonly verifier: TokenVerifier;
  readonly log: Logger;
}): Endpoint {
  const route = serve(TraceService, {
    async listTraces() {
      throw new CallError(traceErrors.TRACES_NOT_KEPT);
    },
    async getTrace() {
      throw new CallError(traceErrors.TRACES_NOT_KEPT);
    },
  });
  // The gateway stores no idempotency keys, so the key of their fingerprint does not matter.
  return createEndpoint({ service: traceApiName, routes: [route], verifier, fingerprintKey: traceApiName, log });
}
