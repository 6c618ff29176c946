import { CallError } from "@rialto/rpc";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CatalogItem, newOrder, type RequestedItem, type Total } from "../src/requests/place-order.ts";
import { userId } from "./builders.ts";

const [teapot, cup, lamp] = ["a1", "b2", "c3"].map((end) => `01990000-0000-7000-8000-0000000000${end}`) as [
  string,
  string,
  string,
];
const catalog: readonly CatalogItem[] = [
  { id: teapot, name: "Teapot", active: true, currency: "EUR", price: 1250n },
  { id: cup, name: "Cup", active: true, currency: "EUR", price: 390n },
  { id: lamp, name: "Lamp", active: true, currency: "USD", price: 4900n },
];

function place(requested: readonly RequestedItem[], from = catalog, expectedTotal: Total | undefined = undefined) {
  const paid = { paymentMethod: "pm_test_approved", shippingAddress: undefined };
  return newOrder({ userId, requested, catalog: from, ...paid, expectedTotal });
}

function refusal(work: () => unknown): Pick<CallError, "reason" | "fields" | "metadata"> {
  try {
    work();
  } catch (error) {
    if (error instanceof CallError) return { reason: error.reason, fields: error.fields, metadata: error.metadata };
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("placing an order", () => {
  it("refuses another total than the customer was shown, and says what it is", () => {
    const requested = [{ productId: teapot, quantity: 2 }];
    expect(place(requested, catalog, { currency: "EUR", minorUnits: 2500n }).total).toBe(2500n);
    for (const shown of [
      { currency: "EUR", minorUnits: 2499n },
      { currency: "EUR", minorUnits: 2501n },
      { currency: "USD", minorUnits: 2500n },
    ])
      expect(refusal(() => place(requested, catalog, shown))).toMatchObject({
        reason: "TOTAL_CHANGED",
        fields: [{ field: "expected_total" }],
        metadata: { total_currency_code: "EUR", total_minor_units: "2500" },
      });
  });

  it("copies names and prices and sums the total", () => {
    expect(
      place([
        { productId: teapot, quantity: 2 },
        { productId: cup, quantity: 6 },
      ]),
    ).toEqual({
      kind: "PLACED",
      userId,
      currency: "EUR",
      total: 4840n,
      items: [
        { productId: teapot, name: "Teapot", unitPrice: 1250n, quantity: 2, total: 2500n },
        { productId: cup, name: "Cup", unitPrice: 390n, quantity: 6, total: 2340n },
      ],
      paymentMethod: "pm_test_approved",
      shippingAddress: undefined,
    });
  });

  it("names the items whose products are unknown or not on sale", () => {
    const off = catalog.map((item) => (item.id === cup ? { ...item, active: false } : item));
    const unknown = "01990000-0000-7000-8000-0000000000ff";
    const requested = [teapot, cup, unknown].map((productId) => ({ productId, quantity: 1 }));
    const { reason, fields } = refusal(() => place(requested, off));
    expect(reason).toBe("PRODUCT_UNAVAILABLE");
    expect(fields.map(({ field }) => field)).toEqual(["items[1].product_id", "items[2].product_id"]);
  });

  it("names the items that are priced in another currency than the first", () => {
    const { reason, fields } = refusal(() => place([cup, lamp].map((productId) => ({ productId, quantity: 1 }))));
    expect(reason).toBe("CURRENCY_MIXED");
    expect(fields.map(({ field }) => field)).toEqual(["items[1].product_id"]);
  });

  it("refuses a total that is too large", () => {
    const dear = [{ id: teapot, name: "Teapot", active: true, currency: "EUR", price: 1_000_000_000n }];
    expect(place([{ productId: teapot, quantity: 100 }], dear).total).toBe(100_000_000_000n);
    expect(refusal(() => place([{ productId: teapot, quantity: 101 }], dear))).toMatchObject({
      reason: "TOTAL_TOO_LARGE",
      fields: [{ field: "items" }],
    });
  });

  it("refuses a product that is named twice", () => {
    const twice = [teapot, teapot].map((productId) => ({ productId, quantity: 1 }));
    expect(refusal(() => place(twice))).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it("sums exactly, whatever the prices and quantities", () => {
    const price = fc.bigInt({ min: 1n, max: 1_000_000_000n });
    const line = fc.record({ price, quantity: fc.integer({ min: 1, max: 2 }) });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), (lines) => {
        const id = (index: number) => `product ${index}`;
        const catalog = lines.map((of, index) => ({
          id: id(index),
          name: "",
          active: true,
          currency: "JPY",
          price: of.price,
        }));
        const order = place(
          lines.map((of, index) => ({ productId: id(index), quantity: of.quantity })),
          catalog,
        );
        const sum = lines.reduce((total, of) => total + of.price * BigInt(of.quantity), 0n);
        expect(order.total).toBe(sum);
        expect(order.items.reduce((total, item) => total + item.total, 0n)).toBe(sum);
      }),
    );
  });
});
