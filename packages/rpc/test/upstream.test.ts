import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { backoffMs } from "@rialto/async";
import { OrderService } from "@rialto/contracts";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  backgroundContext,
  CallError,
  callErrors,
  createClient,
  createUpstream,
  errorResponse,
  type HttpRequest,
  isUnavailable,
  listen,
  reasonOf,
} from "../src/index.ts";
import { isNeverSent, retryBackoff } from "../src/upstream/retry.ts";
import { createFixture, errors, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { bytesOf, textOf } from "./transports.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A replica that answers as it is told, one instruction a request, and counts. */
async function replica(...answers: RequestListener[]) {
  const seen: { body: string; timeoutMs: number }[] = [];
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    seen.push({ body: Buffer.concat(chunks).toString(), timeoutMs: Number(req.headers["connect-timeout-ms"]) });
    (answers[Math.min(seen.length, answers.length) - 1] ?? ok)(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, seen };
}

const ok: RequestListener = (_req, res) => void res.writeHead(200, { "content-type": "application/json" }).end("{}");
const unavailable: RequestListener = (_req, res) =>
  void res.writeHead(503, { "content-type": "application/json" }).end('{"code":"unavailable"}');
const refused: RequestListener = (_req, res) =>
  void res.writeHead(400, { "content-type": "application/json" }).end('{"code":"failed_precondition"}');
const hangUp: RequestListener = (req) => void req.socket.destroy();
const dieHalfway: RequestListener = (_req, res) => {
  res.writeHead(200, { "content-type": "application/json", "content-length": "100" });
  res.write('{"half', () => res.socket?.destroy());
};
const silent: RequestListener = () => undefined;

/** An address where nobody listens. */
async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** Its first choice among replicas with no call in progress is the first one. */
function upstreamOf(...urls: string[]) {
  const upstream = createUpstream({ kind: "remote", urls, random: () => 0 });
  open.push(() => upstream.close());
  return upstream;
}

const request = (o: Partial<HttpRequest> = {}): HttpRequest => ({
  url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
  method: "POST",
  header: new Headers({ "content-type": "application/json" }),
  body: bytesOf('{"id":"1"}'),
  ...o,
});

async function reasonOfLoss(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
}

describe("an upstream with several replicas", () => {
  it("takes the one with fewer calls in progress", async () => {
    const begun = Promise.withResolvers<void>();
    const [a, b] = [await replica(() => begun.resolve()), await replica()];
    const upstream = upstreamOf(a.url, b.url);
    const held = reasonOfLoss(upstream.fetch(request(), { isSafe: false }));
    await begun.promise;
    for (let call = 0; call < 20; call += 1)
      expect((await upstream.fetch(request(), { isSafe: false })).status).toBe(200);
    expect([a.seen.length, b.seen.length]).toEqual([1, 20]);
    upstream.close();
    await held;
  });

  it.each([
    ["says that it is unavailable", unavailable],
    ["hangs up", hangUp],
    ["dies in the middle of its answer", dieHalfway],
  ])("tries the next where one %s and the call is safe to repeat", async (_what, failing) => {
    const [a, b] = [await replica(failing), await replica()];
    const response = await upstreamOf(a.url, b.url).fetch(request(), { isSafe: true });
    expect([response.status, await textOf(response)]).toEqual([200, "{}"]);
    expect([a.seen, b.seen].map(([first]) => first?.body)).toEqual(['{"id":"1"}', '{"id":"1"}']);
  });

  it("sends once what is not safe to repeat", async () => {
    const [a, b] = [await replica(hangUp), await replica()];
    const work = upstreamOf(a.url, b.url).fetch(request(), { isSafe: false });
    expect(await reasonOfLoss(work)).toBe("TEMPORARILY_UNAVAILABLE");
    const [c, d] = [await replica(unavailable), await replica()];
    expect((await upstreamOf(c.url, d.url).fetch(request(), { isSafe: false })).status).toBe(503);
    expect([a, b, c, d].map(({ seen }) => seen.length)).toEqual([1, 0, 1, 0]);
  });

  it("tries the next with any call that never left", async () => {
    const living = await replica();
    const upstream = upstreamOf(await deadUrl(), living.url);
    expect((await upstream.fetch(request(), { isSafe: false })).status).toBe(200);
    expect(living.seen.map(({ body }) => body)).toEqual(['{"id":"1"}']);
  });

  it("tells of each further try, and of none where the first was answered", async () => {
    let retries = 0;
    const good = await replica(unavailable, unavailable, ok, ok);
    const onRetry = () => {
      retries += 1;
    };
    const upstream = createUpstream({ kind: "remote", urls: [good.url], onRetry });
    open.push(() => upstream.close());
    await upstream.fetch(request(), { isSafe: true });
    expect(retries).toBe(2);
    await upstream.fetch(request(), { isSafe: true });
    expect(retries).toBe(2);
  });

  it("gives up after three tries, and does not repeat a refusal", async () => {
    const failing = await replica(unavailable);
    expect((await upstreamOf(failing.url).fetch(request(), { isSafe: true })).status).toBe(503);
    const refusing = await replica(refused);
    expect((await upstreamOf(refusing.url).fetch(request(), { isSafe: true })).status).toBe(400);
    expect([failing.seen.length, refusing.seen.length]).toEqual([3, 1]);
  });

  it("says that nobody is there without saying where", async () => {
    const url = await deadUrl();
    const error = await upstreamOf(url)
      .fetch(request(), { isSafe: true })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ reason: "TEMPORARILY_UNAVAILABLE", code: "unavailable" });
    const { port } = new URL(url);
    expect(String(error)).not.toContain(port);
    expect(
      await textOf(errorResponse(new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause: error }))),
    ).not.toContain(port);
  });

  it("gives every try what is left of the deadline, and stops at it", async () => {
    const failing = await replica(unavailable, unavailable, silent);
    const header = new Headers({ "content-type": "application/json", "connect-timeout-ms": "4000" });
    const work = upstreamOf(failing.url).fetch(request({ header }), { isSafe: true });
    expect(await reasonOfLoss(work)).toBe("DEADLINE_PASSED");
    const given = failing.seen.map(({ timeoutMs }) => timeoutMs);
    expect(given).toHaveLength(3);
    expect(given.toSorted((a, b) => b - a)).toEqual(given);
    expect(given[0]).toBeLessThanOrEqual(4000);
  });

  it.each([
    ["a minute at the most to a call", "application/json", false, 60_000],
    ["ten minutes at the most to a stream", "application/connect+json", true, 600_000],
  ])("gives %s, whatever its caller asks for", async (_what, type, isStream, msMax) => {
    const one = await replica();
    const header = new Headers({ "content-type": type, "connect-timeout-ms": "9000000000" });
    await upstreamOf(one.url).fetch(request({ header }), { isSafe: false, isStream });
    const [given] = one.seen;
    expect(given?.timeoutMs).toBeLessThanOrEqual(msMax);
    expect(given?.timeoutMs).toBeGreaterThan(msMax / 2);
  });

  it("passes a GET on, and refuses a time-out that is none", async () => {
    const methods: unknown[] = [];
    const one = await replica((req, res) => {
      methods.push(`${req.method} ${req.url} ${req.headers["transfer-encoding"]}`);
      ok(req, res);
    });
    const upstream = upstreamOf(one.url);
    const url = "http://upstream/a.B/C?connect=v1";
    const get = request({ method: "GET", url, header: new Headers(), body: bytesOf("") });
    expect((await upstream.fetch(get, { isSafe: true })).status).toBe(200);
    expect(methods).toEqual(["GET /a.B/C?connect=v1 undefined"]);
    const header = new Headers({ "connect-timeout-ms": "soon" });
    expect(await reasonOfLoss(upstream.fetch(request({ header }), { isSafe: true }))).toBe("INVALID_REQUEST");
  });

  it("stops when its caller leaves", async () => {
    const leaving = new AbortController();
    const waiting = await replica(() => leaving.abort());
    const work = upstreamOf(waiting.url).fetch(request({ signal: leaving.signal }), { isSafe: true });
    await expect(work).rejects.toMatchObject({ code: "canceled" });
    expect(waiting.seen).toHaveLength(1);
  });
});

describe("a call whose connection was not made", () => {
  const failure = (o: object) => new Error("fetch failed", { cause: Object.assign(new Error("lost"), o) });

  it.each([
    ["a host that is gone answers nothing", { code: "ETIMEDOUT", syscall: "connect" }],
    ["nobody listens", { code: "ECONNREFUSED", syscall: "connect" }],
  ])("was never sent where %s, so that another replica may have it", (_what, o) => {
    expect(isNeverSent(failure(o))).toBe(true);
  });

  it.each([
    ["a connection that was made times out", { code: "ETIMEDOUT", syscall: "read" }],
    ["it is reset", { code: "ECONNRESET", syscall: "read" }],
  ])("may have been sent where %s", (_what, o) => {
    expect(isNeverSent(failure(o))).toBe(false);
  });
});

describe("a pause between tries", () => {
  it("is drawn from 0 to a bound that doubles, up to a limit", () => {
    const bounds = [1, 2, 3, 10].map((failures) => backoffMs(failures, { ...retryBackoff, jitter: "none" }));
    expect(bounds).toEqual([25, 50, 100, 400]);
    const drawn = Array.from({ length: 1_000 }, () => backoffMs(4, retryBackoff));
    expect(Math.min(...drawn)).toBeLessThan(20);
    expect(Math.max(...drawn)).toBeLessThan(200);
  });
});

describe("a remote client of several replicas", () => {
  let people: People;
  beforeAll(async () => {
    people = await createPeople();
  });

  /** Two replicas of the order service; the handlers of the first, the healthy second. */
  async function twoReplicas(handlers: Parameters<typeof createFixture>[1]) {
    const urls: string[] = [];
    for (const shop of [createFixture(people, handlers), createFixture(people)]) {
      const server = await listen({ endpoint: shop.endpoint, port: 0, host: "127.0.0.1" });
      open.push(server.close);
      urls.push(`http://127.0.0.1:${server.port}`);
    }
    const names = { caller: "gateway", target: "order", tokens: people.gateway };
    return createClient(OrderService, { kind: "remote", upstream: upstreamOf(...urls) }, names);
  }
  const context = () => ({ ...backgroundContext({}), userToken: people.customer });
  const newOrder = { items: [{ productId: orderId, quantity: 2 }], paymentMethod: "pm_test_approved" };

  it("does not notice for a read that one cannot answer", async () => {
    let calls = 0;
    const orders = await twoReplicas({
      getOrder: () => {
        calls += 1;
        return Promise.reject(new CallError(callErrors.TEMPORARILY_UNAVAILABLE));
      },
    });
    for (let call = 0; call < 2; call += 1) {
      expect((await orders.getOrder({ id: orderId }, context())).order?.id).toBe(orderId);
    }
    expect(calls).toBe(2);
  });

  it("repeats a mutation under its key, and never without", async () => {
    const keys: (string | undefined)[] = [];
    const orders = await twoReplicas({
      createOrder: (_request, ctx) => {
        keys.push(ctx.idempotencyKey?.key);
        return Promise.reject(new CallError(callErrors.TEMPORARILY_UNAVAILABLE));
      },
    });
    expect((await orders.createOrder(newOrder, context(), { idempotencyKey: "k-1" })).order?.id).toBe(orderId);
    const lost = await orders.createOrder(newOrder, context()).catch((error: unknown) => error);
    expect(isUnavailable(lost)).toBe(true);
    expect(keys).toEqual(["k-1", undefined]);
  });

  it("does not repeat what was refused", async () => {
    let calls = 0;
    const orders = await twoReplicas({
      getOrder: () => {
        calls += 1;
        return Promise.reject(new CallError(errors.ORDER_NOT_FOUND));
      },
    });
    expect(await reasonOfLoss(orders.getOrder({ id: orderId }, context()))).toBe("ORDER_NOT_FOUND");
    expect(calls).toBe(1);
  });
});
