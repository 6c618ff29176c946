import { EventEmitter } from "node:events";
import { connect } from "node:net";
import type { Caller, UserId } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import type { Exchange } from "../src/exchange.ts";
import type { GatewayOptions } from "../src/gateway.ts";
import { createLoad } from "../src/load.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem | undefined;
afterEach(() => system?.close());
async function openDoor(door: Partial<GatewayOptions>): Promise<string> {
  system = await startStubSystem({}, { door });
  return system.url;
}

describe("a web page", () => {
  const page = { origin: "https://shop.example" };
  const preflight = { ...page, "access-control-request-method": "POST" };
  const ask = (url: string, headers: Record<string, string>, method = "GET") =>
    fetch(`${url}/api/products`, { method, headers });

  it("of another origin may not call where none is named", async () => {
    const url = await openDoor({});
    const answer = await ask(url, page);
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask(url, preflight, "OPTIONS")).status).toBe(405);
  });

  it("of a named origin may, and of no other", async () => {
    const url = await openDoor({ corsOrigins: ["https://shop.example"] });
    const told = await ask(url, preflight, "OPTIONS");
    expect([told.status, told.headers.get("access-control-allow-origin")]).toEqual([204, "https://shop.example"]);
    expect(told.headers.get("access-control-allow-credentials")).toBeNull();
    const answer = await ask(url, page);
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    expect(answer.headers.get("vary")).toBe("origin");
    const other = await ask(url, { origin: "https://shop.example.evil" });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask(url, { ...preflight, origin: "null" }, "OPTIONS")).status).toBe(405);
  });

  it("cannot frame, sniff or keep what is answered, errors as well", async () => {
    const url = await openDoor({});
    for (const path of ["/api/products", "/api/orders", "/nothing", "/health"]) {
      const { headers } = await fetch(url + path);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(headers.get("cache-control")).toBe("no-store");
    }
    const docs = await fetch(`${url}/docs`);
    expect(docs.headers.get("content-security-policy")).not.toBe("default-src 'none'; frame-ancestors 'none'");
  });
});

describe("a client that takes too much", () => {
  it("is refused a URL that is too long, and headers that are too large", async () => {
    const url = await openDoor({});
    expect((await fetch(`${url}/api/products?pageToken=${"a".repeat(8_200)}`)).status).toBe(414);
    expect((await fetch(`${url}/api/products`, { headers: { "x-much": "a".repeat(17_000) } })).status).toBe(431);
  });

  it("has so many connections and no more, until one is closed", async () => {
    const url = await openDoor({ clientConnectionsMax: 3 });
    const port = Number(new URL(url).port);
    const opened = await Promise.all(
      Array.from({ length: 3 }, () => {
        const socket = connect(port, "127.0.0.1");
        return new Promise<typeof socket>((resolve) => socket.once("connect", () => resolve(socket)));
      }),
    );
    await expect(fetch(`${url}/health`)).rejects.toThrow();
    opened[0]?.destroy();
    await expect
      .poll(() =>
        fetch(`${url}/health`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    for (const socket of opened) socket.destroy();
  });
});

describe("a gateway at its capacity", () => {
  const admin: Caller = { kind: "user", userId: "a" as UserId, role: "ADMIN", sessionId: "s" };
  const customer: Caller = { ...admin, userId: "c" as UserId, role: "CUSTOMER" };
  const exchange = (clientAddress = "203.0.113.1") =>
    // All that is looked at of an exchange here.
    ({ response: new EventEmitter(), clientAddress }) as unknown as Exchange;
  const isBusy = (work: () => unknown) => {
    try {
      work();
      return false;
    } catch (error) {
      return String(error).includes("Too busy");
    }
  };

  it("turns customers away and keeps a reserve for admins", () => {
    const load = createLoad({ inFlightMax: 10, eventLoopDelayMs: () => 0 });
    const taken = Array.from({ length: 10 }, () => {
      const one = exchange();
      load.begin(one).admit(customer);
      return one;
    });
    expect(isBusy(() => load.begin(exchange()).admit(admin))).toBe(false);
    expect(isBusy(() => load.begin(exchange()))).toBe(true);
    for (const one of taken) one.response.emit("close");
    expect(isBusy(() => load.begin(exchange()).admit(customer))).toBe(false);
  });

  it("does so too where the event loop is late, before it is too late for all", () => {
    let delayMs = 0;
    const load = createLoad({ inFlightMax: 10, eventLoopDelayMs: () => delayMs });
    delayMs = 500;
    const work = load.begin(exchange());
    expect([isBusy(() => work.admit(customer)), isBusy(() => work.admit(admin))]).toEqual([true, false]);
    delayMs = 900;
    expect(isBusy(() => load.begin(exchange()))).toBe(true);
  });

  it("counts streams by their caller, who may have so many", () => {
    const load = createLoad({ inFlightMax: 10, eventLoopDelayMs: () => 0 });
    const streams = Array.from({ length: 50 }, () => {
      const one = exchange();
      load.begin(one).stream(customer);
      return one;
    });
    expect(() => load.begin(exchange()).stream(customer)).toThrow("50 streams");
    streams[0]?.response.emit("close");
    expect(() => load.begin(exchange()).stream(customer)).not.toThrow();
  });

  it("counts the streams of one IPv6 network together, where nobody is signed in", () => {
    const load = createLoad({ inFlightMax: 10, streamsPerCallerMax: 2, eventLoopDelayMs: () => 0 });
    const open = (address: string) => load.begin(exchange(address)).stream({ kind: "anonymous" });
    open("2001:db8:1:2::1");
    open("2001:db8:1:2::2");
    expect(() => open("2001:db8:1:2::3")).toThrow("2 streams");
    expect(() => open("2001:db8:1:3::1")).not.toThrow();
  });

  it("says 503 and when to come again, and health is answered all the same", async () => {
    const url = await openDoor({ inFlightMax: 0 });
    const answer = await fetch(`${url}/api/products`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
