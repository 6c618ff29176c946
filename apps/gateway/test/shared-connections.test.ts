import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { OrderService } from "@rialto/contracts";
import { CallError, callErrors } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

async function orders(more: Record<string, string> = {}) {
  const authorization = `Bearer ${await system.token("CUSTOMER")}`;
  const client = createClient(OrderService, createGrpcTransport({ baseUrl: system.url }));
  return {
    get: (id: string) => client.getOrder({ id }, { headers: { authorization, ...more }, timeoutMs: 60_000 }),
    list: () => client.listOrders({}, { headers: { authorization, ...more } }),
    authorization,
  };
}

const other = "01900000-0000-7000-8000-00000000000b";

describe("the connections between gateway and service, which all calls share", () => {
  it("lose no call to a refusal that is larger than HTTP/2 allows, and the refusal has its code", async () => {
    const slow = Promise.withResolvers<void>();
    system = await startStubSystem(
      {
        async getOrder({ id }) {
          await slow.promise;
          return { order: { id } };
        },
        listOrders: async () =>
          Promise.reject(new CallError(callErrors.PAGE_TOKEN_INVALID, { metadata: { large: "x".repeat(100_000) } })),
      },
      { overNetwork: true },
    );
    const { get, list } = await orders();
    const patient = Array.from({ length: 4 }, () => get(other));
    for (let n = 0; n < 8; n += 1) {
      const code = await list().catch((error: unknown) => ConnectError.from(error).code);
      expect(code).toBe(Code.InvalidArgument);
    }
    slow.resolve();
    expect((await Promise.allSettled(patient)).map(({ status }) => status)).toEqual(patient.map(() => "fulfilled"));
    const health = await (await fetch(`${system.url}/health/services`)).json();
    expect(health).toMatchObject({ status: "ok" });
  });

  it("accept every request head that the gateway accepts", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    const { list, authorization } = await orders({ tracestate: `rialto=${"x".repeat(15_000)}` });
    await list();
    const rest = { headers: { authorization, tracestate: `rialto=${"x".repeat(15_000)}` } };
    expect((await fetch(`${system.url}/api/orders`, rest)).status).toBe(200);
  });
});
