import { EventEmitter } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import type { Caller, UserId } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { createLoadShedding, type LoadShedding } from "../src/admission/load-shedding.ts";
import type { Exchange } from "../src/exchange/exchange.ts";
import type { GatewayOptions } from "../src/options.ts";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem | undefined;
afterEach(() => system?.close());
async function startWith(gateway: Partial<GatewayOptions>): Promise<string> {
  system = await startStubSystem({}, { gateway });
  return system.url;
}

describe("a client that takes too much", () => {
  it("is refused a URL that is too long, and headers that are too large", async () => {
    const url = await startWith({});
    expect((await fetch(`${url}/api/products?pageToken=${"a".repeat(8_200)}`)).status).toBe(414);
    expect((await fetch(`${url}/api/products`, { headers: { "x-much": "a".repeat(17_000) } })).status).toBe(431);
  });

  it("has so many connections and no more, until one is closed", async () => {
    const url = await startWith({ clientConnectionsMax: 3 });
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
  const signedIn = { authorization: "Bearer a token" };
  /** A request without a body, of a client that is still connected. */
  const exchange = (clientAddress = "203.0.113.1", headers: Record<string, string> = signedIn) => {
    const request = Object.assign(Readable.from([]), { headers });
    const signal = new AbortController().signal;
    // The fields of an exchange that are read here.
    const response = new EventEmitter();
    const onClose = (listener: () => void) => response.once("close", listener);
    return { request, response, onClose, clientAddress, signal } as unknown as Exchange;
  };
  const isBusy = (work: () => unknown) => {
    try {
      work();
      return false;
    } catch (error) {
      return String(error).includes("Too busy");
    }
  };
  /** Begins a request and takes its place. */
  async function take(load: LoadShedding, caller: Caller, address?: string) {
    const one = exchange(address);
    const inFlight = load.begin(one);
    inFlight.identified(caller);
    await inFlight.receive(1_024, { service: "order", isStream: false });
    return one;
  }
  const isRefused = (taken: Promise<unknown>) =>
    taken.then(
      () => false,
      (error) => String(error).includes("Too busy"),
    );

  it("refuses customers and keeps a reserve for admins", async () => {
    const load = createLoadShedding({ inFlightMax: 10, eventLoopDelayMs: () => 0, callsPerServiceMax: 1_000 });
    const taken = [];
    const account = (count: number): Caller => ({ ...customer, userId: `account ${count}` as UserId });
    for (let count = 0; count < 10; count += 1) taken.push(await take(load, account(count), `203.0.113.${count}`));
    expect(await isRefused(take(load, customer, "198.51.100.1"))).toBe(true);
    expect(await isRefused(take(load, admin))).toBe(false);
    expect(await isRefused(take(load, admin))).toBe(true);
    for (const one of taken) one.response.emit("close");
    expect(await isRefused(take(load, customer))).toBe(false);
  });

  it("refuses the address with the most first, and serves the others", async () => {
    const load = createLoadShedding({ inFlightMax: 100, eventLoopDelayMs: () => 0, callsPerServiceMax: 1_000 });
    const account = (count: number): Caller => ({ ...customer, userId: `account ${count}` as UserId });
    const results: boolean[] = [];
    for (let count = 0; count < 200; count += 1) results.push(await isRefused(take(load, account(count % 50))));
    expect(results.filter((isRefusedNow) => !isRefusedNow)).toHaveLength(70);
    for (let count = 0; count < 20; count += 1)
      expect(await isRefused(take(load, account(100 + count), `198.51.100.${count}`))).toBe(false);
  });

  it("counts a shop's own server by the accounts that it acts for, and not by its address", async () => {
    const isBackend = (address: string) => address === "10.0.0.9";
    const load = createLoadShedding({
      inFlightMax: 100,
      eventLoopDelayMs: () => 0,
      callsPerServiceMax: 1_000,
      isBackend,
    });
    const account = (count: number): Caller => ({ ...customer, userId: `account ${count}` as UserId });
    for (let count = 0; count < 95; count += 1)
      expect(await isRefused(take(load, account(count), "10.0.0.9"))).toBe(false);
    const sameAccount = account(0);
    const more: boolean[] = [];
    for (let count = 0; count < 20; count += 1) more.push(await isRefused(take(load, sameAccount, "10.0.0.9")));
    expect(more).toContain(true);
    expect(await isRefused(take(load, account(99), "10.0.0.9"))).toBe(false);
  });

  it("does so too while the event loop is late, and serves those that send little", () => {
    let delayMs = 0;
    const load = createLoadShedding({ inFlightMax: 1_000, eventLoopDelayMs: () => delayMs });
    for (let count = 0; count < 100; count += 1) expect(load.refuses("203.0.113.1")).toBe(false);
    expect(load.refuses("198.51.100.1")).toBe(false);
    const heavy = load.begin(exchange("203.0.113.1"));
    const light = load.begin(exchange("198.51.100.1"));
    delayMs = 500;
    expect([isBusy(() => heavy.identified(customer)), isBusy(() => heavy.identified(admin))]).toEqual([true, false]);
    expect(isBusy(() => light.identified(customer))).toBe(false);
    expect([load.refuses("203.0.113.1"), load.refuses("198.51.100.1")]).toEqual([true, false]);
    delayMs = 1_700;
    expect(load.refuses("192.0.2.1")).toBe(true);
    load.close();
  });

  it("counts streams by their caller, who may have so many", () => {
    const load = createLoadShedding({ inFlightMax: 10, eventLoopDelayMs: () => 0, callsPerServiceMax: 1_000 });
    const open = () => {
      const one = exchange();
      const inFlight = load.begin(one);
      inFlight.identified(customer);
      inFlight.stream("order");
      return one;
    };
    const streams = Array.from({ length: 50 }, open);
    expect(open).toThrow("50 streams");
    streams[0]?.response.emit("close");
    expect(open).not.toThrow();
  });

  it("counts a stream once less when it has failed, and not again when its response is sent", () => {
    const load = createLoadShedding({ inFlightMax: 10, streamsPerCallerMax: 2, eventLoopDelayMs: () => 0 });
    const open = () => {
      const one = exchange();
      const inFlight = load.begin(one);
      inFlight.identified(customer);
      inFlight.stream("order");
      return { inFlight, response: one.response };
    };
    const failed = open();
    open();
    failed.inFlight.answered();
    failed.response.emit("close");
    open();
    expect(open).toThrow("2 streams");
  });

  it("refuses streams by address before the service has none left for others", () => {
    const load = createLoadShedding({ inFlightMax: 10, streamsMaxOf: () => 100, eventLoopDelayMs: () => 0 });
    const open = (count: number, address: string) => {
      const inFlight = load.begin(exchange(address));
      inFlight.identified({ ...customer, userId: `account ${count}` as UserId });
      inFlight.stream("order");
    };
    for (let count = 0; count < 70; count += 1) open(count, "203.0.113.1");
    expect(isBusy(() => open(70, "203.0.113.1"))).toBe(true);
    expect(isBusy(() => open(71, "198.51.100.1"))).toBe(false);
  });

  it("counts the streams of one IPv6 network together, for anonymous callers", () => {
    const load = createLoadShedding({ inFlightMax: 10, streamsPerCallerMax: 2, eventLoopDelayMs: () => 0 });
    const open = (address: string) => load.begin(exchange(address)).stream("grpc");
    open("2001:db8:1:2::1");
    open("2001:db8:1:2::2");
    expect(() => open("2001:db8:1:2::3")).toThrow("2 streams");
    expect(() => open("2001:db8:1:3::1")).not.toThrow();
  });

  it("refuses in each protocol, before anything else is done for a request", async () => {
    const url = await startWith({ eventLoopDelayMs: () => 2_000 });
    const path = "/rialto.order.v1.OrderService/GetOrder";
    const post = (type: string) => fetch(url + path, { method: "POST", headers: { "content-type": type }, body: "{}" });
    const connected = await post("application/json");
    expect([connected.status, await connected.json()]).toMatchObject([503, { code: "unavailable" }]);
    const streamed = await post("application/connect+json");
    expect([streamed.status, await streamed.text()]).toMatchObject([200, expect.stringContaining('"unavailable"')]);
    const web = await post("application/grpc-web+proto");
    expect([web.status, web.headers.get("grpc-status")]).toEqual([200, "14"]);
    const rest = await fetch(`${url}/api/orders`);
    expect([rest.status, rest.headers.get("retry-after"), await rest.json()]).toMatchObject([503, "1", { code: 14 }]);
    expect(rest.headers.get("x-content-type-options")).toBe("nosniff");
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect(system?.calls).toEqual([]);
  });

  it("says 503 and when to try again, and health is answered all the same", async () => {
    const url = await startWith({ inFlightMax: 0 });
    const answer = await fetch(`${url}/api/products`);
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
