import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { Order_Status, OrderSchema, ShippingAddressSchema } from "@rialto/contracts";
import { reasonOf } from "@rialto/rpc";
import { repeatWhileInUse } from "@rialto/testing";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { adminId, asAdmin, asCustomer, type Fixture, newKey, openFixture, refusalOf } from "./order-fixture.ts";
import { approved, closeAsLogged, placedOrders, restoreServices } from "./placed-orders.ts";

const fixture = await openFixture();
const { place, read, settled } = placedOrders(fixture);
afterEach(() => restoreServices(fixture));
afterAll(() => closeAsLogged(fixture));

describe("creating an order", () => {
  it("keeps of an address what it knows, whatever a newer client sends along", async () => {
    const context = asCustomer(fixture.customer());
    const known = { name: "Ada", lines: ["1 Mill Lane"], city: "York", postalCode: "YO1", countryCode: "GB" };
    const shippingAddress = create(ShippingAddressSchema, known);
    shippingAddress.$unknown = [
      { no: 99, wireType: WireType.LengthDelimited, data: new Uint8Array([3, 110, 101, 119]) },
    ];
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const placed = await fixture.gateway.createOrder({ items, paymentMethod: approved, shippingAddress }, context);
    const { order } = await fixture.gateway.getOrder({ id: placed.order?.id ?? "" }, context);
    expect(order?.shippingAddress).toEqual(create(ShippingAddressSchema, known));
    expect(fromBinary(OrderSchema, toBinary(OrderSchema, create(OrderSchema, order)))).toEqual(order);
  });

  it("answers PENDING with names and prices copied from the catalog", async () => {
    const customer = fixture.customer();
    const teapot = fixture.product({ name: "Teapot", price: 1250n });
    const cup = fixture.product({ name: "Cup", price: 390n });
    const shippingAddress = { name: "Ada", lines: ["1 Mill Lane"], city: "York", postalCode: "YO1", countryCode: "GB" };
    const { order } = await fixture.gateway.createOrder(
      {
        items: [
          { productId: teapot, quantity: 2 },
          { productId: cup, quantity: 3 },
        ],
        paymentMethod: approved,
        shippingAddress,
      },
      asCustomer(customer),
    );
    const eur = (minorUnits: bigint) => expect.objectContaining({ currencyCode: "EUR", minorUnits });
    expect(order).toMatchObject({
      userId: customer,
      status: Order_Status.PENDING,
      version: 1,
      paymentMethod: approved,
      shippingAddress,
      items: [
        { productId: teapot, name: "Teapot", unitPrice: eur(1250n), quantity: 2, total: eur(2500n) },
        { productId: cup, name: "Cup", unitPrice: eur(390n), quantity: 3, total: eur(1170n) },
      ],
      total: eur(3670n),
      captured: eur(0n),
      refunded: eur(0n),
    });
    expect(await read(order?.id ?? "")).toEqual(order);
  });

  it("publishes it in the same commit, without personal data", async () => {
    const { id, customer } = await place();
    const [event, ...more] = await fixture.published(id);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ topic: "order.placed", version: 1 });
    expect(event?.payload).toEqual({
      orderId: id,
      userId: customer,
      version: 1,
      kind: "PLACED",
      status: "PENDING",
      total: { currencyCode: "EUR", minorUnits: "2500" },
      captured: { currencyCode: "EUR" },
      refunded: { currencyCode: "EUR" },
    });
  });

  it("takes an id in capital letters for the same product, and refuses it where it is there already", async () => {
    const teapot = fixture.product({ price: 990n });
    const shouted = teapot.toUpperCase();
    const place = (...ids: readonly string[]) => {
      const items = ids.map((productId) => ({ productId, quantity: 1 }));
      return fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    };
    expect((await place(shouted)).order?.items[0]?.productId).toBe(teapot);
    expect(await refusalOf(place(teapot, shouted))).toMatchObject({
      reason: "INVALID_REQUEST",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it("names the item whose product is not on sale", async () => {
    const items = [fixture.product(), fixture.product({ active: false })].map((productId) => ({
      productId,
      quantity: 1,
    }));
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      code: "failed_precondition",
      reason: "PRODUCT_UNAVAILABLE",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it("names the item that is priced in another currency", async () => {
    const items = [fixture.product(), fixture.product({ currency: "USD" })].map((productId) => ({
      productId,
      quantity: 1,
    }));
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      reason: "CURRENCY_MIXED",
      fields: [{ field: "items[1].product_id" }],
    });
  });

  it.each([0, 1001, -1])("names the item whose quantity is out of range: %i", async (quantity) => {
    const items = [{ productId: fixture.product(), quantity }];
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await refusalOf(call)).toMatchObject({
      code: "invalid_argument",
      reason: "INVALID_REQUEST",
      fields: [{ field: "items[0].quantity" }],
    });
  });

  it("names the field whose text cannot be kept", async () => {
    const shippingAddress = { name: "NUL \0", lines: ["1 Mill Lane"], city: "York", postalCode: "", countryCode: "GB" };
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const request = { items, paymentMethod: approved, shippingAddress };
    const call = fixture.gateway.createOrder(request, asCustomer(fixture.customer()), newKey());
    expect(await refusalOf(call)).toMatchObject({
      code: "invalid_argument",
      reason: "INVALID_REQUEST",
      fields: [{ field: "shipping_address.name" }],
    });
  });

  it("refuses a caller whose account is gone", async () => {
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const call = fixture.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(adminId));
    expect(await refusalOf(call)).toMatchObject({ code: "failed_precondition", reason: "CUSTOMER_UNKNOWN" });
  });
});

describe("an idempotency key", () => {
  const request = () => ({ items: [{ productId: fixture.product(), quantity: 1 }], paymentMethod: approved });

  it("used twice gives the same answer and one order", async () => {
    const context = asCustomer(fixture.customer());
    const [asked, key] = [request(), newKey()];
    const first = await fixture.gateway.createOrder(asked, context, key);
    expect(await fixture.gateway.createOrder(asked, context, key)).toEqual(first);
    expect((await fixture.gateway.listOrders({}, context)).orders).toHaveLength(1);
  });

  it("used many times at once gives one order", async () => {
    const context = asCustomer(fixture.customer());
    const [asked, key] = [request(), newKey()];
    const other = fixture.start();
    const processes = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? fixture.gateway : other.gateway));
    const answers = await Promise.all(
      processes.map((gateway) => repeatWhileInUse(() => gateway.createOrder(asked, context, key))),
    );
    expect(new Set(answers.map(({ order }) => order?.id)).size).toBe(1);
    expect((await fixture.gateway.listOrders({}, context)).orders).toHaveLength(1);
  });

  it("used with another request is refused", async () => {
    const context = asCustomer(fixture.customer());
    const key = newKey();
    await fixture.gateway.createOrder(request(), context, key);
    const error = await refusalOf(fixture.gateway.createOrder(request(), context, key));
    expect(error).toMatchObject({ code: "failed_precondition", reason: "IDEMPOTENCY_KEY_REUSED" });
  });

  it("is its caller's own: another customer's same key is another key", async () => {
    const [asked, key] = [request(), newKey()];
    const first = await fixture.gateway.createOrder(asked, asCustomer(fixture.customer()), key);
    const second = await fixture.gateway.createOrder(asked, asCustomer(fixture.customer()), key);
    expect(first.order?.id).not.toBe(second.order?.id);
  });

  it("stores nothing where the request was refused, so that it can be used for a better one", async () => {
    const context = asCustomer(fixture.customer());
    const key = newKey();
    const bad = { items: [{ productId: fixture.product({ active: false }), quantity: 1 }], paymentMethod: approved };
    expect((await refusalOf(fixture.gateway.createOrder(bad, context, key))).reason).toBe("PRODUCT_UNAVAILABLE");
    expect((await fixture.gateway.createOrder(request(), context, key)).order?.status).toBe(Order_Status.PENDING);
  });

  it("brings back the answer of a request that the order would refuse by now", async () => {
    const { id } = await settled();
    const key = newKey();
    const first = await fixture.gateway.shipOrder({ id }, asAdmin(), key);
    await fixture.deliver(id);
    expect((await read(id))?.status).toBe(Order_Status.SHIPPED);
    expect(await fixture.gateway.shipOrder({ id }, asAdmin(), key)).toEqual(first);
    expect((await refusalOf(fixture.gateway.shipOrder({ id }, asAdmin()))).reason).toBe("ORDER_SHIPPED");
  });

  it("is kept where nothing was to be done, and refused for another request", async () => {
    const { id } = await settled();
    await fixture.gateway.shipOrder({ id }, asAdmin());
    const key = newKey();
    const first = await fixture.gateway.shipOrder({ id }, asAdmin(), key);
    await fixture.deliver(id);
    expect(await fixture.gateway.shipOrder({ id }, asAdmin(), key)).toEqual(first);
    const error = await refusalOf(fixture.gateway.shipOrder({ id: (await settled()).id }, asAdmin(), key));
    expect(error.reason).toBe("IDEMPOTENCY_KEY_REUSED");
  });
});

describe("an account with an unconfirmed e-mail address", () => {
  const outcomeOf = (call: Promise<unknown>) => call.then(() => "none", reasonOf);
  const as = (userId: string, word: string) => ({ ...asCustomer(userId), userToken: `CUSTOMER.${userId}.${word}` });
  const outcome = async (process: Pick<Fixture, "gateway">, word: string) => {
    const items = [{ productId: fixture.product(), quantity: 1 }];
    return outcomeOf(process.gateway.createOrder({ items, paymentMethod: approved }, as(fixture.customer(), word)));
  };

  it("orders as any other", async () => {
    expect(await outcome(fixture, "unconfirmed")).toBe("none");
  });

  it("does not order where the shop asks for a confirmed one; who has one does, and who has an older version's token", async () => {
    const strict = fixture.start({ requireConfirmedEmail: true });
    expect(await outcome(strict, "unconfirmed")).toBe("EMAIL_UNCONFIRMED");
    expect(await outcome(strict, "confirmed")).toBe("none");
    const items = [{ productId: fixture.product(), quantity: 1 }];
    const older = strict.gateway.createOrder({ items, paymentMethod: approved }, asCustomer(fixture.customer()));
    expect(await outcomeOf(older)).toBe("none");
  });
});
