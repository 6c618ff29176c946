import { TraceErrorReason } from "@rialto/contracts";
import { defineErrors } from "@rialto/rpc";

/** The error reasons of questions about traces. */
export const traceErrors = defineErrors(TraceErrorReason, "trace", {
  TRACES_NOT_KEPT: {
    code: "failed_precondition",
    retryable: false,
    message: "This gateway keeps no traces.",
    client: "Look where the traces are exported to.",
    operator:
      "In production none are kept. In development OTEL_SDK_DISABLED=true or RIALTO_KEEP_TRACES=off turns them off.",
  },
  TRACE_NOT_FOUND: {
    code: "not_found",
    retryable: false,
    message: "No such trace is kept, or not any more.",
    client: "List the traces again: only the last ones are kept.",
    operator: "Nothing. Older traces are where they are exported to.",
  },
});
