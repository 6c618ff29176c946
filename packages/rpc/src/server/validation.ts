import { createRegistry, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { FieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { file_rialto_type_v1_rules } from "@rialto/contracts";
import { planWalk, rulesOf } from "../bounds/field-rules.ts";
import { oversizedFields } from "../bounds/field-sizes.ts";
import { oncePerType } from "../bounds/once-per-type.ts";
import { unstorableTexts } from "../bounds/storable-text.ts";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { FieldViolation } from "../errors/error-table.ts";
import { createPatternMatcher } from "../validation/rule-pattern.ts";
import { sureCheckOf } from "../validation/sure-check.ts";

// One for the process: it compiles the rules of a message once.
const validator = createValidator({
  registry: createRegistry(file_rialto_type_v1_rules),
  regexMatch: createPatternMatcher(),
});

/** Returns the check of a type of message, made once. An endpoint makes those of its requests when it is created. */
export const prepareValidation = oncePerType(sureCheckOf);

/**
 * Throws INVALID_REQUEST, with fields and rules, for a request that breaks the rules of the contract, or has text that
 * cannot be stored. Where a field is too large, no other rule is checked.
 */
export function assertValid(schema: DescMessage, message: Message): void {
  if (prepareValidation(schema).isSurelyValid?.(message) === true) return;
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

/**
 * Writes the ids of a valid request in lower case, as Postgres prints a UUID: two spellings of an id are the same text
 * from here on. An id is a field with the rule `string.uuid`.
 */
export function writeIdsInLowerCase(schema: DescMessage, message: Message): void {
  for (const { field, isId } of idFieldsOf(schema)) {
    const value: unknown = Reflect.get(message, field.localName);
    if (isId) writeInLowerCase(message, field, value);
    // A field that has a message holds messages of it.
    else if (field.message === undefined || value === undefined) continue;
    else if (Array.isArray(value)) for (const one of value) writeIdsInLowerCase(field.message, one);
    else writeIdsInLowerCase(field.message, value as Message);
  }
}

function writeInLowerCase(message: Message, field: DescField, value: unknown): void {
  const inLowerCase = (one: unknown) => (typeof one === "string" ? one.toLowerCase() : one);
  const written: unknown = Array.isArray(value) ? value.map(inLowerCase) : inLowerCase(value);
  if (written !== value) Reflect.set(message, field.localName, written);
}

interface IdField {
  readonly field: DescField;
  /** False for a message that has ids. */
  readonly isId: boolean;
}

const idFieldsOf = planWalk<IdField>((field, reaches) => {
  if (isIdField(field)) return { field, isId: true };
  const isMessage = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message");
  return isMessage && reaches(field.message) ? { field, isId: false } : undefined;
});

function isIdField(field: DescField): boolean {
  const rules = rulesOf(field);
  return isUuid(rules) || (rules?.type.case === "repeated" && isUuid(rules.type.value.items));
}

function isUuid(rules: FieldRules | undefined): boolean {
  if (rules?.type.case !== "string") return false;
  const { wellKnown } = rules.type.value;
  return wellKnown.case === "uuid" && wellKnown.value;
}
