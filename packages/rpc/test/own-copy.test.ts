import {
  create,
  type DescMessage,
  type DescService,
  equals,
  fromBinary,
  isMessage,
  toBinary,
} from "@bufbuild/protobuf";
import { FieldMaskSchema, StringValueSchema, StructSchema, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import * as contracts from "@rialto/contracts";
import { type GetOrderResponse, GetOrderResponseSchema, type Order, OrderSchema } from "@rialto/contracts";
import { largestRequest } from "@rialto/testing/requests";
import { describe, expect, it } from "vitest";
import { assertUnchanged } from "../src/client/checked-message.ts";
import { ownCopy } from "../src/client/own-copy.ts";

const services = Object.values<unknown>(contracts).filter(
  (value): value is DescService =>
    typeof value === "object" && value !== null && "kind" in value && value.kind === "service",
);
const inputs = new Map(services.flatMap(({ methods }) => methods.map(({ input }) => [input.typeName, input] as const)));

/** Every object within a message. */
function objectsIn(value: unknown, found = new Set<unknown>()): ReadonlySet<unknown> {
  if (typeof value !== "object" || value === null) return found;
  found.add(value);
  for (const inner of Object.values(value)) objectsIn(inner, found);
  return found;
}

function expectOwn(schema: DescMessage, copy: unknown, source: unknown): void {
  const shared = objectsIn(source);
  expect(isMessage(copy, schema)).toBe(true);
  expect([...objectsIn(copy)].filter((one) => shared.has(one))).toEqual([]);
}

describe("a copy", () => {
  it.each([...inputs])("of the largest %s equals it and shares nothing with it", (_name, schema) => {
    const source = largestRequest(schema);
    const copy = ownCopy(schema, source as never);
    expect(equals(schema, copy, source)).toBe(true);
    expectOwn(schema, copy, source);
  });

  it("is made of what a message is made of, too, and of messages within that", () => {
    const kept = create(OrderSchema, { id: "1", createTime: { seconds: 5n } });
    const source = { order: kept };
    const copy = ownCopy(GetOrderResponseSchema, source) as GetOrderResponse;
    expect(equals(GetOrderResponseSchema, copy, create(GetOrderResponseSchema, { order: kept }))).toBe(true);
    expectOwn(GetOrderResponseSchema, copy, source);
    const made = ownCopy(GetOrderResponseSchema, { order: { id: "1", createTime: { seconds: 5n }, items: [{}] } });
    expect(made).toMatchObject({ order: { $typeName: OrderSchema.typeName, items: [{ quantity: 0 }] } });
  });

  it("has the fields that its reader does not know", () => {
    const bytes = Buffer.concat([
      toBinary(OrderSchema, create(OrderSchema, { id: "1" })),
      Buffer.from("9a3e0141", "hex"),
    ]);
    const source = fromBinary(OrderSchema, bytes);
    const copy = ownCopy(OrderSchema, source as never) as Order;
    expect(toBinary(OrderSchema, copy)).toEqual(toBinary(OrderSchema, source));
  });

  it("is of the well-known types what the message is", () => {
    for (const [schema, source] of [
      [TimestampSchema, create(TimestampSchema, { seconds: 1n, nanos: 2 })],
      [FieldMaskSchema, create(FieldMaskSchema, { paths: ["a", "b"] })],
      [StringValueSchema, create(StringValueSchema, { value: "x" })],
      [ValueSchema, create(ValueSchema, { kind: { case: "structValue", value: { fields: {} } } })],
      [StructSchema, create(StructSchema, { fields: { a: { kind: { case: "numberValue", value: 1 } } } })],
    ] as const) {
      const copy = ownCopy(schema, source as never);
      expect(copy).toEqual(source);
      expectOwn(schema, copy, source);
    }
  });
});

describe("a message that no network would carry as it is", () => {
  it.each([
    ["a number in a text", { id: 7 }],
    ["a number that its field has no room for", { version: 2 ** 40 }],
    ["half of a number", { version: 1.5 }],
    ["a text in a time", { createTime: { seconds: "soon" } }],
  ])("is found out where messages are checked: %s", (_what, order) => {
    expect(() => assertUnchanged(OrderSchema, ownCopy(OrderSchema, order))).toThrow();
  });

  it("is told from one that arrives as it is", () => {
    expect(() => assertUnchanged(OrderSchema, ownCopy(OrderSchema, { id: "1", version: 3 }))).not.toThrow();
  });
});
