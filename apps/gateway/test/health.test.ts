import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const health = async (path: string) => {
  const response = await fetch(system.url + path);
  return { status: response.status, body: JSON.stringify(await response.json()) };
};

describe("the gateway's health", () => {
  it("is that it lives, that it takes requests, and how each service stands", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    expect(await health("/health")).toEqual({ status: 200, body: '{"status":"ok"}' });
    expect(await health("/ready")).toEqual({ status: 200, body: '{"status":"ok"}' });
    const { body } = await health("/health/services");
    expect(JSON.parse(body)).toMatchObject({
      status: "ok",
      services: expect.arrayContaining([
        { service: "order", replicas: [{ replica: 1, breaker: "closed", lastError: null }] },
      ]),
    });
  });

  it("tells of a service that is gone, in which way, and not where it was; and calls are refused at once", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    const authorization = `Bearer ${await system.token("CUSTOMER")}`;
    const order = () => fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    await system.stopServices();
    for (let call = 0; call < 4; call += 1) expect((await order()).status).toBe(503);
    const { body } = await health("/health/services");
    const told = JSON.parse(body);
    const { replicas } = told.services.find(({ service }: { service: string }) => service === "order");
    expect(told.status).toBe("degraded");
    expect(replicas).toEqual([
      { replica: 1, breaker: "open", lastError: { class: "refused", time: expect.any(String) } },
    ]);
    expect(body).not.toMatch(/127\.0\.0\.1|http:|ECONN/);
    expect((await health("/ready")).status).toBe(200);
  });
});
