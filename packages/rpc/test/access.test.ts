import { AuthService, OrderService, PaymentService, RegistrationService } from "@rialto/contracts";
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
  gateway: { kind: "service", name: "gateway" },
};

describe("the access policy", () => {
  it("is read from the contract", () => {
    expect(accessOf(OrderService.method.getOrder)).toEqual({
      roles: ["CUSTOMER", "ADMIN"],
      services: ["notification"],
      anyService: false,
      owned: true,
    });
    expect(accessOf(AuthService.method.login)?.roles).toEqual(["PUBLIC"]);
    expect(accessOf(PaymentService.method.capturePayment)?.roles).toEqual([]);
    expect(internalService.methods.map(accessOf)).toEqual([undefined]);
  });

  it.each`
    roles                    | services       | anyService | anonymous         | customer     | admin        | order        | product      | gateway
    ${["PUBLIC"]}            | ${[]}          | ${false}   | ${"allow"}        | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}    | ${"deny"}
    ${["PUBLIC"]}            | ${["order"]}   | ${false}   | ${"allow"}        | ${"allow"}   | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}
    ${["CUSTOMER"]}          | ${[]}          | ${false}   | ${"authenticate"} | ${"allow"}   | ${"deny"}    | ${"deny"}    | ${"deny"}    | ${"deny"}
    ${["ADMIN"]}             | ${["order"]}   | ${false}   | ${"authenticate"} | ${"deny"}    | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}
    ${["CUSTOMER", "ADMIN"]} | ${[]}          | ${false}   | ${"authenticate"} | ${"allow"}   | ${"allow"}   | ${"deny"}    | ${"deny"}    | ${"deny"}
    ${[]}                    | ${["order"]}   | ${false}   | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"allow"}   | ${"deny"}    | ${"deny"}
    ${[]}                    | ${[]}          | ${true}    | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"allow"}   | ${"allow"}   | ${"deny"}
    ${[]}                    | ${["gateway"]} | ${true}    | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"allow"}   | ${"allow"}   | ${"allow"}
    ${["ADMIN"]}             | ${[]}          | ${true}    | ${"authenticate"} | ${"deny"}    | ${"allow"}   | ${"allow"}   | ${"allow"}   | ${"deny"}
    ${undefined}             | ${[]}          | ${false}   | ${"unknown"}      | ${"unknown"} | ${"unknown"} | ${"unknown"} | ${"unknown"} | ${"unknown"}
  `("of roles $roles, services $services, any $anyService", ({ roles, services, anyService, ...expected }) => {
    const policy = roles === undefined ? undefined : { roles, services, anyService, owned: false };
    const decided = Object.entries(callers).map(([name, caller]) => [name, decideAccess(policy, caller)]);
    expect(Object.fromEntries(decided)).toEqual(expected);
  });
});

describe("a service that is added", () => {
  const { registerSubscription, getOpenDelivery } = RegistrationService.method;
  const { listRevocations, getJsonWebKeySet } = AuthService.method;

  it.each([registerSubscription, getOpenDelivery, listRevocations, getJsonWebKeySet])(
    "may call $name without being named in the contract",
    (method) => {
      expect(decideAccess(accessOf(method), { kind: "service", name: "review" })).toBe("allow");
    },
  );

  it("may call nothing else of the services that are there", () => {
    expect(decideAccess(accessOf(PaymentService.method.capturePayment), { kind: "service", name: "review" })).toBe(
      "deny",
    );
  });

  it("is none that the gateway is", () => {
    expect(decideAccess(accessOf(registerSubscription), { kind: "service", name: "gateway" })).toBe("deny");
    expect(decideAccess(accessOf(listRevocations), { kind: "service", name: "gateway" })).toBe("allow");
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
      "service:gateway",
    ]);
  });
});
