import { type DescMethod, fromJson, type JsonObject } from "@bufbuild/protobuf";
import { AuthService, OrderService, PaymentService, ProductService } from "@rialto/contracts";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  backgroundContext,
  CallError,
  type Caller,
  createClient,
  createUnaryCall,
  type PropagatedContext,
  reasonOf,
  shareAnswer,
  type UserId,
} from "../src/index.ts";
import { createFixture, internalService, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { openTransports } from "./transports.ts";

let people: People;
let shop: ReturnType<typeof createFixture>;

beforeAll(async () => {
  people = await createPeople();
  shop = createFixture(people);
});
beforeEach(() => {
  shop.calls.length = 0;
});

const reach = internalService.methods[0] as DescMethod; // the fixture gives it one method
const payment = {
  orderId,
  userId: orderId,
  amount: { currencyCode: "EUR", minorUnits: "1" },
  paymentMethod: "pm_test_approved",
};

/** A method of each kind of policy: for anybody, for people, for admins, for services, for the gateway, for nobody. */
const methods: Readonly<Record<string, readonly [DescMethod, JsonObject]>> = {
  public: [ProductService.method.listProducts, {}],
  "a person's": [OrderService.method.getOrder, { id: orderId }],
  "an admin's": [OrderService.method.shipOrder, { id: orderId }],
  "a service's": [PaymentService.method.authorizePayment, payment],
  "a service's or the gateway's": [AuthService.method.listRevocations, {}],
  "nobody's": [reach, {}],
};

const userId = "0197f000-0000-7000-8000-000000000001" as UserId;
const person = (role: "CUSTOMER" | "ADMIN"): Caller => ({ kind: "user", userId, role, sessionId: "session-1" });

/** Who calls in the process: its name, and for whom it says that it does. */
const callers: Readonly<Record<string, readonly [name: "gateway" | "order" | "notification", Partial<Caller>?]>> = {
  anybody: ["gateway"],
  customer: ["gateway", person("CUSTOMER")],
  admin: ["gateway", person("ADMIN")],
  order: ["order"],
  notification: ["notification"],
  gateway: ["gateway"],
};

/** The gateway sends an address with every call that it passes on. */
const addressOf = (caller: string) => (caller === "gateway" ? {} : { clientAddress: "192.0.2.1" });

async function reasonInProcess(caller: string, method: DescMethod, request: JsonObject): Promise<string> {
  const [name, as] = callers[caller] ?? ["gateway"];
  const names = { caller: name, target: "order", tokens: people[name] };
  const call = createUnaryCall({ kind: "local", endpoint: () => shop.direct }, names);
  const context: PropagatedContext = {
    ...backgroundContext({}),
    ...addressOf(caller),
    ...(as !== undefined && { caller: as as Caller }),
  };
  return call(method, fromJson(method.input, request), context).then(
    () => "ok",
    (error: unknown) => reasonOf(error) ?? String(error),
  );
}

async function reasonOverHttp(caller: string, method: DescMethod, request: JsonObject): Promise<string> {
  const [name, as] = callers[caller] ?? ["gateway"];
  const token = as?.kind === "user" ? (as.role === "ADMIN" ? people.admin : people.customer) : undefined;
  const opened = await openTransports(shop.direct, people.verifier);
  try {
    const result = await opened.transports["over HTTP"](method, request, {
      "rialto-service": await people[name].for("order"),
      ...(caller !== "gateway" && { "rialto-client-address": "192.0.2.1" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    });
    return result.reason ?? result.code;
  } finally {
    await opened.close();
  }
}

describe("an in-process call without the policy's caller is refused", () => {
  it.each`
    policy                            | anybody              | customer            | admin               | order               | notification        | gateway
    ${"public"}                       | ${"ok"}              | ${"ok"}             | ${"ok"}             | ${"ACCESS_DENIED"}  | ${"ACCESS_DENIED"}  | ${"ok"}
    ${"a person's"}                   | ${"CALLER_REQUIRED"} | ${"ok"}             | ${"ok"}             | ${"ACCESS_DENIED"}  | ${"ok"}             | ${"CALLER_REQUIRED"}
    ${"an admin's"}                   | ${"CALLER_REQUIRED"} | ${"ACCESS_DENIED"}  | ${"ok"}             | ${"ACCESS_DENIED"}  | ${"ACCESS_DENIED"}  | ${"CALLER_REQUIRED"}
    ${"a service's"}                  | ${"METHOD_UNKNOWN"}  | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"} | ${"ok"}             | ${"ACCESS_DENIED"}  | ${"METHOD_UNKNOWN"}
    ${"a service's or the gateway's"} | ${"METHOD_UNKNOWN"}  | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"} | ${"ok"}             | ${"ok"}             | ${"ok"}
    ${"nobody's"}                     | ${"METHOD_UNKNOWN"}  | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"} | ${"METHOD_UNKNOWN"}
  `("where the policy is $policy, exactly as over the network", async ({ policy, ...expected }) => {
    const [method, request] = methods[policy] ?? [reach, {}];
    for (const [caller, reason] of Object.entries(expected)) {
      expect([caller, await reasonInProcess(caller, method, request)]).toEqual([caller, reason]);
      expect([caller, await reasonOverHttp(caller, method, request)]).toEqual([caller, reason]);
    }
  });
});

describe("a call in one process", () => {
  it("is a service's own, whatever person and address stand in its context", async () => {
    const unary = createUnaryCall(
      { kind: "local", endpoint: () => shop.direct },
      { caller: "notification", target: "order", tokens: people.notification },
    );
    const claimed = { caller: person("ADMIN"), userToken: people.admin, clientAddress: "192.0.2.1" };
    const call = (method: DescMethod) =>
      unary(method, fromJson(method.input, { id: orderId }), { ...backgroundContext({}), ...claimed });
    await call(OrderService.method.getOrder);
    expect(shop.calls[0]).toMatchObject({ caller: { kind: "service", name: "notification" } });
    expect([shop.calls[0]?.userToken, shop.calls[0]?.clientAddress]).toEqual([undefined, undefined]);
    const refused = await call(OrderService.method.shipOrder).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CallError);
    expect(refused).toMatchObject({ reason: "ACCESS_DENIED", remote: true });
  });

  it("signs no token and verifies none", async () => {
    const refuse = () => Promise.reject(new Error("a token was asked for"));
    const untrusting = createFixture({ ...people, verifier: { user: refuse, service: refuse } });
    const call = createUnaryCall(
      { kind: "local", endpoint: () => untrusting.direct },
      { caller: "gateway", target: "order", tokens: { for: refuse }, persons: { for: refuse } },
    );
    const { getOrder } = OrderService.method;
    const context = { ...backgroundContext({}), caller: person("CUSTOMER") };
    const answer = await call(getOrder, fromJson(getOrder.input, { id: orderId }), context);
    expect(answer).toMatchObject({ order: { id: orderId } });
    expect(untrusting.calls[0]?.caller).toEqual(person("CUSTOMER"));
  });
});

describe("an answer that a handler shares between calls", () => {
  const shared = shareAnswer({ order: { id: orderId, items: [{ name: "Teapot" }] } });
  const { getOrder } = OrderService.method;
  const names = () => ({ caller: "gateway", target: "order", tokens: people.gateway });
  const context = () => ({ ...backgroundContext({}), caller: person("CUSTOMER") });
  const targetOf = (answer: object) => {
    const { direct } = createFixture(people, { getOrder: async () => answer });
    return { kind: "local", endpoint: () => direct, checksMessages: true } as const;
  };
  const readTwice = async (answer: object) => {
    const call = createUnaryCall(targetOf(answer), names());
    const read = () => call(getOrder, fromJson(getOrder.input, { id: orderId }), context());
    return [await read(), await read()];
  };

  it("is one message for who only reads it, and a message each where it is not shared", async () => {
    const [one, two] = await readTwice(shared);
    expect(one).toMatchObject({ $typeName: getOrder.output.typeName, order: { id: orderId } });
    expect(one).toBe(two);
    expect(() => Object.assign(one ?? {}, { order: undefined })).toThrow(TypeError);
    const [mine, yours] = await readTwice({ order: { id: orderId } });
    expect(mine).toEqual(yours);
    expect(mine).not.toBe(yours);
  });

  it("is a message of its own for each call of a client, which may change it", async () => {
    const client = createClient(OrderService, targetOf(shared), names());
    const read = () => client.getOrder({ id: orderId }, context());
    const [one, two] = [await read(), await read()];
    one.order?.items.pop();
    expect([two.order?.items.length, shared.order.items.length]).toEqual([1, 1]);
  });
});
