import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { health as grpc } from "@rialto/contracts/grpc";
import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const health = async (path: string) => {
  const response = await fetch(system.url + path);
  return { status: response.status, body: JSON.stringify(await response.json()) };
};

describe("the gateway's health", () => {
  it("is that it lives, that it is ready, and the status of each service", async () => {
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

  it("shows that a service is gone, and how, but not its address; and calls are refused at once", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    expect((await health("/ready")).status).toBe(200);
    const authorization = `Bearer ${await system.token("CUSTOMER")}`;
    const order = () => fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization } });
    await system.stopServices("order");
    for (let call = 0; call < 4; call += 1) expect((await order()).status).toBe(503);
    const { body } = await health("/health/services");
    const report = JSON.parse(body);
    const { replicas } = report.services.find(({ service }: { service: string }) => service === "order");
    expect(report.status).toBe("degraded");
    expect(replicas).toEqual([
      { replica: 1, breaker: "open", lastError: { class: "refused", time: expect.any(String) } },
    ]);
    expect(body).not.toMatch(/127\.0\.0\.1|http:|ECONN/);
    expect((await health("/ready")).status).toBe(200);
  });

  it("stays ready while no service can be reached, shows them, and calls them again when they are back", async () => {
    system = await startStubSystem({}, { overNetwork: true });
    expect((await health("/ready")).status).toBe(200);
    await system.stopServices();
    const ask = (path: string) => fetch(system.url + path, { headers: { authorization } });
    const authorization = `Bearer ${await system.token("ADMIN")}`;
    const paths = ["/api/users", "/api/products", "/api/orders", "/api/payments", "/api/notifications"];
    for (let call = 0; call < 4; call += 1) await Promise.all(paths.map(ask));
    expect((await health("/ready")).status).toBe(200);
    const { services, status } = JSON.parse((await health("/health/services")).body);
    const breakers = services.flatMap(({ replicas }: { replicas: { breaker: string }[] }) =>
      replicas.map(({ breaker }) => breaker),
    );
    expect({ status, breakers }).toEqual({ status: "degraded", breakers: paths.map(() => "open") });
    await system.startServices();
    await expect.poll(async () => (await ask("/api/orders")).status).toBe(200);
  });
});

describe("the status of each service", () => {
  it("is for admins and for requests from the gateway's own machine; others see a summary", async () => {
    const trusted = { trustedProxies: ["127.0.0.1"] };
    system = await startStubSystem({}, { overNetwork: true, gateway: trusted });
    const outside = { "x-forwarded-for": "203.0.113.9" };
    const report = async (headers: Record<string, string>) =>
      Object.keys(Object(await (await fetch(`${system.url}/health/services`, { headers })).json()));
    const bearer = async (role: "CUSTOMER" | "ADMIN") => ({ authorization: `Bearer ${await system.token(role)}` });
    expect(await report(outside)).toEqual(["status"]);
    expect(await report({ ...outside, ...(await bearer("CUSTOMER")) })).toEqual(["status"]);
    expect(await report({ ...outside, authorization: "Bearer nonsense" })).toEqual(["status"]);
    expect(await report({ ...outside, ...(await bearer("ADMIN")) })).toContain("services");
    expect(await report({})).toContain("services");
    await system.close();
    // A proxy that is not configured runs on the same machine too.
    system = await startStubSystem({}, { overNetwork: true });
    expect([await report(outside), await report({ forwarded: "for=203.0.113.9" })]).toEqual([["status"], ["status"]]);
  });
});

describe("a gateway that has just started", () => {
  it("is not ready before each service has reported ready once, and names those that it waits for", async () => {
    const unready = new Set(["order", "notification"]);
    system = await startStubSystem({}, { overNetwork: true, unready });
    const client = createClient(grpc.Health, createGrpcTransport({ baseUrl: system.url }));
    const report = await health("/ready");
    expect(report.status).toBe(503);
    expect(JSON.parse(report.body)).toEqual({
      status: "not ready",
      waiting: ["service notification", "service order"],
    });
    expect((await client.check({})).status).toBe(grpc.HealthCheckResponse_ServingStatus.NOT_SERVING);
    expect((await health("/health")).status).toBe(200);
    unready.delete("order");
    expect(JSON.parse((await health("/ready")).body)).toMatchObject({ waiting: ["service notification"] });
    unready.clear();
    expect((await health("/ready")).status).toBe(200);
    expect((await client.check({})).status).toBe(grpc.HealthCheckResponse_ServingStatus.SERVING);
    unready.add("order");
    expect((await health("/ready")).status).toBe(200);
  });

  it.each([
    ["waits for a service that is not there", undefined, 503],
    ["waits no longer once its time to start is over", 0, 200],
  ])("%s", async (_what, startMsMax, status) => {
    system = await startStubSystem({}, { overNetwork: true, gateway: startMsMax === undefined ? {} : { startMsMax } });
    await system.stopServices("notification");
    expect((await health("/ready")).status).toBe(status);
  });
});
