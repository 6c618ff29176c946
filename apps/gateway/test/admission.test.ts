import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
const sessions: ClientHttp2Session[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  await system.close();
});

const login = "/rialto.user.v1.AuthService/Login";
const cancel = "/rialto.order.v1.OrderService/CancelOrder";
/** The test's client is the trusted proxy, so it sets the client address of each request. */
const behindProxy = { trustedProxies: ["127.0.0.1"], eventLoopDelayMs: () => 0 };
const attacker = "203.0.113.1";
const customer = "198.51.100.1";

const session = () => {
  const made = connectHttp2(system.url);
  made.on("error", () => undefined);
  sessions.push(made);
  return made;
};
const tokenOf = (count: number) =>
  system.token("CUSTOMER", { subject: `01900000-0000-7000-8000-${`${count}`.padStart(12, "0")}` });

/** Returns the status of a login from an address. */
const loginFrom = async (address: string) => {
  const headers = { "content-type": "application/json", "x-forwarded-for": address };
  const body = JSON.stringify({ email: "ada@example.com", password: "a password" });
  return (await fetch(system.url + login, { method: "POST", headers, body })).status;
};

/** Starts a request over HTTP/2 whose body does not end. */
function begin(
  http2: ClientHttp2Session,
  headers: Record<string, string>,
  first: string | Buffer = "{",
): ClientHttp2Stream {
  const stream = http2.request({ ":method": "POST", "content-type": "application/json", ...headers });
  stream.on("error", () => undefined);
  stream.write(first);
  return stream;
}
const statusOf = (stream: ClientHttp2Stream) =>
  new Promise<number>((resolve) => {
    stream.once("response", (headers) => {
      stream.resume();
      resolve(Number(headers[":status"]));
    });
    stream.once("close", () => resolve(0));
  });

describe("bodies that do not end", () => {
  it("hold no place: 14 accounts with 99 each over HTTP/2 keep no one else out", async () => {
    system = await startStubSystem({}, { gateway: behindProxy });
    for (let count = 0; count < 14; count += 1) {
      const authorization = `Bearer ${await tokenOf(count)}`;
      const http2 = session();
      for (let call = 0; call < 99; call += 1)
        begin(http2, { ":path": cancel, authorization, "x-forwarded-for": attacker, "connect-timeout-ms": "60000" });
      // The server has seen them when it answers a ping that came after them.
      await new Promise((resolve) => http2.ping(resolve));
    }
    for (let call = 0; call < 5; call += 1) expect(await loginFrom(customer)).toBe(200);
    // One address may have a thousand of them. More are refused by address alone.
    expect(await loginFrom(attacker)).toBe(503);
    expect((await fetch(`${system.url}/health`, { headers: { "x-forwarded-for": attacker } })).status).toBe(200);
  });

  it("are answered 408 over HTTP/1.1 and HTTP/2 if they drip, and their connection is closed", async () => {
    system = await startStubSystem({}, { gateway: { bodyPace: { ms: 200, bytesPerSecond: 100, msMax: 2_000 } } });
    const socket = connect(Number(new URL(system.url).port), "127.0.0.1");
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.write(`POST ${login} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n`);
    const stream = begin(session(), { ":path": login });
    const drip = setInterval(() => {
      socket.write(".");
      if (!stream.closed) stream.write(".");
    }, 50);
    let text = "";
    const ended = new Promise<void>((resolve) => {
      socket.on("data", (bytes) => {
        text += bytes;
      });
      socket.once("close", () => resolve());
    });
    expect(await statusOf(stream)).toBe(408);
    await ended;
    clearInterval(drip);
    expect(text.slice(0, 12)).toBe("HTTP/1.1 408");
    // An answered stream is closed, even if its client goes on sending.
    await expect.poll(() => stream.closed, { timeout: 10_000 }).toBe(true);
  });

  it("of the address and the caller that hold too much are evicted, while others send theirs", async () => {
    system = await startStubSystem({}, { gateway: { ...behindProxy, inFlightMax: 100 } });
    const large = Buffer.alloc(120_000, " ");
    const http2 = session();
    const headers = { ":path": login, "x-forwarded-for": attacker, "content-length": "130000" };
    const statuses = Array.from({ length: 95 }, () => statusOf(begin(http2, headers, large)));
    expect(await Promise.race(statuses)).toBe(503);
    expect(await loginFrom(customer)).toBe(200);
  });
});

describe("one address with many accounts", () => {
  /** Starts a system whose GetOrder blocks until `go` is called. */
  async function startGated({ callsPerServiceMax = 1_000, inFlightMax = 1_000 } = {}) {
    const go = Promise.withResolvers<void>();
    const state = { begun: 0 };
    const getOrder = async () => {
      state.begun += 1;
      await go.promise;
      return {};
    };
    system = await startStubSystem({ getOrder }, { gateway: { ...behindProxy, callsPerServiceMax, inFlightMax } });
    return { state, go: go.resolve };
  }

  /** Reads an order as an account at an address. */
  function read(http2: ClientHttp2Session, token: string, address: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}`, "x-forwarded-for": address };
    const stream = http2.request({ ":path": `/api/orders/${orderId}`, ...headers });
    stream.on("error", () => undefined);
    return statusOf(stream);
  }

  it("is served if they are 200 customers with one request each, all at once", async () => {
    // All have begun within the deadline of a blocked call on a busy machine too.
    const { state, go } = await startGated({ inFlightMax: 400 });
    const tokens = await Promise.all(Array.from({ length: 200 }, (_, count) => tokenOf(count)));
    const http2 = Array.from({ length: 5 }, session);
    const reads = tokens.map((token, count) => read(http2[count % 5] ?? session(), token, attacker));
    await expect.poll(() => state.begun, { timeout: 20_000 }).toBe(200);
    go();
    expect(new Set(await Promise.all(reads))).toEqual(new Set([200]));
  });

  it("waits for itself while a service has as many calls as it may have, and others are next", async () => {
    const steps: (() => void)[] = [];
    const getOrder = async () => {
      await new Promise<void>((resolve) => steps.push(resolve));
      return {};
    };
    system = await startStubSystem({ getOrder }, { gateway: { ...behindProxy, callsPerServiceMax: 2 } });
    const [mallory, ada] = [await tokenOf(1), await tokenOf(2)];
    const http2 = session();
    const attacks = Array.from({ length: 50 }, () => read(http2, mallory, attacker));
    await expect.poll(() => steps.length).toBe(2);
    const mine = read(session(), ada, customer);
    // A blocked call would end by its deadline, so each step releases one that has started.
    const going = setInterval(() => steps.shift()?.(), 50);
    expect(await mine).toBe(200);
    const callers = system.calls.map(({ caller }) => (caller.kind === "user" ? caller.userId : ""));
    expect(callers.findIndex((userId) => userId.endsWith("2"))).toBeLessThan(30);
    expect(new Set(await Promise.all(attacks))).toEqual(new Set([200]));
    clearInterval(going);
  });

  it("is refused above 70 % of the places, and leaves the rest to others", async () => {
    // A hundred places are filled within the deadline of a blocked call on a busy machine too.
    const { state, go } = await startGated({ inFlightMax: 100 });
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, count) => tokenOf(count)));
    const http2 = Array.from({ length: 12 }, session);
    let refused = 0;
    const attacks = Array.from({ length: 120 }, async (_, count) => {
      const status = await read(http2[count % 12] ?? session(), tokens[count % 50] ?? "", attacker);
      if (status === 503) refused += 1;
    });
    await expect.poll(() => [state.begun, refused], { timeout: 20_000 }).toEqual([70, 50]);
    const mine = read(session(), await tokenOf(99), customer);
    await expect.poll(() => state.begun).toBe(71);
    go();
    expect(await mine).toBe(200);
    await Promise.all(attacks);
    expect(refused).toBe(50);
  });
});
