import { ErrorReason } from "@rialto/contracts";
import { defineErrors, type ErrorDefinition } from "./error-table.ts";

/** The reasons that any method can give. */
export const callErrors = defineErrors(ErrorReason, "type", {
  CALLER_REQUIRED: {
    code: "unauthenticated",
    retryable: false,
    message: "This method needs a signed-in caller.",
    client: "Sign in and send `authorization: Bearer <access token>`.",
    operator: "Nothing.",
  },
  GATEWAY_REQUIRED: {
    code: "unauthenticated",
    retryable: false,
    message: "A service answers the gateway and other services only.",
    client: "Call the gateway.",
    operator: "Somebody calls a service's own port. In production only gateways and services should reach it.",
  },
  TOKEN_INVALID: {
    code: "unauthenticated",
    retryable: false,
    message: "The token is malformed, expired or not meant for this service.",
    client: "Refresh the access token, then try again. Sign in where the refresh is refused.",
    operator: "Many at once: compare the machines' clocks, and the signing keys of the user service.",
  },
  SESSION_ENDED: {
    code: "unauthenticated",
    retryable: false,
    message: "The session of this token has ended.",
    client: "Sign in again. Refreshing does not help.",
    operator: "Nothing. Many at once: somebody disabled accounts, or the user service's clock runs ahead.",
  },
  ACCESS_DENIED: {
    code: "permission_denied",
    retryable: false,
    message: "The caller may not call this method.",
    client: "Do not repeat. Another account may have the role that the method's policy names.",
    operator: "Between services: compare the `services` of the method's policy with who calls it.",
  },
  METHOD_UNKNOWN: {
    code: "unimplemented",
    retryable: false,
    message: "There is no such method.",
    client: "Check the path against the API reference.",
    operator: "After a release: an older replica may be answering a newer client.",
  },
  INVALID_REQUEST: {
    code: "invalid_argument",
    retryable: false,
    message: "The request breaks a rule of the contract.",
    client: "Correct the fields that google.rpc.BadRequest names.",
    operator: "Nothing.",
  },
  PAGE_TOKEN_INVALID: {
    code: "invalid_argument",
    retryable: false,
    message: "The page token was not made by this list, or for another filter.",
    client: "Start again at the first page. Keep the filter while paging.",
    operator: "Nothing.",
  },
  IDEMPOTENCY_KEY_INVALID: {
    code: "invalid_argument",
    retryable: false,
    message: "An idempotency key is 1 to 255 visible ASCII characters.",
    client: "Send a UUID.",
    operator: "Nothing.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    code: "failed_precondition",
    retryable: false,
    message: "The idempotency key was used before with another request.",
    client: "Use a new key for a new request; repeat the old one unchanged.",
    operator: "Nothing.",
  },
  IDEMPOTENCY_KEY_IN_USE: {
    code: "aborted",
    retryable: true,
    message: "The first request with this idempotency key is still at work.",
    client: "Wait a moment, then repeat the same request with the same key.",
    operator: "If it lasts: look for a statement that holds the key's row.",
  },
  CHANGED_MEANWHILE: {
    code: "aborted",
    retryable: true,
    message: "Another change came first. Nothing was changed by this call.",
    client: "Read again, then decide again.",
    operator: "If it is common: many writers want one row.",
  },
  DEADLINE_PASSED: {
    code: "deadline_exceeded",
    retryable: true,
    message: "The deadline passed before the work was done. It may have been done all the same.",
    client: "Repeat with the same idempotency key.",
    operator: "Look for what was slow in the log lines of this request id.",
  },
  RATE_LIMITED: {
    code: "resource_exhausted",
    retryable: true,
    message: "Too many requests for now.",
    client: "Wait as long as Retry-After says. The RateLimit header says beforehand what is left.",
    operator: "RIALTO_RATE_LIMIT is for people at a terminal; a shop behind one address needs more.",
  },
  TEMPORARILY_UNAVAILABLE: {
    code: "unavailable",
    retryable: true,
    message: "Something that this method needs is down or busy.",
    client: "Repeat with growing pauses, with the same idempotency key.",
    operator: "The log line of this request id names what could not be reached.",
  },
  INTERNAL_ERROR: {
    code: "internal",
    retryable: false,
    message: "This is a defect of the service. The request id leads to it.",
    client: "Report it with the request id.",
    operator: "The log line of this request id has the cause. It is a bug.",
  },
});

/** The caller is gone and does not read this error, so it has no reason in the contract. */
export const callCanceled: ErrorDefinition = {
  reason: "",
  domain: "type",
  enumName: "",
  code: "canceled",
  retryable: true,
  message: "The caller cancelled the call.",
  client: "Nothing.",
  operator: "Nothing.",
};
