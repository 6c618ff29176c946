import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { OrderService } from "@rialto/contracts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { backgroundContext, createClient, createUpstream, type HttpRequest, listen, reasonOf } from "../src/index.ts";
import { createRetryBudget } from "../src/upstream/retry.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople } from "./keys.ts";
import { bytesOf, textOf } from "./transports.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const close of open.splice(0)) await close();
});

/** A replica that can be stopped and started at one address, and counts the connections that were made to it. */
async function replica(answer: (n: number) => "ok" | "hang up" | "silent" = () => "ok") {
  let seen = 0;
  const paths: (string | undefined)[] = [];
  let connections = 0;
  let server: Server | undefined;
  let port = 0;
  const start = async () => {
    server = createServer((req, res) => {
      seen += 1;
      paths.push(req.url);
      const how = answer(seen);
      if (how === "hang up") req.socket.destroy();
      else if (how === "ok") res.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    server.on("connection", () => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  };
  const stop = () => {
    server?.closeAllConnections();
    return new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  };
  await start();
  open.push(stop);
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    stop,
    seen: () => seen,
    paths: () => paths,
    connections: () => connections,
  };
}

/** Its first choice among replicas with no call in progress is the first one. */
function upstreamOf(...urls: string[]) {
  const upstream = createUpstream({ kind: "remote", urls, random: () => 0 });
  open.push(() => upstream.close());
  return upstream;
}

/** However long a test takes, no pause of a breaker passes meanwhile. */
const stopTheClock = () => vi.useFakeTimers({ toFake: ["Date"] });

const request = (timeoutMs = 5_000): HttpRequest => ({
  url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
  method: "POST",
  header: new Headers({ "content-type": "application/json", "connect-timeout-ms": `${timeoutMs}` }),
  body: bytesOf("{}"),
});
const outcome = (work: ReturnType<ReturnType<typeof upstreamOf>["fetch"]>) =>
  work.then(
    async (response) => `${response.status} ${await textOf(response)}`,
    (error: unknown) => reasonOf(error) ?? "?",
  );

describe("a replica that fails time and again", () => {
  it("is left alone, while the others answer and no caller notices", async () => {
    const [bad, good] = [await replica(() => "hang up"), await replica()];
    const upstream = upstreamOf(bad.url, good.url);
    stopTheClock();
    for (let call = 0; call < 40; call += 1)
      expect(await outcome(upstream.fetch(request(), { isSafe: true }))).toBe("200 {}");
    expect(bad.seen()).toBeLessThan(10);
    expect(upstream.status()).toMatchObject([
      { breaker: "open", lastError: { class: "reset" } },
      { breaker: "closed", lastError: undefined },
    ]);
  });

  it("is tried all the same where the others fail too, so that the first one that is back is found at once", async () => {
    const [a, b] = [await replica(), await replica()];
    const upstream = upstreamOf(a.url, b.url);
    stopTheClock();
    await Promise.all([a.stop(), b.stop()]);
    for (let call = 0; call < 10; call += 1)
      expect(await outcome(upstream.fetch(request(), { isSafe: true }))).toBe("TEMPORARILY_UNAVAILABLE");
    expect(upstream.status()).toMatchObject([{ breaker: "open" }, { breaker: "open" }]);
    await b.start();
    expect(await outcome(upstream.fetch(request(), { isSafe: true }))).toBe("200 {}");
    expect(upstream.status()).toMatchObject([{ breaker: "open" }, { breaker: "closed" }]);
  });

  it("is used again once it is back, without a restart", async () => {
    const only = await replica();
    const upstream = upstreamOf(only.url);
    await only.stop();
    for (let call = 0; call < 5; call += 1) await outcome(upstream.fetch(request(), { isSafe: false }));
    expect(upstream.status()).toMatchObject([{ breaker: "open", lastError: { class: "refused" } }]);
    await only.start();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    expect(await outcome(upstream.fetch(request(), { isSafe: true }))).toBe("200 {}");
    expect(upstream.status()).toMatchObject([{ breaker: "closed", lastError: { class: "refused" } }]);
  });

  it("is found back also where no call may be sent twice, and costs none of them", async () => {
    const [bad, good] = [await replica(), await replica()];
    const upstream = upstreamOf(bad.url, good.url);
    const call = () => outcome(upstream.fetch(request(), { isSafe: false }));
    await bad.stop();
    for (let n = 0; n < 5; n += 1) expect(await call()).toBe("200 {}");
    expect(upstream.status()).toMatchObject([{ breaker: "open" }, { breaker: "closed" }]);
    await bad.start();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    expect(await call()).toBe("200 {}");
    await expect.poll(() => upstream.status()).toMatchObject([{ breaker: "closed" }, { breaker: "closed" }]);
    expect(bad.paths()).toEqual(["/health"]);
  });

  it("is tried by one call at a time", async () => {
    const only = await replica((n) => (n <= 5 ? "hang up" : "silent"));
    const upstream = upstreamOf(only.url);
    for (let call = 0; call < 5; call += 1) await outcome(upstream.fetch(request(), { isSafe: false }));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    const calls = Array.from({ length: 10 }, () => outcome(upstream.fetch(request(900), { isSafe: true })));
    expect((await Promise.all(calls)).toSorted()).toEqual([
      "DEADLINE_PASSED",
      ...Array(9).fill("TEMPORARILY_UNAVAILABLE"),
    ]);
    expect(only.seen()).toBe(6);
  });

  it("is skipped or tried at each instant, also where the clock ticks while its breaker opens", async () => {
    const [bad, good] = [await replica((n) => (n <= 5 ? "hang up" : "ok")), await replica()];
    const upstream = upstreamOf(bad.url, good.url);
    const call = () => outcome(upstream.fetch(request(), { isSafe: true }));
    let now = Date.now();
    let tickMs = 1;
    vi.spyOn(Date, "now").mockImplementation(() => {
      now += tickMs;
      return now;
    });
    for (let n = 0; n < 5; n += 1) await call();
    expect(upstream.status()).toMatchObject([{ breaker: "open" }, { breaker: "closed" }]);
    tickMs = 0;
    const outcomes = new Set<string>();
    // Each millisecond of the longest first pause.
    for (const end = now + 500; now <= end; now += 1) outcomes.add(await call());
    expect([...outcomes]).toEqual(["200 {}"]);
    expect(upstream.status()).toMatchObject([{ breaker: "closed" }, { breaker: "closed" }]);
  });

  it("is one that stays silent too, but not for a caller in a hurry", async () => {
    const only = await replica(() => "silent");
    const upstream = upstreamOf(only.url);
    const call = (timeoutMs: number) => outcome(upstream.fetch(request(timeoutMs), { isSafe: false }));
    await Promise.all(Array.from({ length: 8 }, () => call(50)));
    expect(upstream.status()).toMatchObject([{ breaker: "closed" }]);
    await Promise.all(Array.from({ length: 5 }, () => call(3_000)));
    expect(upstream.status()).toMatchObject([{ breaker: "open", lastError: { class: "silent" } }]);
  });
});

describe("a replica that stays silent to typed calls", () => {
  it("opens its breaker as it does for calls of bytes", async () => {
    const only = await replica(() => "silent");
    const upstream = upstreamOf(only.url);
    const tokens = { for: async () => "a token" };
    const names = { caller: "payment", target: "order", tokens };
    const orders = createClient(OrderService, { kind: "remote", upstream }, names);
    const calls = Array.from({ length: 5 }, () =>
      orders.getOrder({ id: orderId }, backgroundContext({}), { timeoutMs: 3_000 }).catch(reasonOf),
    );
    expect(await Promise.all(calls)).toEqual(Array(5).fill("DEADLINE_PASSED"));
    expect(upstream.status()).toMatchObject([{ breaker: "open", lastError: { class: "silent" } }]);
  });
});

describe("a caller who leaves", () => {
  it("ends no row of failures: a canceled call is inconclusive", async () => {
    const only = await replica((n) => (n === 5 ? "silent" : "hang up"));
    const upstream = upstreamOf(only.url);
    const call = (timeoutMs?: number) => outcome(upstream.fetch(request(timeoutMs), { isSafe: false }));
    for (let n = 0; n < 4; n += 1) await call();
    expect(await call(50)).toBe("DEADLINE_PASSED");
    expect(upstream.status()).toMatchObject([{ breaker: "closed" }]);
    await call();
    expect(upstream.status()).toMatchObject([{ breaker: "open" }]);
  });
});

describe("a replica that is well", () => {
  const well = [{ breaker: "closed", lastError: undefined }];

  it("gets no request whose body is aborted, and is not blamed for it", async () => {
    const only = await replica();
    const upstream = upstreamOf(only.url);
    const tooLarge = new Error("the body is too large");
    async function* breakingOff() {
      yield Buffer.from("{");
      throw tooLarge;
    }
    for (let call = 0; call < 6; call += 1)
      await expect(upstream.fetch({ ...request(), body: breakingOff() }, { isSafe: false })).rejects.toBe(tooLarge);
    expect([only.connections(), upstream.status()]).toEqual([0, well]);
  });

  it("gives no connection away to a body that does not come", async () => {
    const only = await replica();
    const upstream = upstreamOf(only.url);
    async function* stalling() {
      yield Buffer.from("{");
      await new Promise(() => undefined);
    }
    const calls = Array.from({ length: 300 }, () => ({ ...request(100), body: stalling() }));
    const outcomes = await Promise.all(calls.map((call) => outcome(upstream.fetch(call, { isSafe: false }))));
    expect([new Set(outcomes), only.connections()]).toEqual([new Set(["DEADLINE_PASSED"]), 0]);
    expect(await outcome(upstream.fetch(request(), { isSafe: false }))).toBe("200 {}");
  });

  it("passes on as it comes what is asked by many messages", async () => {
    const begun = Promise.withResolvers<void>();
    const only = await replica(() => {
      begun.resolve();
      return "ok";
    });
    async function* messages() {
      yield Buffer.from("{");
      await begun.promise;
      yield Buffer.from("}");
    }
    const work = upstreamOf(only.url).fetch({ ...request(), body: messages() }, { isSafe: false, takesStream: true });
    expect(await outcome(work)).toBe("200 {}");
  });

  it("has the time to say itself that it is late", async () => {
    const people = await createPeople();
    const { endpoint } = createFixture(people, { getOrder: () => new Promise(() => undefined) });
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
    open.push(server.close);
    const upstream = upstreamOf(`http://127.0.0.1:${server.port}`);
    const late = () => {
      const { header, ...call } = { ...request(1_300), body: bytesOf(`{"id":"${orderId}"}`) };
      header.set("authorization", `Bearer ${people.customer}`);
      return outcome(upstream.fetch({ ...call, header }, { isSafe: false }));
    };
    // On a machine that is busy with something else a call may be under way for longer than the time that it has for
    // that.
    const outcomes = () => Promise.all(Array.from({ length: 6 }, late));
    const saysSo = (said: string) => /^504 .*deadline_exceeded/.test(said);
    await expect.poll(async () => (await outcomes()).every(saysSo), { timeout: 30_000 }).toBe(true);
    expect(upstream.status()).toMatchObject([{ breaker: "closed" }]);
  });
});

describe("the retry budget", () => {
  it("is a hundred in hand and a fifth of what is asked", () => {
    const budget = createRetryBudget();
    const spent = () => {
      let count = 0;
      while (budget.spend()) count += 1;
      return count;
    };
    expect(spent()).toBe(100);
    for (let call = 0; call < 51; call += 1) budget.earn();
    expect(spent()).toBe(10);
  });
});
