import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString, codeToString } from "@connectrpc/connect/protocol-connect";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import { CallError } from "../errors/call-error.ts";
import { callCanceled, callErrors } from "../errors/call-errors.ts";
import type { ErrorCode, ErrorDefinition, FieldViolation, Refusal } from "../errors/errors.ts";

/** Stands in ErrorInfo.domain of every error. */
const errorDomain = "rialto";

/** A refusal as it goes over the wire: its code, with ErrorInfo and, where fields are named, BadRequest. */
export function connectErrorOf(refusal: Refusal): ConnectError {
  const error = new ConnectError(refusal.message, codeFromString(refusal.code) ?? Code.Internal);
  if (refusal.reason !== "") {
    const { reason, metadata } = refusal;
    error.details.push({ desc: ErrorInfoSchema, value: { reason, domain: errorDomain, metadata } });
    // HTTP has a header for it, which clients and proxies heed without knowing our reasons.
    if (metadata.retry_after_seconds !== undefined) error.metadata.set("retry-after", metadata.retry_after_seconds);
  }
  if (refusal.fields.length > 0) {
    const fieldViolations = refusal.fields.map(({ field, description, rule = "" }) => ({
      field,
      description: rule === "" ? description : `${description} [${rule}]`,
      reason: rule.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_"),
    }));
    error.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return error;
}

/** What came over the wire, as a client throws it. Nothing of the transport stays in the text. */
export function callErrorFrom(error: ConnectError): CallError {
  const info = error.findDetails(ErrorInfoSchema).find((detail) => detail.domain === errorDomain);
  const code: ErrorCode = codeToString(error.code) as ErrorCode; // Connect's own names of its codes.
  if (info === undefined) return callErrorOfRoad(code, error);
  const fields = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations.map(fieldOf));
  return new CallError({ message: error.rawMessage, code, reason: info.reason, metadata: info.metadata, fields });
}

function fieldOf(violation: { field: string; description: string }): FieldViolation {
  const parts = /^(.*) \[([^\]]+)\]$/s.exec(violation.description);
  const [, description, rule] = parts ?? [];
  if (description === undefined || rule === undefined) {
    return { field: violation.field, description: violation.description };
  }
  return { field: violation.field, description, rule };
}

/** A call that failed before the callee's pipeline could say why: the caller is told what the callee would have said. */
function callErrorOfRoad(code: ErrorCode, cause: ConnectError): CallError {
  const { message, reason } = roadDefinitions[code] ?? callErrors.INTERNAL_ERROR;
  return new CallError({ message, code, reason, cause });
}

const roadDefinitions: Readonly<Partial<Record<ErrorCode, ErrorDefinition>>> = {
  canceled: callCanceled,
  deadline_exceeded: callErrors.DEADLINE_PASSED,
  unavailable: callErrors.TEMPORARILY_UNAVAILABLE,
  aborted: callErrors.TEMPORARILY_UNAVAILABLE,
  resource_exhausted: callErrors.TEMPORARILY_UNAVAILABLE,
  invalid_argument: callErrors.INVALID_REQUEST,
  unimplemented: callErrors.METHOD_UNKNOWN,
};
