import { create, type DescField, type DescMessage, ScalarType, toJson } from "@bufbuild/protobuf";
import { GetOrderResponseSchema, ListProductsResponseSchema } from "@rialto/contracts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contractServices, isPublished } from "../src/contract.ts";
import { jsonTextWriter } from "../src/rest/json-text.ts";
import { compileRoutes } from "../src/rest/routes.ts";

const outputs = [
  ...new Set(contractServices.flatMap(({ methods }) => methods.filter(isPublished)).map(({ output }) => output)),
];

/** The fields that are a whole response body. */
const parts = compileRoutes(contractServices).routes.flatMap(({ method: { output }, responseBody }) =>
  responseBody === undefined ? [] : [[responseBody.name, output.name, output, responseBody] as const],
);

/** Any value of a field, those that no message may hold among them. */
function anyValueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.fieldKind === "map") return fc.constant({});
  if (field.fieldKind === "list") return fc.array(itemOf(field, depth), { maxLength: 3 });
  return itemOf(field, depth);
}

function itemOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message?.typeName === "google.protobuf.Timestamp") {
    const seconds = fc.oneof(
      fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    );
    const nanos = fc.oneof(
      fc.constantFrom(0, 1_000_000, 120_000_000, 999_000_000),
      fc.integer({ min: -1, max: 1_000_000_000 }),
    );
    return fc.record({ seconds, nanos });
  }
  if (field.message !== undefined) return messageOf(field.message, depth + 1);
  if (field.enum !== undefined) return fc.integer({ min: 0, max: 12 });
  switch (field.scalar) {
    case ScalarType.STRING:
      return fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "\ud800", '\u2028"\\'));
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 4 });
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.double();
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    default:
      return fc.integer();
  }
}

/** What a message is made of. */
function messageOf(desc: DescMessage, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  if (depth > 3 || desc.typeName.startsWith("google.protobuf.")) return fc.constant({});
  const single = desc.fields.filter(({ oneof }) => oneof === undefined);
  const members = Object.fromEntries(single.map((field) => [field.localName, anyValueOf(field, depth)]));
  const oneofs = Object.fromEntries(
    desc.oneofs.map(({ localName, fields }) => [
      localName,
      fc.oneof(
        ...fields.map((field) => fc.record({ case: fc.constant(field.localName), value: anyValueOf(field, depth) })),
      ),
    ]),
  );
  return fc.record({ ...members, ...oneofs }, { requiredKeys: [] });
}

describe("the text of an answer", () => {
  it.each(outputs.map((desc) => [desc.name, desc] as const))("%s is the library's, or is left to it", (_, desc) => {
    const write = jsonTextWriter(desc);
    const empty = create(desc);
    // A writer that leaves everything to the library would pass the rest.
    expect(write(empty)).toBe(JSON.stringify(toJson(desc, empty, { alwaysEmitImplicit: true })));
    fc.assert(
      fc.property(messageOf(desc), (init) => {
        const message = create(desc, init);
        const text = write(message);
        // The library throws for some of what is left to it.
        if (text !== undefined) expect(text).toBe(JSON.stringify(toJson(desc, message, { alwaysEmitImplicit: true })));
      }),
      { numRuns: 200 },
    );
  });

  it.each(parts)("%s of %s is the library's, or is left to it", (_, __, desc, field) => {
    const write = jsonTextWriter(desc, field);
    const libraryText = (message: ReturnType<typeof create>) => {
      const whole = toJson(desc, message, { alwaysEmitImplicit: true }) as Record<string, unknown>;
      return JSON.stringify(whole[field.jsonName] ?? {});
    };
    const empty = create(desc);
    if (desc.fields.length === 1) expect(write(empty)).toBe(libraryText(empty));
    fc.assert(
      fc.property(messageOf(desc), (init) => {
        const message = create(desc, init);
        const text = write(message);
        if (text !== undefined) expect(text).toBe(libraryText(message));
      }),
      { numRuns: 200 },
    );
  });

  it("is written without the library for an order and for a page of the catalog", () => {
    const time = { seconds: 1_800_000_000n, nanos: 5_000_000 };
    const money = { currencyCode: "EUR", minorUnits: 5n };
    const order = { id: "1", status: 1, items: [{ name: "x", unitPrice: money }], total: money, createTime: time };
    const answer = create(GetOrderResponseSchema, { order });
    expect(jsonTextWriter(GetOrderResponseSchema)(answer)).toContain('"EUR"');
    expect(jsonTextWriter(GetOrderResponseSchema, GetOrderResponseSchema.field.order)(answer)).toMatch(/^{"id":"1",/);
    const products = [{ id: "1", price: money, active: true, updateTime: time }];
    const page = create(ListProductsResponseSchema, { products, nextPageToken: "next" });
    expect(jsonTextWriter(ListProductsResponseSchema)(page)).toContain('"2027-01-15T08:00:00.005Z"');
  });

  it("is left to the library for a value of another type, and for a message of another", () => {
    const page = create(ListProductsResponseSchema, { products: [{ id: "1" }] });
    Object.assign(page.products[0] ?? {}, { name: 5 });
    expect(jsonTextWriter(ListProductsResponseSchema)(page)).toBeUndefined();
    expect(jsonTextWriter(GetOrderResponseSchema)(create(ListProductsResponseSchema))).toBeUndefined();
  });
});
