import type { RenderClientError } from "@rialto/http";
import { v7 as uuid } from "uuid";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { requestIdHeader } from "../wire/request-id.ts";
import { restErrorJson } from "../wire/rest-error.ts";

/**
 * Renders a request that cannot be read as an error of REST, google.rpc.Status: which method it is for, and by which
 * protocol, is unknown. It gets a new request id.
 */
export function renderClientErrors(o: {
  /** Sent with each of these responses. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each of these responses, for the access log. */
  readonly onRendered?: (response: { readonly requestId: string; readonly status: number }) => void;
}): RenderClientError {
  return ({ status, message }) => {
    const requestId = uuid();
    o.onRendered?.({ requestId, status });
    return {
      headers: { ...o.headers, [requestIdHeader]: requestId, "content-type": "application/json" },
      body: JSON.stringify(restErrorJson(new CallError(callErrors.INVALID_REQUEST, { message }))),
    };
  };
}
