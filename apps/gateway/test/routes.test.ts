import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { OrderService, ProductService, UserService } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { contractServices, isPublished, procedureOf } from "../src/contract.ts";
import { parsePathTemplate } from "../src/rest/path-template.ts";
import { compileRoutes } from "../src/rest/routes.ts";

const table = compileRoutes(contractServices);

function target(httpMethod: string, path: string): unknown {
  const match = table.match(httpMethod, path);
  return match.kind === "found" ? [match.route.method.name, ...match.values] : match;
}

/** The secret fields of a message and of those inside it, each with the top-level field that leads to it. */
function secretsOf(message: DescMessage, depth = 0): [first: DescField, name: string][] {
  return message.fields.flatMap((field): [DescField, string][] => {
    if (field.proto.options?.debugRedact === true) return [[field, field.name]];
    const inner = field.fieldKind === "message" && depth < 4 ? secretsOf(field.message, depth + 1) : [];
    return inner.map(([, name]) => [field, name]);
  });
}

describe("the contract's REST routes", () => {
  it("compile without a clash, and every published unary method has one", () => {
    const unary = contractServices
      .flatMap((service) => service.methods)
      .filter((method) => method.methodKind === "unary" && isPublished(method));
    const routed = new Set(table.routes.map((route) => route.method));
    expect(unary.filter((method) => !routed.has(method)).map(procedureOf)).toEqual([]);
    expect(table.routes.length).toBeGreaterThanOrEqual(unary.length);
  });

  it("give no route to a method that no role may call", () => {
    const names = table.routes.map((route) => route.method.name);
    expect(names).not.toContain("ReserveStock");
    expect(names).not.toContain("AuthorizePayment");
    expect(names).not.toContain("RegisterSubscription");
  });

  it.each([
    ["POST", "/api/orders", ["CreateOrder"]],
    ["GET", "/api/orders", ["ListOrders"]],
    ["GET", "/api/orders/0190", ["GetOrder", "0190"]],
    ["GET", "/api/orders/0190/events", ["ListOrderEvents", "0190"]],
    ["POST", "/api/orders/0190:cancel", ["CancelOrder", "0190"]],
    ["POST", "/api/orders/0190:ship", ["ShipOrder", "0190"]],
    ["GET", "/api/products:batchGet", ["BatchGetProducts"]],
    ["GET", "/api/products/a%20b", ["GetProduct", "a b"]],
    ["GET", "/api/products/a:b", ["GetProduct", "a:b"]],
    ["GET", "/api/products/p/stock", ["GetStock", "p"]],
    ["POST", "/api/products/p/stock:adjust", ["AdjustStock", "p"]],
    ["PATCH", "/api/users/u", ["UpdateUser", "u"]],
    ["GET", "/.well-known/jwks.json", ["GetJsonWebKeySet"]],
  ])("lead %s %s to its method", (httpMethod, path, expected) => {
    expect(target(httpMethod, path)).toEqual(expected);
  });

  it.each([
    ["DELETE", "/api/orders", { kind: "wrong-method", allow: ["GET", "POST"] }],
    ["GET", "/api/orders/1:cancel", ["GetOrder", "1:cancel"]],
    ["GET", "/api/orders/", { kind: "unknown" }],
    ["GET", "/api/nothing", { kind: "unknown" }],
    ["POST", "/api/orders/1:vanish", { kind: "wrong-method", allow: ["GET"] }],
    ["GET", "/api/orders/%E0%A4%A", { kind: "malformed" }],
  ])("answer %s %s by what exists", (httpMethod, path, expected) => {
    expect(target(httpMethod, path)).toEqual(expected);
  });

  it("take a secret in the body only: a URL is in logs and histories", () => {
    const secrets = table.routes.flatMap((route) =>
      secretsOf(route.method.input).map(([first, name]) => ({
        name: `${route.method.name} ${name}`,
        isInBody: route.body === "*" || route.body === first,
      })),
    );
    expect(secrets.map(({ name }) => name)).toContain("UpdateUser current_password");
    expect(secrets.filter(({ isInBody }) => !isInBody)).toEqual([]);
  });

  it("resolve a variable that lies inside a message", () => {
    const route = table.routes.find(({ method }) => method === UserService.method.updateUser);
    expect(route?.variables.map((path) => path.map((field) => field.name))).toEqual([["user", "id"]]);
  });
});

describe("a contract that contradicts itself", () => {
  it("is refused at start, naming both methods", () => {
    expect(() => compileRoutes([OrderService, ProductService, OrderService])).toThrow(
      /claimed by \/rialto\.order\.v1\.OrderService\/CreateOrder and \/rialto\.order\.v1\.OrderService\/CreateOrder/,
    );
  });
});

describe("a path template", () => {
  it("is parsed into segments, variables and verb", () => {
    expect(parsePathTemplate("/api/products/{product_id}/stock:adjust")).toEqual({
      segments: ["api", "products", null, "stock"],
      variables: ["product_id"],
      verb: "adjust",
    });
  });

  it.each(["api/orders", "/api/**", "/api/*", "/api/{name=shelves/*}", "/", "/api/{id"])(
    "that is not fully supported is refused: %s",
    (template) => {
      expect(() => parsePathTemplate(template)).toThrow(template);
    },
  );
});
