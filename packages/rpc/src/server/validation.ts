import { createRegistry, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { file_rialto_type_v1_rules } from "@rialto/contracts";
import { oversizedFields } from "../bounds/field-sizes.ts";
import { unstorableTexts } from "../bounds/storable-text.ts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { FieldViolation } from "../errors/error-table.ts";

// One for the process: it compiles a message's rules once and keeps them.
const validator = createValidator({ registry: createRegistry(file_rialto_type_v1_rules) });

/**
 * Checks a request against the rules of the contract and refuses it with the fields and rules that it breaks, or text that cannot be kept. What is larger
 * than the rules allow is refused by that alone: no other rule is asked about it.
 */
export function assertValid(schema: DescMessage, message: Message): void {
  requireNone(oversizedFields(schema, message));
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  if (result.kind === "valid") requireNone(unstorableTexts(schema, message));
  else requireNone(result.violations.map(violationOf));
}

function violationOf({ field, message, ruleId }: Violation): FieldViolation {
  return { field: pathToString(field), description: message, rule: ruleId };
}

function requireNone(fields: readonly FieldViolation[]): void {
  if (fields.length > 0) throw new CallError(callErrors.INVALID_REQUEST, { fields });
}
