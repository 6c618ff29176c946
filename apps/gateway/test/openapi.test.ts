import { OrderService } from "@rialto/contracts";
import { accessOf } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { contractServices, isPublished } from "../src/contract.ts";
import { describeRoutes } from "../src/pages/openapi/document.ts";
import { compileRoutes } from "../src/rest/routes.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

const table = compileRoutes(contractServices);
const document = describeRoutes(table.routes);
const published = contractServices.flatMap((service) => service.methods).filter(isPublished);
const operations = Object.values(document.paths).flatMap((path) => Object.values(path));

describe("the OpenAPI document", () => {
  it.each(
    published
      .filter((method) => method.methodKind === "unary")
      .map((method) => [`${method.parent.name}.${method.name}`, method] as const),
  )("has %s, with its comment and its access", (name, method) => {
    const operation = operations.find(({ operationId }) => operationId === name);
    expect(operation?.summary).toMatch(/^[A-Z]/);
    const roles = accessOf(method)?.roles ?? [];
    expect(operation?.security).toEqual(roles.includes("PUBLIC") ? [] : [{ accessToken: roles }]);
  });

  it("names every parameter of a path, and refers to nothing that is not there", () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const inTemplate = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
      for (const { parameters } of Object.values(methods)) {
        expect(parameters.filter((one) => one.in === "path").map(({ name }) => name)).toEqual(inTemplate);
      }
    }
    const schemas = Object.keys(document.components.schemas);
    const referred = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1],
    );
    expect(schemas).toEqual(expect.arrayContaining(referred));
  });

  it("has the rules of the contract as constraints", () => {
    const { schemas } = document.components;
    expect(schemas["order.v1.CreateOrderRequest.Input"]).toMatchObject({
      required: ["items", "paymentMethod"],
      additionalProperties: false,
      properties: { items: { type: "array", minItems: 1, maxItems: 50 }, paymentMethod: { maxLength: 200 } },
    });
    expect(schemas["order.v1.NewOrderItem.Input"]).toMatchObject({
      properties: { quantity: { minimum: 1, maximum: 1000 }, productId: { format: "uuid" } },
    });
    const items = schemas["order.v1.CreateOrderRequest.Input"]?.properties?.items;
    expect(items?.description).toContain("must name each product once");
  });

  it("says which response fields are always there, and that 64-bit numbers are text", () => {
    const { schemas } = document.components;
    expect(schemas["order.v1.Order"]?.required).toEqual(expect.arrayContaining(["id", "status", "items", "version"]));
    expect(schemas["order.v1.Order"]?.required).not.toContain("rejectionReason");
    expect(schemas["type.v1.Money"]?.properties?.minorUnits).toMatchObject({ type: "string", format: "int64" });
    expect(schemas["order.v1.Order.Status"]?.enum).toContain("CONFIRMED");
  });

  it("leaves out internal methods, and streams", () => {
    const text = JSON.stringify(document);
    expect(text).not.toContain("ReserveStock");
    expect(operations.map(({ operationId }) => operationId)).not.toContain(`${OrderService.name}.WatchOrder`);
  });
});

describe("the gateway's pages", () => {
  let system: StubSystem;
  afterEach(() => system.close());

  it("are the document, and a page that loads no external resource", async () => {
    system = await startStubSystem();
    expect(await (await fetch(`${system.url}/openapi.json`)).json()).toEqual(JSON.parse(JSON.stringify(document)));
    const docs = await fetch(`${system.url}/docs`);
    const page = await docs.text();
    expect(docs.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|src=|https?:/);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
    const anchors = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(anchors).toEqual(expect.arrayContaining(links));
    for (const { operationId } of operations) expect(anchors).toContain(operationId);
  });

  it("take no POST", async () => {
    system = await startStubSystem();
    expect((await fetch(`${system.url}/openapi.json`, { method: "POST" })).status).toBe(405);
  });
});
