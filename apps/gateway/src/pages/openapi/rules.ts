import {
  type DescExtension,
  type DescField,
  type DescMessage,
  getExtension,
  getOption,
  hasExtension,
  hasOption,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
  Ignore,
  message as messageRules,
  predefined,
  type StringRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { currency_code, one_line, plain_text } from "@rialto/contracts";
import type { JsonSchema } from "./json-schema.ts";

/** A field's validation rules of the contract, as JSON Schema. */
export interface Constraints {
  readonly schema: JsonSchema;
  /** A request without the field is refused. */
  readonly required: boolean;
  /** Rules that JSON Schema cannot express, as text. */
  readonly notes: readonly string[];
}

/** Returns the rules of a request field. */
export function constraintsOf(field: DescField): Constraints {
  if (!hasOption(field, fieldRules)) return { schema: {}, required: false, notes: [] };
  const rules = getOption(field, fieldRules);
  const schema = schemaOf(rules);
  const notes = rules.cel.map(({ message }) => message).filter((text) => text !== "");
  if (rules.ignore === Ignore.IF_ZERO_VALUE) {
    const isText = rules.type.case === "string";
    return { schema: isText ? { anyOf: [{ maxLength: 0 }, schema] } : schema, required: false, notes };
  }
  // A field with presence may be left out. One without presence then has its zero value, which has to satisfy the
  // rules.
  const isExplicit = field.presence === FeatureSet_FieldPresence.EXPLICIT;
  return { schema, required: rules.required || (!isExplicit && refusesEmpty(schema)), notes };
}

/** Returns the rules of a whole message, as text. */
export function messageNotes(message: DescMessage): readonly string[] {
  if (!hasOption(message, messageRules)) return [];
  const { cel } = getOption(message, messageRules);
  return cel.map((rule) => rule.message).filter((text) => text !== "");
}

function schemaOf({ type }: FieldRules): JsonSchema {
  switch (type.case) {
    case "string": {
      const { minLen, maxLen, len, pattern, in: among, wellKnown } = type.value;
      return {
        ...(minLen > 0n ? { minLength: Number(minLen) } : {}),
        ...(maxLen > 0n ? { maxLength: Number(maxLen) } : {}),
        ...(len > 0n ? { minLength: Number(len), maxLength: Number(len) } : {}),
        ...(pattern === "" ? {} : { pattern }),
        ...(among.length > 0 ? { enum: [...among] } : {}),
        ...(wellKnown.case === "email" ? { format: "email", minLength: 3 } : {}),
        ...(wellKnown.case === "uuid" ? { format: "uuid", pattern: uuidPattern } : {}),
        ...(wellKnown.case === "uri" ? { format: "uri", minLength: 1 } : {}),
        ...ownRulesOf(type.value),
      };
    }
    case "int32":
    case "uint32": {
      const { greaterThan, lessThan, in: among } = type.value;
      return {
        ...(greaterThan.case === "gte" ? { minimum: greaterThan.value } : {}),
        ...(greaterThan.case === "gt" ? { exclusiveMinimum: greaterThan.value } : {}),
        ...(lessThan.case === "lte" ? { maximum: lessThan.value } : {}),
        ...(lessThan.case === "lt" ? { exclusiveMaximum: lessThan.value } : {}),
        ...(among.length > 0 ? { enum: [...among] } : {}),
      };
    }
    case "repeated": {
      const { minItems, maxItems, unique, items } = type.value;
      return {
        ...(minItems > 0n ? { minItems: Number(minItems) } : {}),
        ...(maxItems > 0n ? { maxItems: Number(maxItems) } : {}),
        ...(unique ? { uniqueItems: true } : {}),
        ...(items === undefined ? {} : { items: schemaOf(items) }),
      };
    }
    default:
      return {};
  }
}

/** Converts the contract's own string rules, which are CEL expressions: allowed characters, or allowed values. */
function ownRulesOf(rules: StringRules): JsonSchema {
  const has = (rule: DescExtension) => hasExtension(rules, rule) && getExtension(rules, rule) === true;
  if (has(currency_code))
    return { enum: [...expressionOf(currency_code).matchAll(/'([A-Z]{3})'/g)].map(([, code]) => code ?? "") };
  const rule = [one_line, plain_text].find(has);
  if (rule === undefined) return {};
  const refused = /r'\[(.*)\]'/.exec(expressionOf(rule))?.[1] ?? "";
  return { pattern: `^[^${refused.replaceAll(/\\x\{(....)\}/g, "\\u$1")}]*$` };
}

function expressionOf(rule: DescExtension): string {
  return getOption(rule, predefined)
    .cel.map(({ expression }) => expression)
    .join(" ");
}

function refusesEmpty(schema: JsonSchema): boolean {
  const { minLength, pattern, format, minItems, minimum, exclusiveMinimum } = schema;
  return (
    (minLength ?? 0) > 0 ||
    (minItems ?? 0) > 0 ||
    (minimum ?? 0) > 0 ||
    (exclusiveMinimum ?? -1) >= 0 ||
    format === "uuid" ||
    (pattern !== undefined && !new RegExp(pattern, "u").test(""))
  );
}

const uuidPattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
