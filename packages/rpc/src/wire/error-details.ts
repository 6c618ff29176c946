import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "@rialto/contracts";
import type { CallError } from "../errors/call-error.ts";
import type { FieldViolation } from "../errors/error-table.ts";

/** ErrorInfo.domain of every error. */
export const errorDomain = "rialto";

/** One detail of google.rpc.Status. */
export interface ErrorDetail {
  readonly desc: DescMessage;
  readonly value: Message;
}

/**
 * The details of an error in every protocol: ErrorInfo where it has a reason, BadRequest where it names fields
 * (AIP-193).
 */
export function errorDetails({ reason, metadata, fields }: CallError): readonly ErrorDetail[] {
  const details: ErrorDetail[] = [];
  if (reason !== "") {
    const value = create(ErrorInfoSchema, { reason, domain: errorDomain, metadata: { ...metadata } });
    details.push({ desc: ErrorInfoSchema, value });
  }
  if (fields.length > 0) {
    const value = create(BadRequestSchema, { fieldViolations: fields.map(badRequestViolation) });
    details.push({ desc: BadRequestSchema, value });
  }
  return details;
}

function badRequestViolation({ field, description, rule = "" }: FieldViolation) {
  return {
    field,
    description: rule === "" ? description : `${description} [${rule}]`,
    reason: rule.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_"),
  };
}

/** The violation that `errorDetails` wrote. */
export function fieldViolationOf(violation: {
  readonly field: string;
  readonly description: string;
  readonly reason: string;
}): FieldViolation {
  const { field } = violation;
  const [, description, rule] = /^(.*) \[([^\]]+)\]$/s.exec(violation.description) ?? [];
  if (description === undefined || rule === undefined || violation.reason === "")
    return { field, description: violation.description };
  return { field, description, rule };
}
