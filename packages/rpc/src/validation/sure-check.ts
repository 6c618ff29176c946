import { type DescField, type DescMessage, type DescOneof, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { scalarZeroValue } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  Ignore,
  message as messageRules,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { rulesOf } from "../bounds/field-rules.ts";
import { type Check, keepsAll, requireKnown, UnknownRule } from "./known-rules.ts";
import { valueCheck } from "./value-checks.ts";

// A valid request is recognized by one pass of plain functions, made once for each type of message from its rules in
// the contract. protovalidate evaluates CEL where it has no code of its own (for the contract's rules for text, and for
// all expressions), and reads messages by reflection.

/** The check of a type of message, or why there is none. */
export type SureCheck =
  | { readonly isSurelyValid: Check; readonly unknown: undefined }
  | { readonly isSurelyValid: undefined; readonly unknown: string };

/**
 * Creates the check of a type of message. A message that passes is valid to protovalidate, to `oversizedFields` and to
 * `unstorableTexts`. False is no refusal: those three decide, and say what is wrong. A type with a rule that is not
 * known here has no check; nor has one with a rule that is a mistake, which protovalidate reports.
 */
export function sureCheckOf(schema: DescMessage): SureCheck {
  try {
    return { isSurelyValid: messageCheck(schema, new Map()), unknown: undefined };
  } catch (error) {
    return { isSurelyValid: undefined, unknown: error instanceof Error ? error.message : String(error) };
  }
}

/** A message is an object of its fields. */
type Fields = Readonly<Record<string, unknown>>;

/** `made` has the checks that were made, or are being made: a message may contain others of its type. */
function messageCheck(schema: DescMessage, made: Map<DescMessage, Check>): Check {
  const known = made.get(schema);
  if (known !== undefined) return known;
  if (hasOption(schema, messageRules)) throw new UnknownRule(`rules of ${schema}`);
  const checks: Check<Fields>[] = [];
  const check: Check = (value) => isOfType(value, schema.typeName) && keepsAll(checks, value);
  made.set(schema, check);
  for (const field of schema.fields) {
    const own = fieldCheck(field, (below) => messageCheck(below, made));
    if (own !== undefined) checks.push(own);
  }
  for (const oneof of schema.oneofs) if (getOption(oneof, oneofRules).required) checks.push(choiceCheck(oneof));
  return check;
}

function isOfType(value: unknown, typeName: string): value is Fields {
  return typeof value === "object" && value !== null && "$typeName" in value && value.$typeName === typeName;
}

/** Returns the check of a field in its message; undefined where nothing can be wrong with it. */
function fieldCheck(field: DescField, messageOf: (below: DescMessage) => Check): Check<Fields> | undefined {
  const rules = rulesOf(field);
  requireKnown(rules, ["cel", "ignore", "required"], field);
  const isRequired = rules?.required ?? false;
  const keeps = valueCheck(field, rules, messageOf) ?? (isRequired ? () => true : undefined);
  if (keeps === undefined) return undefined;
  const { localName, oneof } = field;
  if (oneof !== undefined) {
    if (isRequired) throw new UnknownRule(`required of ${field}`);
    return (message) => {
      const choice = choiceIn(message, oneof);
      return choice.case !== localName || keeps(choice.value);
    };
  }
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT)
    return (message) => {
      const value = message[localName];
      if (value === undefined) return !isRequired;
      // Where it has none of its own, a message of proto2 shows the contract's default.
      return keeps(value) && (!isRequired || Object.hasOwn(message, localName));
    };
  if (isRequired) {
    const isGiven = givenCheck(field);
    return (message) => isGiven(message[localName]) && keeps(message[localName]);
  }
  if (rules?.ignore === Ignore.IF_ZERO_VALUE) {
    const isZero = zeroCheck(field);
    return (message) => isZero(message[localName]) || keeps(message[localName]);
  }
  return (message) => keeps(message[localName]);
}

/** Whether an implicit field has another value than its default. */
function givenCheck(field: DescField): Check {
  if (field.fieldKind === "list") return (value) => Array.isArray(value) && value.length > 0;
  const zero = zeroOf(field);
  return (value) => typeof value === typeof zero && value !== zero;
}

function zeroCheck(field: DescField): Check {
  if (field.fieldKind === "list") return (value) => Array.isArray(value) && value.length === 0;
  const zero = zeroOf(field);
  return (value) => Object.is(value, zero);
}

function zeroOf(field: DescField): unknown {
  if (field.enum !== undefined) return field.enum.values[0]?.number;
  if (field.scalar === undefined || field.scalar === ScalarType.BYTES) throw new UnknownRule(`the default of ${field}`);
  return scalarZeroValue(field.scalar, false);
}

interface Choice {
  readonly case?: unknown;
  readonly value?: unknown;
}

/** A oneof is an object, also where no field of it is chosen. */
function choiceIn(message: Fields, { localName }: DescOneof): Choice {
  return message[localName] as Choice;
}

/** Whether some field of a oneof is chosen. */
function choiceCheck(oneof: DescOneof): Check<Fields> {
  const names = new Set<unknown>(oneof.fields.map(({ localName }) => localName));
  return (message) => names.has(choiceIn(message, oneof).case);
}
