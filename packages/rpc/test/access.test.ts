import { AuthService, OrderService, PaymentService } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { accessOf, type Caller, callerName, decideAccess, type UserId } from "../src/index.ts";
import { internalService } from "./fixture.ts";

const person = (role: "CUSTOMER" | "ADMIN"): Caller => ({
  kind: "user",
  userId: "u-1" as UserId,
  role,
  sessionId: "s",
});
const callers: Readonly<Record<string, Caller>> = {
  anonymous: { kind: "anonymous" },
  customer: person("CUSTOMER"),
  admin: person("ADMIN"),
  order: { kind: "service", name: "order" },
  product: { kind: "service", name: "product" },
};

describe("the access policy", () => {
  it("is read from the contract", () => {
    expect(accessOf(OrderService.method.getOrder)).toEqual({
      roles: ["CUSTOMER", "ADMIN"],
      services: ["notification"],
      owned: true,
    });
    expect(accessOf(AuthService.method.login)?.roles).toEqual(["PUBLIC"]);
    expect(accessOf(PaymentService.method.capturePayment)?.roles).toEqual([]);
    expect(internalService.methods.map(accessOf)).toEqual([undefined]);
  });

  it.each`
    roles                    | services     | anonymous         | customer     | admin        | order        | product
    ${["PUBLIC"]}            | ${[]}        | ${"allow"}        | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}
    ${["PUBLIC"]}            | ${["order"]} | ${"allow"}        | ${"allow"}   | ${"allow"}   | ${"allow"}   | ${"deny"}
    ${["CUSTOMER"]}          | ${[]}        | ${"authenticate"} | ${"allow"}   | ${"deny"}    | ${"deny"}    | ${"deny"}
    ${["ADMIN"]}             | ${["order"]} | ${"authenticate"} | ${"deny"}    | ${"allow"}   | ${"allow"}   | ${"deny"}
    ${["CUSTOMER", "ADMIN"]} | ${[]}        | ${"authenticate"} | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}
    ${[]}                    | ${["order"]} | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"allow"}   | ${"deny"}
    ${undefined}             | ${[]}        | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"unknown"} | ${"unknown"}
  `("of roles $roles and services $services", ({ roles, services, ...expected }) => {
    const policy = roles === undefined ? undefined : { roles, services, owned: false };
    const decided = Object.entries(callers).map(([name, caller]) => [name, decideAccess(policy, caller)]);
    expect(Object.fromEntries(decided)).toEqual(expected);
  });
});

describe("a caller's name", () => {
  it("says what they are and who", () => {
    expect(Object.values(callers).map(callerName)).toEqual([
      "anonymous",
      "customer:u-1",
      "admin:u-1",
      "service:order",
      "service:product",
    ]);
  });
});
