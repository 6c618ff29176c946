import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { openRateLimits, type RateLimits } from "@rialto/service";
import { afterEach, describe, expect, it } from "vitest";
import type { GatewayOptions } from "../src/options.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
let store: RateLimits | undefined;
const sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await system.close();
  await store?.close();
});

/**
 * Starts a gateway with ten places, and a client that requests each path 20 times and has no window for a byte of the
 * responses.
 */
async function requestUnread(paths: readonly string[], gateway: Partial<GatewayOptions>) {
  system = await startStubSystem({}, { gateway: { inFlightMax: 10, ...gateway } });
  for (const path of paths) {
    const session = connectHttp2(system.url, { settings: { initialWindowSize: 0 } });
    session.on("error", () => undefined);
    sessions.push(session);
    for (let call = 0; call < 20; call += 1) {
      const stream = session.request({ ":path": path });
      stream.on("error", () => undefined);
      await new Promise((resolve) => stream.once("response", resolve));
    }
  }
}

const others = async () => (await fetch(`${system.url}/api/products`)).status;

describe("a client that reads no response", () => {
  it("keeps others out only until the write timeout", async () => {
    // While its responses wait to be read, they hold the places of others.
    await requestUnread(["/api/products"], { writeTimeout: { ms: 600_000, bytesPerSecond: 1 } });
    expect(await others()).toBe(503);
    for (const session of sessions.splice(0)) session.destroy();
    await system.close();
    await requestUnread(["/api/products"], { writeTimeout: { ms: 300, bytesPerSecond: 10_000 } });
    await expect.poll(others).toBe(200);
    await expect.poll(() => system.lines.filter(({ code }) => code === "canceled").length).toBe(20);
  });

  it("keeps no one out with pages and errors, which hold nothing that others need", async () => {
    await requestUnread(["/docs", "/openapi.json", "/nothing", "/api/orders", "/health"], {
      writeTimeout: { ms: 60_000, bytesPerSecond: 1 },
    });
    expect(await others()).toBe(200);
  });

  it("is counted for pages as for calls", async () => {
    store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
    await requestUnread(["/docs"], { requestLimits: { store, requests: 20, windowSeconds: 900 } });
    expect((await fetch(`${system.url}/openapi.json`)).status).toBe(429);
  });
});
