import { type DescMessage, type DescService, getOption, hasOption } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { field as fieldRules, predefined } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import * as contracts from "@rialto/contracts";
import { file_rialto_type_v1_rules, MoneySchema } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { createPatternMatcher } from "../src/validation/rule-pattern.ts";

/** The patterns of all requests: those of fields, and those in expressions. */
function patternsOfContract(): ReadonlySet<string> {
  const found = new Set<string>();
  const visited = new Set<DescMessage>();
  const addExpression = (expression: string) => {
    for (const [, pattern = ""] of expression.matchAll(/matches\(r?'([^']*)'/g)) found.add(pattern);
  };
  const visit = (schema: DescMessage) => {
    if (visited.has(schema)) return;
    visited.add(schema);
    for (const field of schema.fields) {
      const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
      for (const own of [rules, rules?.type.case === "repeated" ? rules.type.value.items : undefined]) {
        if (own?.type.case === "string" && own.type.value.pattern !== "") found.add(own.type.value.pattern);
        for (const { expression } of own?.cel ?? []) addExpression(expression);
      }
      if (field.message !== undefined) visit(field.message);
    }
  };
  for (const value of Object.values<unknown>(contracts)) {
    if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== "service") continue;
    for (const { input } of (value as DescService).methods) visit(input); // its kind says so
  }
  for (const extension of file_rialto_type_v1_rules.extensions)
    for (const { expression } of getOption(extension, predefined).cel) addExpression(expression);
  return found;
}

const patterns = [...patternsOfContract()];
const matches = createPatternMatcher();
const texts = [
  "",
  "EUR",
  "eur",
  "EU",
  "EUR\n",
  "order-mail",
  "a b",
  "order.created",
  "order.*",
  "*.x",
  "\u0000",
  "Ada",
  "\u202e",
  "𝒳",
];

describe("the patterns of the contract", () => {
  it("are found by this test", () => {
    expect(patterns.length).toBeGreaterThanOrEqual(5);
  });

  it.each(patterns)("mean the same to JavaScript as to RE2: %s", (pattern) => {
    for (const text of texts) expect(() => matches(pattern, text)).not.toThrow();
  });

  it("give the same violations with either", () => {
    const [re2, ours] = [createValidator(), createValidator({ regexMatch: matches })];
    for (const text of texts) {
      const money = { $typeName: MoneySchema.typeName, currencyCode: text, minorUnits: 1n } as const;
      const [theirs, own] = [re2, ours].map((validator) => validator.validate(MoneySchema, money));
      expect([text, own?.kind]).toEqual([text, theirs?.kind]);
    }
  });

  it.each(["a.b", "[[:alpha:]]", "\\s", "\\bword", "(?i)a", "\\p{L}", "\\A"])(
    "may not be %s, which JavaScript reads in another way",
    (pattern) => {
      expect(() => matches(pattern, "a")).toThrow();
    },
  );

  it("see a character beyond the basic plane as one", () => {
    expect(matches("^[^a]$", "𝒳")).toBe(true);
    expect(matches("[\\x{202A}-\\x{202E}]", "a\u202eb")).toBe(true);
  });
});
