import { callErrors, refuse } from "@rialto/rpc";
import { errors } from "../errors.ts";
import type { Address, OrderLine, Placed } from "../order/state.ts";

/** The most that one order may cost, in minor units: a thousand million of a currency with cents. */
const orderTotalMinorUnitsMax = 100_000_000_000n;

/** One line of what is asked for. */
export interface RequestedItem {
  readonly productId: string;
  readonly quantity: number;
}

/** What the catalog says of a product. */
export interface CatalogItem {
  readonly id: string;
  readonly name: string;
  readonly active: boolean;
  readonly currency: string;
  readonly price: bigint;
}

/** An amount of a currency, in minor units. */
export interface Total {
  readonly currency: string;
  readonly minorUnits: bigint;
}

/**
 * Makes a new order's first event: names and prices copied from the catalog, totals summed. Refuses, naming the items, what is not on
 * sale, prices in more than one currency, a total that is too large, and one that is not what the customer was shown.
 */
export function placeOrder(o: {
  readonly userId: string;
  readonly requested: readonly RequestedItem[];
  readonly catalog: readonly CatalogItem[];
  readonly paymentMethod: string;
  readonly shippingAddress: Address | undefined;
  /** What the customer was shown; undefined takes whatever it costs now. */
  readonly expectedTotal: Total | undefined;
}): Placed {
  const priced = price(o.requested, o.catalog);
  const currency = oneCurrency(priced);
  const items = priced.map(({ line }) => line);
  const total = items.reduce((sum, line) => sum + line.total, 0n);
  if (total > orderTotalMinorUnitsMax)
    throw refuse(errors.TOTAL_TOO_LARGE, {
      fields: [{ field: "items", description: `must cost at most ${orderTotalMinorUnitsMax} minor units in all` }],
    });
  requireExpected(o.expectedTotal, { currency, minorUnits: total });
  return {
    kind: "PLACED",
    userId: o.userId,
    items,
    currency,
    total,
    paymentMethod: o.paymentMethod,
    shippingAddress: o.shippingAddress,
  };
}

function requireExpected(expected: Total | undefined, total: Total): void {
  if (expected === undefined) return;
  if (expected.currency === total.currency && expected.minorUnits === total.minorUnits) return;
  throw refuse(errors.TOTAL_CHANGED, {
    fields: [
      {
        field: "expected_total",
        description: `is not what the order costs now: ${total.minorUnits} ${total.currency}`,
      },
    ],
    metadata: { total_currency_code: total.currency, total_minor_units: String(total.minorUnits) },
  });
}

interface Priced {
  readonly line: OrderLine;
  readonly currency: string;
}

function price(requested: readonly RequestedItem[], catalog: readonly CatalogItem[]): readonly Priced[] {
  const onSale = new Map(catalog.filter(({ active }) => active).map((item) => [item.id, item]));
  assertNoneTwice(requested);
  const priced: Priced[] = [];
  const missing: string[] = [];
  for (const [index, { productId, quantity }] of requested.entries()) {
    const item = onSale.get(productId.toLowerCase());
    if (item === undefined) {
      missing.push(productField(index));
      continue;
    }
    const line = {
      productId: item.id,
      name: item.name,
      unitPrice: item.price,
      quantity,
      total: item.price * BigInt(quantity),
    };
    priced.push({ line, currency: item.currency });
  }
  if (missing.length > 0)
    throw refuse(errors.PRODUCT_UNAVAILABLE, {
      fields: missing.map((field) => ({ field, description: "is not on sale" })),
    });
  return priced;
}

/** The contract compares the ids as they were written; Postgres, and so the catalog, takes capital letters for the same id. */
function assertNoneTwice(requested: readonly RequestedItem[]): void {
  const ids = requested.map(({ productId }) => productId.toLowerCase());
  const fields = ids.flatMap((id, index) =>
    ids.indexOf(id) < index ? [{ field: productField(index), description: "must name each product once" }] : [],
  );
  if (fields.length > 0) throw refuse(callErrors.INVALID_REQUEST, { fields });
}

function oneCurrency(priced: readonly Priced[]): string {
  const currency = priced[0]?.currency ?? "";
  const fields = priced.flatMap((item, index) =>
    item.currency === currency
      ? []
      : [{ field: productField(index), description: `is priced in ${item.currency}, the first item in ${currency}` }],
  );
  if (fields.length > 0) throw refuse(errors.CURRENCY_MIXED, { fields });
  return currency;
}

function productField(index: number): string {
  return `items[${index}].product_id`;
}
