import type { CreateOrderRequest, ProductService, UserService } from "@rialto/contracts";
import { type CallContext, CallError, type Client, callErrors, reasonOf } from "@rialto/rpc";
import { v7 as newId } from "uuid";
import type { Admission } from "../admission/admission.ts";
import { errors } from "../errors.ts";
import type { PlacedEvent } from "../order/events.ts";
import type { OrderResponse } from "../order/message.ts";
import type { Address, OrderLine } from "../order/state.ts";
import type { OrderStore } from "../order/store.ts";
import { commitForCall } from "./change-order.ts";
import { doUnlessAnswered, type EarlierAnswerApp } from "./earlier-answer.ts";

/** The largest total of an order, in minor units: a thousand million of a currency with cents. */
const orderTotalMinorUnitsMax = 100_000_000_000n;

export interface PlaceOrderApp extends EarlierAnswerApp {
  readonly admission: Pick<Admission, "requireAdmitted">;
  readonly orders: Pick<OrderStore, "commit" | "answers">;
  readonly config: { readonly requireConfirmedEmail: boolean };
  readonly calls: {
    readonly users: Pick<Client<typeof UserService>, "getUser">;
    readonly products: Pick<Client<typeof ProductService>, "batchGetProducts">;
  };
}

/**
 * Places an order at the catalog's current names and prices. A repetition is answered as the first request was,
 * whatever has become of the catalog, the account and their services since.
 */
export function placeOrder(app: PlaceOrderApp, request: CreateOrderRequest, ctx: CallContext): Promise<OrderResponse> {
  return doUnlessAnswered(app, ctx, () => placeNew(app, request, ctx));
}

async function placeNew(app: PlaceOrderApp, request: CreateOrderRequest, ctx: CallContext): Promise<OrderResponse> {
  requireConfirmedEmail(app, ctx);
  app.admission.requireAdmitted();
  const productIds = request.items.map((item) => item.productId);
  const [userId, catalog] = await Promise.all([customerOf(app, ctx), catalogItems(app, productIds, ctx)]);
  const event = newOrder({
    userId,
    requested: request.items,
    catalog,
    paymentMethod: request.paymentMethod,
    shippingAddress: request.shippingAddress,
    expectedTotal: request.expectedTotal && {
      currency: request.expectedTotal.currencyCode,
      minorUnits: request.expectedTotal.minorUnits,
    },
  });
  const response = await commitForCall(app.orders, { id: newId(), before: undefined, event, reason: "" }, ctx);
  if (response === undefined) throw new CallError(callErrors.CHANGED_MEANWHILE);
  return response;
}

/**
 * Refuses an account without a confirmed e-mail address, where the shop requires one. The access token says so; a
 * refresh updates it.
 */
function requireConfirmedEmail({ config }: PlaceOrderApp, { caller }: CallContext): void {
  if (config.requireConfirmedEmail && caller.kind === "user" && caller.emailConfirmed === false)
    throw new CallError(errors.EMAIL_UNCONFIRMED);
}

/** The customer of the new order: the caller, whose account must still exist. */
async function customerOf(app: PlaceOrderApp, ctx: CallContext): Promise<string> {
  if (ctx.caller.kind !== "user") throw new CallError(callErrors.CALLER_REQUIRED);
  try {
    const { user } = await app.calls.users.getUser({ id: ctx.caller.userId }, ctx);
    return user?.id ?? ctx.caller.userId;
  } catch (error) {
    if (reasonOf(error) === "USER_NOT_FOUND") throw new CallError(errors.CUSTOMER_UNKNOWN, { cause: error });
    throw error;
  }
}

/** Reads these products from the catalog, also those that are not on sale. Unknown ones are left out. */
async function catalogItems(app: PlaceOrderApp, ids: readonly string[], ctx: CallContext): Promise<CatalogItem[]> {
  const { products } = await app.calls.products.batchGetProducts({ ids: [...ids] }, ctx);
  return products.map(({ id, name, active, price }) => ({
    id,
    name,
    active,
    currency: price?.currencyCode ?? "",
    price: price?.minorUnits ?? 0n,
  }));
}

/** A product and how many of it. */
export interface RequestedItem {
  readonly productId: string;
  readonly quantity: number;
}

/** A product of the catalog. */
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
 * Makes a new order's first event: copies names and prices from the catalog and sums the total. Refuses, naming the
 * items: products that are not on sale, prices in more than one currency, a total that is too large, and a total other
 * than the customer was shown.
 */
export function newOrder(o: {
  readonly userId: string;
  readonly requested: readonly RequestedItem[];
  readonly catalog: readonly CatalogItem[];
  readonly paymentMethod: string;
  readonly shippingAddress: Address | undefined;
  /** The total that the customer was shown; undefined accepts any. */
  readonly expectedTotal: Total | undefined;
}): PlacedEvent {
  const priced = price(o.requested, o.catalog);
  const currency = oneCurrency(priced);
  const items = priced.map(({ line }) => line);
  const total = items.reduce((sum, line) => sum + line.total, 0n);
  if (total > orderTotalMinorUnitsMax)
    throw new CallError(errors.TOTAL_TOO_LARGE, {
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
  throw new CallError(errors.TOTAL_CHANGED, {
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
    const item = onSale.get(productId);
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
    throw new CallError(errors.PRODUCT_UNAVAILABLE, {
      fields: missing.map((field) => ({ field, description: "is not on sale" })),
    });
  return priced;
}

/**
 * The contract compares the ids as they were sent; by now they are in lower case, so two spellings of one id are the
 * same.
 */
function assertNoneTwice(requested: readonly RequestedItem[]): void {
  const ids = requested.map(({ productId }) => productId);
  const fields = ids.flatMap((id, index) =>
    ids.indexOf(id) < index ? [{ field: productField(index), description: "must name each product once" }] : [],
  );
  if (fields.length > 0) throw new CallError(callErrors.INVALID_REQUEST, { fields });
}

function oneCurrency(priced: readonly Priced[]): string {
  const currency = priced[0]?.currency ?? "";
  const fields = priced.flatMap((item, index) =>
    item.currency === currency
      ? []
      : [{ field: productField(index), description: `is priced in ${item.currency}, the first item in ${currency}` }],
  );
  if (fields.length > 0) throw new CallError(errors.CURRENCY_MIXED, { fields });
  return currency;
}

function productField(index: number): string {
  return `items[${index}].product_id`;
}
