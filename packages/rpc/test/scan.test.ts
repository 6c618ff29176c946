import { create, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { SourceCodeInfo_LocationSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import {
  BatchGetProductsRequestSchema,
  CreateOrderRequestSchema,
  EnvelopeSchema,
  ListOrdersRequestSchema,
  MoneySchema,
  RegisterSubscriptionRequestSchema,
} from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { scanBinary } from "../src/bounds/scan-binary.ts";
import { scanJson } from "../src/bounds/scan-json.ts";

const size = { bytes: 128 * 1024, fields: 1_000, depth: 32 };
const json = (text: string, at = size) => scanJson(CreateOrderRequestSchema, Buffer.from(text), at);
const order = { items: [{ productId: "a", quantity: 2 }, { productId: "b" }], paymentMethod: "pm" };

describe("a scan of bytes", () => {
  it("counts every field of every message in it", () => {
    const bytes = toBinary(CreateOrderRequestSchema, create(CreateOrderRequestSchema, order));
    expect(scanBinary(CreateOrderRequestSchema, bytes, size)).toEqual({ fields: 6, depth: 2, violation: undefined });
  });

  it("stops at the field that is one too many, wherever the message ends", () => {
    const bytes = toBinary(
      BatchGetProductsRequestSchema,
      create(BatchGetProductsRequestSchema, { ids: Array(60_000).fill("") }),
    );
    const scan = scanBinary(BatchGetProductsRequestSchema, bytes, size);
    expect(scan).toMatchObject({ fields: 1_001, violation: { rule: "request.fields" } });
  });

  it("counts the items of a packed list and the entries of a map", () => {
    const numbers = toBinary(
      SourceCodeInfo_LocationSchema,
      create(SourceCodeInfo_LocationSchema, { path: [1, 300, -2] }),
    );
    expect(scanBinary(SourceCodeInfo_LocationSchema, numbers, size)).toEqual({
      fields: 4,
      depth: 1,
      violation: undefined,
    });
    const entries = {
      a: { kind: { case: "numberValue", value: 1 } },
      b: { kind: { case: "nullValue", value: 0 } },
    } as const;
    const map = toBinary(StructSchema, create(StructSchema, { fields: entries }));
    expect(scanBinary(StructSchema, map, size)).toEqual({ fields: 8, depth: 3, violation: undefined });
  });

  it("counts what the contract does not know", () => {
    const unknown = new BinaryWriter();
    for (let at = 0; at < 1_001; at += 1) unknown.tag(1_000, WireType.Varint).uint32(1);
    expect(scanBinary(MoneySchema, unknown.finish(), size)).toMatchObject({ violation: { rule: "request.fields" } });
  });

  it("follows groups as deep as messages, and no deeper than is allowed", () => {
    const opened = new BinaryWriter();
    for (let at = 0; at < 60_000; at += 1) opened.tag(9, WireType.StartGroup);
    const scan = scanBinary(MoneySchema, opened.finish(), size);
    expect(scan).toMatchObject({ fields: 32, depth: 33, violation: { rule: "request.depth" } });
  });

  it.each([
    ["a length past the end", [0x0a, 0x05, 0x61]],
    ["a field number of 0", [0x02, 0x00]],
    ["a varint without an end", [0x10, ...Array(11).fill(0xff)]],
    ["a tag of more than 32 bits", [0x8a, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00]],
    ["a wire type that there is not", [0x4f]],
    ["the end of a group that did not begin", [0x4c]],
    ["a group without an end", [0x4b, 0x50, 0x01]],
    ["a group that another one ends", [0x4b, 0x54]],
  ])("refuses %s", (_what, bytes) => {
    expect(scanBinary(MoneySchema, new Uint8Array(bytes), size).violation?.rule).toBe("request.binary");
  });

  it("refuses a field of another wire type than the contract's, in which a decoder could find more than was counted", () => {
    const bytes = new BinaryWriter().tag(1, WireType.Varint).uint32(7).finish();
    expect(scanBinary(CreateOrderRequestSchema, bytes, size)).toMatchObject({
      violation: { field: "items", rule: "request.wire_type" },
    });
  });

  it("lets pass whatever was written by the contract, and nothing of which a decoder makes more fields than were counted", () => {
    const item = fc.record({
      productId: fc.string({ unit: "grapheme" }),
      quantity: fc.integer({ min: -5, max: 2 ** 31 - 1 }),
    });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 8 }),
        fc.string(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        (items, paymentMethod, changes) => {
          const bytes = toBinary(CreateOrderRequestSchema, create(CreateOrderRequestSchema, { items, paymentMethod }));
          expect(scanBinary(CreateOrderRequestSchema, bytes, size).violation).toBeUndefined();
          for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
          const scan = scanBinary(CreateOrderRequestSchema, bytes, size);
          if (scan.violation !== undefined) return;
          let decoded: ReturnType<typeof fromBinary<typeof CreateOrderRequestSchema>>;
          try {
            decoded = fromBinary(CreateOrderRequestSchema, bytes);
          } catch {
            return;
          }
          expect(decoded.items.length + (decoded.$unknown?.length ?? 0)).toBeLessThanOrEqual(scan.fields);
        },
      ),
    );
  });
});

describe("a scan of JSON", () => {
  it("counts every name and every item", () => {
    const text = JSON.stringify(order);
    expect(json(text)).toMatchObject({ fields: 7, depth: 3, violation: undefined });
    expect(Buffer.from(json(text).bytes).toString()).toBe(text);
  });

  it.each([
    ["300,000 lists in each other", "[".repeat(300_000), { depth: 33, violation: { rule: "request.depth" } }],
    ["objects in each other", '{"a":'.repeat(30_000), { fields: 32, violation: { rule: "request.depth" } }],
    ["a list of 60,000 numbers", `[${"1,".repeat(60_000)}1]`, { fields: 1_001, violation: { rule: "request.fields" } }],
    [
      "names that the contract does not know",
      `{${Array.from({ length: 5_000 }, (_, at) => `"x${at}":1`)}}`,
      { fields: 1_001 },
    ],
  ])("stops in %s", (_what, text, expected) => {
    expect(json(text)).toMatchObject(expected);
  });

  it.each([
    '{"paymentMethod":"a","paymentMethod":"b"}',
    '{"paymentMethod":"a","payment_method":"b"}',
    '{"paymentMethod":"a","payment\\u004dethod":"b"}',
    '{"items":[{"quantity":1,"quantity":2}]}',
    '{"new":1,"new":2}',
  ])("refuses a name that is given twice: %s", (text) => {
    expect(json(text).violation).toMatchObject({ rule: "request.twice" });
  });

  it.each([
    "",
    "{",
    '{"a"}',
    "{'a':1}",
    '{"a":1,}',
    "[1,]",
    "01",
    "+1",
    "1.",
    "nul",
    "NaN",
    '"\u0000"',
    '"\\x"',
    '"\\u12"',
    "{}{}",
    "\ufeff\ufeff{}",
  ])("refuses what JSON.parse refuses, and quotes none of it: %j", (text) => {
    expect(json(text).violation?.description).toMatch(/^is not valid JSON, at byte \d+$/);
  });

  it("takes what JSON.parse takes, of any kind", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const { violation } = scanJson(EnvelopeSchema, Buffer.from(text), { bytes: 1e9, fields: 1e9, depth: 100 });
        // A name that stands for a field of whole numbers, with something else.
        expect(violation === undefined || violation.rule === "request.integer").toBe(true);
      }),
    );
  });

  it("takes no text for JSON that JSON.parse does not, however it was damaged", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.nat(), fc.string({ maxLength: 2 }), (text, at, put) => {
        const damaged = `${text.slice(0, at % (text.length + 1))}${put}${text.slice((at % (text.length + 1)) + 1)}`;
        if (
          scanJson(EnvelopeSchema, Buffer.from(damaged), { bytes: 1e9, fields: 1e9, depth: 100 }).violation ===
          undefined
        )
          expect(() => JSON.parse(damaged)).not.toThrow();
      }),
    );
  });

  it.each([
    ['{"items":[{"quantity":"0x2"}]}', "items[0].quantity"],
    ['{"items":[{},{"quantity":" 2"}]}', "items[1].quantity"],
    ['{"items":[{"quantity":2147483648}]}', "items[0].quantity"],
    ['{"items":[{"quantity":""}]}', "items[0].quantity"],
    ['{"items":[{"quantity":0.5}]}', "items[0].quantity"],
  ])("names the field of whole numbers that holds none: %s", (text, field) => {
    expect(json(text).violation).toEqual({
      field,
      description: "must be a whole number from -2147483648 to 2147483647",
      rule: "request.integer",
    });
  });

  it.each([
    ['{"status":"NOPE"}', { field: "status", rule: "request.enum" }],
    ['{"status":"pending"}', { field: "status", rule: "request.enum" }],
    ['{"status":""}', { field: "status", rule: "request.enum" }],
    // In JSON an enum's number is a number.
    ['{"status":"1"}', { field: "status", rule: "request.enum" }],
    ['{"status":"PENDING"}', undefined],
    ['{"status":"\\u0050ENDING"}', undefined],
    ['{"status":1}', undefined],
    ['{"status":null}', undefined],
  ])("names the field of an enum that has no such name: %s", (text, violation) => {
    const scan = scanJson(ListOrdersRequestSchema, Buffer.from(text), size);
    if (violation === undefined) expect(scan.violation).toBeUndefined();
    else expect(scan.violation).toMatchObject(violation);
  });

  it("refuses a number of 900,000 digits at its first hundred, and quotes none of them", () => {
    const text = `{"items":[{"quantity":${"9".repeat(900_000)}}]}`;
    expect(json(text).violation).toEqual({
      field: "items[0].quantity",
      description: "must be a number of at most 128 characters",
      rule: "request.number",
    });
  });

  it.each([
    ['{"minorUnits":9007199254740993}', 9007199254740993n],
    ['{"minorUnits":"9223372036854775807"}', 9223372036854775807n],
    ['{"minorUnits":-9223372036854775808}', -9223372036854775808n],
    ['{"minorUnits":"1e3"}', 1000n],
    ['{ "currencyCode" : "EUR", "minor_units" : 1.5e1 }', 15n],
    ['{"minorUnits":"\\u0031\\u0032"}', 12n],
    ['{"minorUnits":null}', 0n],
  ])("gives the decoder every whole number exactly: %s", (text, value) => {
    const { bytes, violation } = scanJson(MoneySchema, Buffer.from(text), size);
    expect(violation).toBeUndefined();
    expect(fromJson(MoneySchema, JSON.parse(Buffer.from(bytes).toString())).minorUnits).toBe(value);
  });

  it("makes no text of the names and numbers of an order", () => {
    const bytes = Buffer.from(JSON.stringify({ ...order, expectedTotal: { currencyCode: "EUR", minorUnits: "-500" } }));
    scanJson(CreateOrderRequestSchema, bytes, size);
    const made = vi.spyOn(Buffer, "from");
    expect(scanJson(CreateOrderRequestSchema, bytes, size).violation).toBeUndefined();
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
  });

  it("is for the value of one field where it is told so", () => {
    const field = RegisterSubscriptionRequestSchema.field.topics;
    expect(scanJson(field, Buffer.from('["a","b"]'), size)).toMatchObject({ fields: 2, violation: undefined });
    const money = EnvelopeSchema.field.version;
    expect(scanJson(money, Buffer.from('"0x1"'), size).violation).toMatchObject({ rule: "request.integer" });
  });
});
