import { create } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { CreateOrderRequestSchema } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { unstorableTexts } from "../src/bounds/storable-text.ts";

const fieldsOf = (...args: Parameters<typeof unstorableTexts>) => unstorableTexts(...args).map(({ field }) => field);

describe("text that cannot be kept", () => {
  it("is found wherever it stands, by the field's path in proto names", () => {
    const request = create(CreateOrderRequestSchema, {
      items: [{ productId: "fine" }, { productId: "\0" }],
      paymentMethod: "half \ud83d",
      shippingAddress: { name: "Zoë 👋", lines: ["fine", "\udc4b half"], city: "a\0b" },
    });
    expect(fieldsOf(CreateOrderRequestSchema, request)).toEqual([
      "items[1].product_id",
      "payment_method",
      "shipping_address.lines[1]",
      "shipping_address.city",
    ]);
  });

  it("is found in maps and in oneofs", () => {
    const value = (text: string) => ({ kind: { case: "stringValue" as const, value: text } });
    const struct = create(StructSchema, { fields: { fine: value("fine"), bad: value("\0"), "\0": value("fine") } });
    expect(fieldsOf(StructSchema, struct)).toEqual(['fields["bad"].string_value', "fields"]);
  });

  it("is not what a message without any has", () => {
    expect(fieldsOf(CreateOrderRequestSchema, create(CreateOrderRequestSchema))).toEqual([]);
  });
});
