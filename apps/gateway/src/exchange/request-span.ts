import type { IncomingMessage } from "node:http";
import { isFailureCode } from "@rialto/rpc";
import {
  type Attributes,
  continueTrace,
  httpNames,
  type RecordedSpan,
  rialtoNames,
  rpcNames,
  type Trace,
  type Tracing,
} from "@rialto/telemetry";
import type { Exchange } from "./exchange.ts";

/** The span of a request, where its trace is recorded, and its position in the trace. */
export interface TracedRequest {
  readonly span: RecordedSpan | undefined;
  readonly trace: Trace;
}

const serverErrorMin = 500;

/** The routes of TraceService, and its page. */
const tracesForm = /^\/(?:api\/)?traces(?:[/?]|$)|^\/rialto\.trace\./;

/** What that page says with what it reads beside them: an order, its events, dead letters. */
export const viewerHeader = "x-rialto-viewer";
const readByPageForm = /^\/api\/(?:orders\/[^/?]+(?:\/events)?|dead-letters)(?:\?|$)/;

/** Whether a request looks at traces: it is none of them, or a page that is open would fill its own list. */
export function isOfTraces({ url = "" }: IncomingMessage): boolean {
  return tracesForm.test(url);
}

/**
 * Whether the page of traces sent a request: it is no trace unless it fails. Anybody may send the header, so it hides
 * only what such a page reads, and is ignored where the page is not served: nobody leaves production's traces by it.
 */
export function isOfTracesPage({ method, url = "", headers }: IncomingMessage): boolean {
  return method === "GET" && headers[viewerHeader] !== undefined && readByPageForm.test(url);
}

/**
 * Begins the span of a request. A `traceparent` from outside gives the id of the trace, and whether it is recorded is
 * decided here; that of a trusted proxy gives both.
 */
export function traceRequest(
  { method, headers: { traceparent: given } }: IncomingMessage,
  tracing: Tracing | undefined,
  isTrusted: boolean,
): TracedRequest {
  const traceparent = typeof given === "string" ? given : undefined;
  const span = tracing?.begin(method ?? "GET", { traceparent, isTrusted, start: startAtServer });
  return { span, trace: span ?? continueTrace(traceparent, { isTrusted: isTrusted && tracing !== undefined }) };
}

function startAtServer() {
  return { kind: "server" } as const;
}

/**
 * Ends the span of a request when its response is complete or its client has disconnected. One that failed, and whose
 * trace is not recorded, is exported alone: the mark of its line in the log is returned.
 */
export function endRequestSpan(
  exchange: Exchange,
  tracing: Tracing,
  startedAt: number,
): { readonly sampledBy: "failure" } | undefined {
  const { span, trace, request, record, sentStatus } = exchange;
  // A client that leaves is no failure of ours.
  const errorType = isFailure(exchange) ? `${record.code ?? sentStatus}` : undefined;
  if (span === undefined && errorType === undefined) return undefined;
  const name = `${request.method} ${record.route ?? "unknown"}`;
  const attributes = attributesOf(exchange);
  if (span !== undefined) {
    span.rename(name);
    span.set(attributes);
    if (errorType !== undefined) span.fail(errorType);
    span.end();
    return undefined;
  }
  if (errorType === undefined) return undefined;
  const { traceparent } = request.headers;
  const isRecorded = tracing.recordFailure({
    ...{ name, kind: "server", trace, startedAt, attributes, errorType },
    traceparent: typeof traceparent === "string" ? traceparent : undefined,
  });
  return isRecorded ? { sampledBy: "failure" } : undefined;
}

/** Whether we failed. A gRPC response has its code in its trailers, and the status 200. */
function isFailure({ sentStatus, record: { code } }: Exchange): boolean {
  if (sentStatus === undefined) return false;
  return code === undefined || code === "ok" ? sentStatus >= serverErrorMin : isFailureCode(code);
}

function attributesOf({ request, record, sentStatus, requestId, caller }: Exchange): Attributes {
  return {
    [httpNames.method]: request.method,
    [httpNames.route]: record.route,
    [httpNames.status]: sentStatus,
    [rpcNames.status]: record.code === "ok" ? undefined : record.code,
    [rialtoNames.requestId]: requestId,
    [rialtoNames.userId]: caller?.kind === "user" ? caller.userId : undefined,
  };
}
