import { create, type DescMethod, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { InventoryService, OrderService, ProductService, UserService } from "@rialto/contracts";
import { CallError } from "@rialto/rpc";
import { describe, expect, it } from "vitest";
import { contractServices } from "../src/contract.ts";
import { compileRoutes, type RestRoute } from "../src/rest/routes.ts";
import { requestOf, responseOf } from "../src/rest/transcode.ts";

const { routes } = compileRoutes(contractServices);

function routeOf(method: DescMethod): RestRoute {
  const route = routes.find((candidate) => candidate.method === method);
  if (route === undefined) throw new Error(`${method.name} has no route`);
  return route;
}

function transcode(method: DescMethod, o: { values?: string[]; query?: string; body?: string }): unknown {
  const message = requestOf(routeOf(method), o.values ?? [], new URLSearchParams(o.query), o.body ?? "");
  return toJson(method.input, message);
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CallError) return error.message;
    throw error;
  }
  return "not refused";
}

const { createOrder, getOrder, listOrders, cancelOrder } = OrderService.method;
const { createProduct, updateProduct, listProducts, batchGetProducts } = ProductService.method;

describe("the path of a REST request", () => {
  it("fills the fields that its template names", () => {
    expect(transcode(getOrder, { values: ["0190"] })).toEqual({ id: "0190" });
  });

  it("fills a field inside the message that is the body", () => {
    expect(transcode(UserService.method.updateUser, { values: ["u1"], body: '{"name":"Ada"}' })).toEqual({
      user: { id: "u1", name: "Ada" },
    });
  });

  it("wins over a body that names the same field, in either spelling", () => {
    const body = '{"product_id":"other","delta":"5","reason":"delivery"}';
    expect(transcode(InventoryService.method.adjustStock, { values: ["mine"], body })).toMatchObject({
      productId: "mine",
    });
  });
});

describe("the query of a REST request", () => {
  it("gives numbers, text and enums by name", () => {
    expect(transcode(listOrders, { query: "page_size=7&status=CONFIRMED&userId=u" })).toEqual({
      pageSize: 7,
      status: "CONFIRMED",
      userId: "u",
    });
  });

  it("gives a repeated field as often as it is named", () => {
    expect(transcode(batchGetProducts, { query: "ids=a&ids=b" })).toEqual({ ids: ["a", "b"] });
  });

  it("takes an integer as JSON writes it", () => {
    expect(transcode(listOrders, { query: "page_size=1e1" })).toEqual({ pageSize: 10 });
  });

  it("takes an enum by its number too", () => {
    expect(transcode(listOrders, { query: "status=3" })).toEqual({ status: "CONFIRMED" });
  });

  it.each([
    ["pagesize=7", "The query parameter pagesize is not a parameter of this method"],
    ["page_size=7&page_size=8", "The query parameter page_size is given more than once"],
    ["page_size=many", "The query parameter page_size must be a whole number from -2147483648 to 2147483647"],
    ["page_size=0x10", "The query parameter page_size must be a whole number"],
    ["page_size=%201", "The query parameter page_size must be a whole number"],
    ["page_size=", "The query parameter page_size must be a whole number"],
    [`page_size=${"9".repeat(5_000)}`, "The query parameter page_size must be a whole number from"],
    [`${"x".repeat(7_000)}=1`, /^The query parameter x{300,500}\.\.\.$/],
    ["a=&".repeat(2_000), "The query has more than 1000 parameters."],
    ["status=LOST", /^The query parameter status must be one of PENDING, STOCK_RESERVED, CONFIRMED/],
    ["page_size.x=1", "The query parameter page_size.x is not a parameter of this method"],
  ])("is refused if it does not fit: %s", (query, message) => {
    expect(refusal(() => transcode(listOrders, { query }))).toMatch(message);
  });

  it("cannot set what the path sets, nor what a whole body sets", () => {
    expect(refusal(() => transcode(getOrder, { values: ["a"], query: "id=b" }))).toMatch(/id is given by the path/);
    expect(refusal(() => transcode(createOrder, { query: "payment_method=x" }))).toMatch(
      /is given by the path or the body/,
    );
  });
});

describe("the body of a REST request", () => {
  it("is the whole request if the rule says *", () => {
    const body = '{"items":[{"product_id":"p","quantity":2}],"payment_method":"pm_test_approved"}';
    expect(transcode(createOrder, { body })).toEqual({
      items: [{ productId: "p", quantity: 2 }],
      paymentMethod: "pm_test_approved",
    });
  });

  it("is one field if the rule names it, with int64 as text", () => {
    const body = '{"name":"Cup","price":{"currency_code":"EUR","minor_units":"9007199254740993"}}';
    expect(transcode(createProduct, { body })).toEqual({
      product: { name: "Cup", price: { currencyCode: "EUR", minorUnits: "9007199254740993" } },
    });
    expect(transcode(updateProduct, { values: ["p1"], body: '{"name":"Mug"}' })).toMatchObject({
      product: { name: "Mug" },
    });
  });

  it("is read with its whole numbers exactly, however JSON writes them", () => {
    const body = '{"price":{"minorUnits":9007199254740993}}';
    expect(transcode(createProduct, { body })).toEqual({ product: { price: { minorUnits: "9007199254740993" } } });
    expect(refusal(() => transcode(createProduct, { body: '{"price":{"minorUnits":"0x10"}}' }))).toMatch(
      /^product.price.minor_units must be a whole number/,
    );
  });

  it("may be empty if no field is required", () => {
    expect(transcode(cancelOrder, { values: ["0190"] })).toEqual({ id: "0190" });
  });

  it.each([
    ['{"items":', "The body is not valid JSON"],
    ["[1]", "The body must be a JSON object"],
    ['{"colour":"red"}', /colour/],
    ['{"payment_method":5}', /^payment_method: expected string/],
    ['{"items":[{"quantity":"0x2"}]}', "items[0].quantity must be a whole number from -2147483648 to 2147483647."],
    ['{"items":[{"quantity":1,"quantity":2}]}', "items[0].quantity is given more than once."],
    ["[".repeat(60_000), "The body must be nested at most 32 deep."],
    [`{"items":[${"{},".repeat(2_000)}{}]}`, "The body must have at most 1000 fields and items."],
    [`{"payment_method":"${"x".repeat(140_000)}"}`, "The body is larger than 131072 bytes."],
  ])("is refused if it does not fit: %s", (body, message) => {
    expect(refusal(() => transcode(createOrder, { body }))).toMatch(message);
  });

  it("is not quoted back if it is not JSON, because it may hold a password", () => {
    expect(refusal(() => transcode(createOrder, { body: '{"password":hunter2}' }))).not.toContain("hunter2");
  });

  it("has, with the query, as many fields and levels as the whole request may have", () => {
    const fields = (count: number) => `{${Array.from({ length: count }, (_, index) => `"f${index}":1`).join()}}`;
    const update = (query: string, body: string) =>
      refusal(() => transcode(updateProduct, { values: ["p1"], query, body }));
    expect(update("", fields(999))).toMatch(/"f0"/);
    expect(update("update_mask=name", fields(999))).toBe("The request has more than 1000 fields and items.");
    expect(update("", `{"name":${"[".repeat(40)}`)).toBe("The body must be nested at most 31 deep.");
  });

  it("is refused if the method takes none", () => {
    expect(refusal(() => transcode(listProducts, { body: "{}" }))).toBe("This method takes no body.");
  });
});

describe("the response to a REST request", () => {
  const respond = <M extends DescMethod>(method: M, answer: MessageInitShape<M["output"]>): string =>
    responseOf(routeOf(method), create(method.output, answer));

  it("is the one field that response_body names, with every field that has no presence", () => {
    expect(JSON.parse(respond(getOrder, { order: { id: "0190" } }))).toEqual({
      id: "0190",
      userId: "",
      status: "STATUS_UNSPECIFIED",
      items: [],
      paymentMethod: "",
      version: 0,
    });
  });

  it("is the whole message if there is no response_body", () => {
    expect(JSON.parse(respond(listOrders, {}))).toEqual({ orders: [], nextPageToken: "" });
  });

  it("is an empty object if the field is not set", () => {
    expect(respond(getOrder, {})).toBe("{}");
  });
});
