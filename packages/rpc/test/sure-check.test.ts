import { create, createRegistry, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { Ignore } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import * as contracts from "@rialto/contracts";
import { file_rialto_type_v1_rules } from "@rialto/contracts";
import { largestRequest } from "@rialto/testing/requests";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { oversizedFields } from "../src/bounds/field-sizes.ts";
import { unstorableTexts } from "../src/bounds/storable-text.ts";
import { assertValid } from "../src/server/validation.ts";
import { sureCheckOf } from "../src/validation/sure-check.ts";
import { createFixture } from "./fixture.ts";
import { createPeople } from "./keys.ts";
import { messageArbitrary } from "./message-arbitrary.ts";
import { type OwnField, ownMessage, type Rules } from "./own-message.ts";

const services = Object.values<unknown>(contracts).filter(
  (value): value is DescService =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service",
);
const inputs = new Set(services.flatMap(({ methods }) => methods.map(({ input }) => input)));
const requests: readonly [string, DescMessage][] = Array.from(inputs, (schema) => [schema.typeName, schema]);

/** As it comes, without our patterns or checks. */
const library = createValidator({ registry: createRegistry(file_rialto_type_v1_rules) });

const isValid = (schema: DescMessage, message: Message) =>
  oversizedFields(schema, message).length === 0 &&
  library.validate(schema, message).kind === "valid" &&
  unstorableTexts(schema, message).length === 0;

const isSurelyValid = (schema: DescMessage, message: Message) => sureCheckOf(schema).isSurelyValid?.(message) ?? false;

describe("a request that is told to be valid at once", () => {
  it.each(requests)("is what protovalidate, the sizes and the texts find valid: %s", (_name, schema) => {
    let valid = 0;
    fc.assert(
      fc.property(messageArbitrary(schema), (message) => {
        const expected = isValid(schema, message);
        if (expected) valid += 1;
        expect(isSurelyValid(schema, message)).toBe(expected);
      }),
      { numRuns: 200 },
    );
    expect(valid).toBeGreaterThan(0);
  });

  it.each(requests)("has values of the contract's types: %s", (_name, schema) => {
    fc.assert(
      fc.property(messageArbitrary(schema, { odd: true }), (message) => {
        if (isSurelyValid(schema, message)) expect(isValid(schema, message)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the requests of the contract", () => {
  it("have no rule that protovalidate has to be asked about while they are valid", () => {
    const unknown = requests.flatMap(([name, schema]) => {
      const { unknown } = sureCheckOf(schema);
      return unknown === undefined ? [] : [`${name}: ${unknown}`];
    });
    expect(unknown).toEqual([]);
    const asked = requests.filter(([, schema]) => !isSurelyValid(schema, largestRequest(schema)));
    expect(asked.map(([name]) => name)).toEqual([]);
  });

  it("have their patterns compiled when the endpoint is created, and not by the first call", async () => {
    const order = largestRequest(contracts.CreateOrderRequestSchema);
    createFixture(await createPeople());
    const compiled = vi.spyOn(globalThis, "RegExp");
    assertValid(contracts.CreateOrderRequestSchema, order);
    expect(compiled).not.toHaveBeenCalled();
    compiled.mockRestore();
  });

  it("are asked about when they are of another type", () => {
    for (const [, schema] of requests) {
      const other = create(contracts.MoneySchema);
      expect(isSurelyValid(schema, other)).toBe(false);
    }
  });
});

describe("the rules of a contract of one's own", () => {
  const string = (value: object): OwnField => ({ type: "STRING", rules: { type: { case: "string", value } } });
  const number = (type: "INT32" | "DOUBLE" | "FLOAT", value: object): OwnField => ({
    type,
    // The case is that of the type.
    rules: { type: { case: type.toLowerCase() as "double", value } },
  });
  const list = (type: OwnField["type"], value: object): OwnField => ({
    ...{ type, isList: true },
    rules: { type: { case: "repeated", value } },
  });
  const color: OwnField = { type: "ENUM", typeName: ".test.Color" };
  const enumRules = (value: object): Rules => ({ type: { case: "enum", value } });

  const known: Readonly<Record<string, OwnField>> = {
    "a text of so many characters": string({ len: 3n }),
    "a text of some characters": string({ minLen: 2n, maxLen: 4n }),
    "a text of some bytes": string({ maxBytes: 5n }),
    "a text of a pattern": string({ pattern: "^[a-z]+$" }),
    "a text with a start and an end": string({ prefix: "pre", suffix: "suf" }),
    "a text among some": string({ in: ["a", "Ada"] }),
    "a text not among some": string({ notIn: ["a", "Ada"] }),
    "a constant text": string({ const: "Ada" }),
    "an address": string({ wellKnown: { case: "email", value: true } }),
    "an id": string({ wellKnown: { case: "uuid", value: true } }),
    "no id": string({ wellKnown: { case: "uuid", value: false } }),
    "an optional text": { ...string({ minLen: 2n }), isOptional: true },
    "an optional text that is required": { type: "STRING", isOptional: true, rules: { required: true } },
    "a required text": { type: "STRING", rules: { required: true } },
    "a required number": { type: "INT32", rules: { required: true } },
    "a required enum": { ...color, rules: { required: true } },
    "a required list": { type: "STRING", isList: true, rules: { required: true } },
    "a text that may be empty": {
      type: "STRING",
      rules: { ignore: Ignore.IF_ZERO_VALUE, type: { case: "string", value: { minLen: 3n } } },
    },
    "a number that may be zero": {
      type: "DOUBLE",
      rules: {
        ignore: Ignore.IF_ZERO_VALUE,
        type: { case: "double", value: { greaterThan: { case: "gt", value: 0 } } },
      },
    },
    "a list that may be empty": {
      ...{ type: "INT32", isList: true },
      rules: { ignore: Ignore.IF_ZERO_VALUE, type: { case: "repeated", value: { minItems: 2n } } },
    },
    "a number above": number("DOUBLE", { greaterThan: { case: "gt", value: 1 } }),
    "a number within": number("FLOAT", { greaterThan: { case: "gte", value: 1 }, lessThan: { case: "lt", value: 2 } }),
    "a number of some": number("DOUBLE", { in: [1, Number.NaN] }),
    "a number of no others": number("DOUBLE", { notIn: [1, Number.NaN, 0] }),
    "a constant number": number("INT32", { const: 1 }),
    "a defined enum": { ...color, rules: enumRules({ definedOnly: true }) },
    "an enum of some": { ...color, rules: enumRules({ in: [1, 99] }) },
    "an enum of no others": { ...color, rules: enumRules({ notIn: [1] }) },
    bytes: { type: "BYTES", rules: { type: { case: "bytes", value: { minLen: 2n, maxLen: 10n } } } },
    "a list of different numbers": list("INT32", { unique: true, maxItems: 4n }),
    "a list of different texts": list("STRING", { unique: true, minItems: 1n }),
    "a list of some enums": {
      ...{ ...color, isList: true },
      rules: { type: { case: "repeated", value: { items: enumRules({ definedOnly: true }) } } },
    },
    "a time without rules": { type: "MESSAGE", typeName: ".google.protobuf.Timestamp", rules: { required: true } },
  };

  it.each(Object.entries(known))("are decided at once for %s", (_name, field) => {
    const schema = ownMessage({ value: field });
    expect(sureCheckOf(schema).unknown).toBeUndefined();
    fc.assert(
      fc.property(messageArbitrary(schema), (message) => {
        const checked = { message, isValid: isSurelyValid(schema, message) };
        expect(checked).toEqual({ message, isValid: isValid(schema, message) });
      }),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(messageArbitrary(schema, { odd: true }), (message) => {
        if (isSurelyValid(schema, message)) expect(isValid(schema, message)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  const cel = (expression: string): Rules => ({ cel: [{ id: "own", expression, message: "no" }] });

  const unknown: Readonly<Record<string, OwnField>> = {
    "a host name": string({ wellKnown: { case: "hostname", value: true } }),
    "an expression of one's own": { type: "STRING", rules: cel("this.startsWith('a')") },
    "a pattern that JavaScript reads in another way": string({ pattern: "^\\s*$" }),
    "a range that is left out": number("INT32", {
      greaterThan: { case: "gt", value: 5 },
      lessThan: { case: "lt", value: 1 },
    }),
    "a rule of another type": { type: "INT32", rules: { type: { case: "string", value: { minLen: 1n } } } },
    "a field that is ignored": { type: "STRING", rules: { ignore: Ignore.ALWAYS } },
    "items that may be empty": list("STRING", {
      items: { ignore: Ignore.IF_ZERO_VALUE, type: { case: "string", value: { minLen: 2n } } },
    }),
    "a time after another": {
      ...{ type: "MESSAGE", typeName: ".google.protobuf.Timestamp" },
      rules: { type: { case: "timestamp", value: { greaterThan: { case: "gtNow", value: true } } } },
    },
  };

  it.each(Object.entries(unknown))("are left to protovalidate for %s", (_name, field) => {
    const schema = ownMessage({ value: field });
    expect(sureCheckOf(schema).unknown).toEqual(expect.any(String));
    expect(isSurelyValid(schema, create(schema))).toBe(false);
  });
});
