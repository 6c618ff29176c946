import { openRateLimits, type RateLimits } from "@rialto/service";
import { redisForTests } from "@rialto/testing";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

const redis = await redisForTests();
afterAll(() => redis?.close());
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** Starts a gateway with a limit, counted in this process or in the given Redis. */
async function limited(
  requests: number,
  redisUrl?: string,
  backendAddresses: readonly string[] = [],
): Promise<{ system: StubSystem; limits: RateLimits }> {
  const limits = openRateLimits({ redisUrl, redisPrefix: "rialto-test" });
  while (redisUrl === redis?.url && redisUrl !== undefined && limits.state() !== "shared")
    await new Promise((resolve) => setTimeout(resolve, 5));
  const gateway = {
    rateLimits: limits,
    requestLimits: { store: limits, requests, windowSeconds: 900 },
    trustedProxies: ["127.0.0.1"],
    backendAddresses,
  };
  const system = await startStubSystem({}, { gateway });
  open.push(() => system.close(), limits.close);
  return { system, limits };
}

const from = (address: string) => ({ "x-forwarded-for": address });
const list = (system: StubSystem, headers: Record<string, string>) => fetch(`${system.url}/api/products`, { headers });
const person = async (system: StubSystem) => ({ authorization: `Bearer ${await system.token("CUSTOMER")}` });

describe("the limit of a caller", () => {
  it("is reported in the headers of every response, and in Retry-After when it is reached", async () => {
    const { system } = await limited(2);
    const first = await list(system, from("203.0.113.1"));
    expect(first.headers.get("ratelimit-policy")).toBe('"default";q=2;w=900');
    expect(first.headers.get("ratelimit")).toMatch(/^"default";r=1;t=(900|899)$/);
    await list(system, from("203.0.113.1"));
    const third = await list(system, from("203.0.113.1"));
    expect(third.status).toBe(429);
    expect(Number(third.headers.get("retry-after"))).toBeGreaterThan(890);
    expect(await third.json()).toMatchObject({ code: 8, details: [{ reason: "RATE_LIMITED" }] });
  });

  it("is a user's own from any address, and an address's own for anonymous calls", async () => {
    const { system } = await limited(2);
    const ada = await person(system);
    const order = (address: string) =>
      fetch(`${system.url}/api/orders/${orderId}`, { headers: { ...ada, ...from(address) } });
    expect([(await order("203.0.113.1")).status, (await order("203.0.113.2")).status]).toEqual([200, 200]);
    expect((await order("203.0.113.3")).status).toBe(429);
    expect((await list(system, from("203.0.113.1"))).status).toBe(200);
    expect((await list(system, from("203.0.113.2"))).status).toBe(200);
  });

  it("is not evaded by a forged address, nor by an invalid token", async () => {
    const { system } = await limited(3);
    const made = (first: string) => ({ "x-forwarded-for": `${first}, 203.0.113.1` });
    await list(system, made("10.1.1.1"));
    await list(system, { ...made("10.1.1.2"), forwarded: "for=198.51.100.1" });
    await list(system, { ...made("10.1.1.3"), authorization: "Bearer no.token.atall" });
    expect((await list(system, { ...made("10.1.1.4"), authorization: "Bearer another.one.still" })).status).toBe(429);
  });

  it("is an account's own for a shop's own server, whose address has none", async () => {
    const { system } = await limited(2, undefined, ["203.0.113.1"]);
    for (let call = 0; call < 5; call += 1) expect((await list(system, from("203.0.113.1"))).status).toBe(200);
    const ada = { ...(await person(system)), ...from("203.0.113.1") };
    const statuses: number[] = [];
    for (let call = 0; call < 3; call += 1)
      statuses.push((await fetch(`${system.url}/api/orders/${orderId}`, { headers: ada })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it("of sign-ups is their own: thirty from one address in a quarter of an hour", async () => {
    const { system } = await limited(1);
    const signUp = (address: string) =>
      fetch(`${system.url}/api/users`, {
        method: "POST",
        headers: { "content-type": "application/json", ...from(address) },
        body: JSON.stringify({ email: "ada@example.com", name: "Ada", password: "a long password" }),
      });
    for (let call = 0; call < 30; call += 1) expect((await signUp("203.0.113.1")).status).toBe(200);
    expect((await signUp("203.0.113.1")).status).toBe(429);
    expect((await signUp("203.0.113.2")).status).toBe(200);
  });

  it("is one for all addresses of an IPv6 network, in any spelling", async () => {
    const { system } = await limited(3);
    const statusFrom = async (address: string) => (await list(system, from(address))).status;
    const inside = ["2001:db8:1:2::1", "2001:DB8:0001:2::2", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:0::1"];
    const statuses: number[] = [];
    for (const address of inside) statuses.push(await statusFrom(address));
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(await statusFrom("2001:db8:1:3::1")).toBe(200);
  });

  it("counts unknown paths too, and never health", async () => {
    const { system } = await limited(1);
    const get = async (path: string) => (await fetch(system.url + path)).status;
    expect([await get("/api/nothing"), await get("/api/nothing")]).toEqual([404, 429]);
    expect([await get("/health"), await get("/ready"), await get("/health/services")]).toEqual([200, 200, 200]);
  });

  it("is separate for a method that has its own in the contract", async () => {
    const { system } = await limited(1);
    const reset = () =>
      fetch(`${system.url}/api/auth/password-reset`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"email":"ada@example.com"}',
      });
    expect((await reset()).headers.get("ratelimit-policy")).toBe('"RequestPasswordReset";q=10;w=900');
    for (let call = 0; call < 9; call += 1) expect((await reset()).status).toBe(200);
    expect((await reset()).status).toBe(429);
    expect((await list(system, {})).status).toBe(200);
  });

  it("is a customer's for orders and cancellations, and not an admin's", async () => {
    const { system } = await limited(1_000);
    const policyOf = async (role: "CUSTOMER" | "ADMIN", path: string, body: string) => {
      const headers = { authorization: `Bearer ${await system.token(role)}`, "content-type": "application/json" };
      const response = await fetch(`${system.url}${path}`, { method: "POST", headers, body });
      return response.headers.get("ratelimit-policy");
    };
    const order = `{"items":[{"productId":"${orderId}","quantity":1}],"paymentMethod":"pm_test_approved"}`;
    expect(await policyOf("CUSTOMER", "/api/orders", order)).toBe('"CreateOrder";q=60;w=900');
    expect(await policyOf("CUSTOMER", `/api/orders/${orderId}:cancel`, "{}")).toBe('"CancelOrder";q=30;w=900');
    expect(await policyOf("ADMIN", "/api/orders", order)).toBe('"default";q=1000;w=900');
    expect(await policyOf("ADMIN", `/api/orders/${orderId}:cancel`, "{}")).toBe('"default";q=1000;w=900');
  });

  it("is said as resource_exhausted in gRPC and Connect", async () => {
    const { system } = await limited(1);
    await list(system, {});
    const response = await fetch(`${system.url}/rialto.product.v1.ProductService/ListProducts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect([response.status, await response.json()]).toMatchObject([429, { code: "resource_exhausted" }]);
  });
});

describe.runIf(redis !== undefined)("two gateways on one Redis", () => {
  it("hold one limit exactly: the 101st request is refused, over both, however many come at once", async () => {
    const both = [await limited(100, redis?.url), await limited(100, redis?.url)];
    const calls = Array.from({ length: 130 }, (_, call) =>
      list((both[call % 2] ?? both[0])?.system as StubSystem, from("203.0.113.77")),
    );
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
  });

  it("continue with local limits while Redis is gone, and say so in their health", async () => {
    const own = await redisForTests();
    if (own === undefined) throw new Error("there was one a moment ago");
    const { system, limits } = await limited(3, own.url);
    while (limits.state() !== "shared") await new Promise((resolve) => setTimeout(resolve, 5));
    const health = async () => (await (await fetch(`${system.url}/health/services`)).json()) as Record<string, unknown>;
    expect((await list(system, from("203.0.113.5"))).status).toBe(200);
    expect(await health()).toMatchObject({ status: "ok", rateLimits: "shared" });
    await own.close();
    const statuses: number[] = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await list(system, from("203.0.113.5"))).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(await health()).toMatchObject({ status: "degraded", rateLimits: "local-fallback" });
  });
});
