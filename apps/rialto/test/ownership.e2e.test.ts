import { randomUUID } from "node:crypto";
import { getOption } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import { redisForTests } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

/**
 * Every method that the contract restricts to a customer's own data, called by one customer for another's. The first
 * test fails if a method with `owned: true` has no row here.
 */
interface Row {
  /** Calls the method for a customer's data, with the given token. */
  readonly call: (token: string, owner: Customer) => Promise<{ status: number; body: Json }>;
  /** The error for another customer. */
  readonly other: keyof typeof statuses | "nothing";
}
const statuses = { "not found": 404, denied: 403, malformed: 400 } as const;
type Customer = Awaited<ReturnType<RestClient["customer"]>> & { orderId: string; paymentId: string };

let topology: Topology;
let client: RestClient;
let ada: Customer;
let bob: Customer;
let productId: string;

const probe = await redisForTests();
await probe?.close();

/** Calls between services are function calls in the one, and HTTP in the other. */
const topologies = [
  { name: "in one process", start: () => oneProcess("postgres") },
  ...(probe === undefined ? [] : [{ name: "in six processes", start: () => sixProcesses() }]),
];

const get = (path: (owner: Customer) => string): Row["call"] => {
  return (token, owner) => client.call("GET", path(owner), { token });
};
const rows: Readonly<Record<string, Row>> = {
  "UserService.GetUser": { call: get(({ id }) => `/api/users/${id}`), other: "not found" },
  "UserService.UpdateUser": {
    call: (token, { id }) =>
      client.call("PATCH", `/api/users/${id}`, { token, body: { name: "Ada" }, key: randomUUID() }),
    other: "not found",
  },
  "OrderService.GetOrder": { call: get(({ orderId }) => `/api/orders/${orderId}`), other: "not found" },
  "OrderService.ListOrders": { call: get(({ id }) => `/api/orders?userId=${id}`), other: "denied" },
  "OrderService.ListOrderEvents": { call: get(({ orderId }) => `/api/orders/${orderId}/events`), other: "not found" },
  "OrderService.CancelOrder": {
    call: (token, { orderId }) => client.post(`/api/orders/${orderId}:cancel`, { token }),
    other: "not found",
  },
  // A stream reports errors in its last envelope, with status 200.
  "OrderService.WatchOrder": {
    call: (token, { orderId }) =>
      client.settled(token, orderId).then(
        (body) => ({ status: 200, body }),
        (error: unknown) => ({ status: String(error).includes('"not_found"') ? 404 : 500, body: {} }),
      ),
    other: "not found",
  },
  // An order belongs to its caller: the request cannot name another customer.
  "OrderService.CreateOrder": {
    call: (token, owner) => {
      const items = [{ productId, quantity: 1 }];
      const another = owner === ada ? {} : { userId: owner.id };
      return client.post("/api/orders", {
        token,
        body: { items, paymentMethod: "pm_test_approved", ...another },
      });
    },
    other: "malformed",
  },
  "PaymentService.GetPayment": { call: get(({ paymentId }) => `/api/payments/${paymentId}`), other: "not found" },
  "PaymentService.ListPayments": { call: get(({ orderId }) => `/api/payments?orderId=${orderId}`), other: "nothing" },
  "NotificationService.ListNotifications": {
    call: get(({ id }) => `/api/notifications?userId=${id}`),
    other: "denied",
  },
};

it("has a row for every method that the contract calls owned", () => {
  const services = Object.values<unknown>(contracts).filter(isService);
  const owned = services
    .flatMap((service) => service.methods)
    .filter((method) => getOption(method, contracts.access).owned)
    .map((method) => `${method.parent.name}.${method.name}`);
  expect(Object.keys(rows).toSorted()).toEqual(owned.toSorted());
});

describe.each(topologies)("$name", ({ start }) => {
  beforeAll(async () => {
    topology = await start();
    client = await openRestClient(topology);
    productId = await client.product({ stock: 10 });
    const customer = async (): Promise<Customer> => {
      const person = await client.customer();
      const { id: orderId } = await client.order(person.token, productId);
      await client.settled(person.token, orderId);
      const [payment] = await client.payments(orderId);
      return { ...person, orderId, paymentId: payment.id };
    };
    ada = await customer();
    bob = await customer();
  });
  afterAll(() => topology.stop());

  describe.each(Object.entries(rows))("%s", (_name, { call, other }) => {
    it("reaches a customer's own", async () => {
      expect((await call(ada.token, ada)).status).toBe(200);
    });

    it("does not reach another's", async () => {
      const { status, body } = await call(ada.token, bob);
      if (other !== "nothing") expect(status).toBe(statuses[other]);
      else expect([status, Object.values(body).flat().join("")]).toEqual([200, ""]);
    });
  });
});

function isService(value: unknown): value is import("@bufbuild/protobuf").DescService {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "service";
}
