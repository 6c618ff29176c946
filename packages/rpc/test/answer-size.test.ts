import { create, type DescMessage, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { AuditEntrySchema, DeadLetterSchema, OrderSchema, ProductSchema, SubscriptionSchema } from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageSize, requireAnswerFits } from "../src/bounds/response-size.ts";
import { CallError } from "../src/errors/call-error.ts";
import { answerBytesMax } from "../src/limits.ts";

function bytesOf<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): number {
  const message = create(schema, init);
  const json = toJsonString(schema, message, { alwaysEmitImplicit: true });
  return Math.max(Buffer.byteLength(json), toBinary(schema, message).length);
}

const text = fc.string({ unit: "binary", maxLength: 40 }).filter((value) => value.isWellFormed());
const time = fc
  .date({ noInvalidDate: true, min: new Date(0), max: new Date(9e13) })
  .map((at) => timestampFromMs(at.getTime()));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const money = fc.record({ currencyCode: text, minorUnits: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) });
const structs = fc.dictionary(text, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 5 });

const orders = fc.record(
  {
    id: text,
    status: fc.integer({ min: 0, max: 7 }),
    items: fc.array(fc.record({ productId: text, name: text, unitPrice: money, quantity: int32 }), { maxLength: 5 }),
    total: money,
    version: int32,
    createTime: time,
    pendingAction: fc.integer({ min: 0, max: 2 }),
    attention: fc.record({ reason: fc.integer({ min: 0, max: 4 }), detail: text, since: time }),
    shippingAddress: fc.record({ name: text, lines: fc.array(text, { maxLength: 5 }), city: text }),
  },
  { requiredKeys: [] },
);
const deadLetters = fc.record({
  error: text,
  payload: structs as fc.Arbitrary<Record<string, never>>,
  eventTime: time,
});
const entries = fc.record({
  actor: text,
  changes: fc.array(fc.record({ field: text, before: text, after: text }, { requiredKeys: ["field"] })),
});
const subscriptions = fc.record({
  topics: fc.array(text),
  lag: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  oldestAge: fc.record({ seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }), nanos: fc.nat(999_999_999) }),
});

describe("the measure of a message", () => {
  it("is never less than its bytes, in JSON as in binary", () => {
    const holds = <Desc extends DescMessage>(schema: Desc, inits: fc.Arbitrary<MessageInitShape<Desc>>) => {
      const size = messageSize(schema);
      fc.assert(
        fc.property(inits, (init) => {
          expect(size(init)).toBeGreaterThanOrEqual(bytesOf(schema, init));
          expect(size(create(schema, init))).toBeGreaterThanOrEqual(bytesOf(schema, init));
        }),
      );
    };
    holds(OrderSchema, orders);
    holds(DeadLetterSchema, deadLetters);
    holds(AuditEntrySchema, entries);
    holds(SubscriptionSchema, subscriptions);
  });

  it("is little more than its bytes where it is large", () => {
    const product = { id: "p", name: "n".repeat(200), description: "𝒳\n".repeat(2_500) };
    expect(messageSize(ProductSchema)(product)).toBeLessThan(bytesOf(ProductSchema, product) + 400);
  });
});

describe("an answer that is no page", () => {
  const size = messageSize(ProductSchema);
  const products = Array.from({ length: 200 }, () => ({ description: "𝒳".repeat(5_000), name: "𝒳".repeat(200) }));

  it("holds what fits", () => {
    const some = products.slice(0, 50);
    expect(requireAnswerFits<typeof ProductSchema, (typeof some)[0]>(some, size, "ids")).toEqual(some);
  });

  it("is refused by the field that asks for so much", () => {
    let refusal: unknown;
    try {
      requireAnswerFits(products, size, "ids");
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(CallError);
    expect(refusal).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "ids", description: `asks for more than ${answerBytesMax} bytes at once: ask for fewer` }],
    });
  });
});
