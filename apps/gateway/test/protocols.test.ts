import { request as requestHttp1 } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, Order_Status, OrderService } from "@rialto/contracts";
import { CallError, callErrors } from "@rialto/rpc";
import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";
import { createGrpcWebTextTransport } from "./web-text-transport.ts";

let system: StubSystem;
afterEach(() => system.close());

const transports: Readonly<Record<string, (baseUrl: string) => Transport>> = {
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect by GET": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  "gRPC over HTTP/2": (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
  "gRPC-Web's text mode over HTTP/1.1": (baseUrl) => createGrpcWebTextTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web's text mode over HTTP/2": (baseUrl) => createGrpcWebTextTransport({ baseUrl, httpVersion: "2" }),
};

const places = [
  ["in the gateway's process", false],
  ["in another process", true],
] as const;

async function headers() {
  return { authorization: `Bearer ${await system.token("CUSTOMER")}` };
}

async function refusalOf(work: Promise<unknown>) {
  const error = ConnectError.from(
    await work.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  return { code: error.code, reason: error.findDetails(ErrorInfoSchema)[0]?.reason };
}

describe.each(places)("a service %s", (_place, overNetwork) => {
  describe.each(Object.entries(transports))("spoken to by %s", (_name, transportTo) => {
    const clientOf = () => createClient(OrderService, transportTo(system.url));

    it("answers a call", async () => {
      system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) }, { overNetwork });
      const answer = await clientOf().getOrder({ id: orderId }, { headers: await headers() });
      expect(answer.order?.id).toBe(orderId);
    });

    it("streams", async () => {
      const seen = Promise.withResolvers<void>();
      system = await startStubSystem(
        {
          async *watchOrder({ id }) {
            yield { order: { id, status: Order_Status.PENDING } };
            await seen.promise;
            yield { order: { id, status: Order_Status.CONFIRMED } };
          },
        },
        { overNetwork },
      );
      const statuses: unknown[] = [];
      for await (const { order } of clientOf().watchOrder({ id: orderId }, { headers: await headers() })) {
        statuses.push(order?.status);
        seen.resolve();
      }
      expect(statuses).toEqual([Order_Status.PENDING, Order_Status.CONFIRMED]);
    });

    it("is canceled when the client leaves", async () => {
      const left = Promise.withResolvers<void>();
      system = await startStubSystem(
        {
          async *watchOrder({ id }, ctx) {
            ctx.signal.addEventListener("abort", () => left.resolve());
            yield { order: { id } };
            await left.promise;
          },
        },
        { overNetwork },
      );
      const leave = new AbortController();
      const watch = clientOf().watchOrder({ id: orderId }, { headers: await headers(), signal: leave.signal });
      await watch[Symbol.asyncIterator]().next();
      leave.abort();
      await left.promise;
      await expect.poll(() => system.lines.at(-1)).toMatchObject({ status: 499, code: "canceled" });
    });

    it("refuses with code and reason, from the service and from the gateway", async () => {
      system = await startStubSystem(
        {
          async getOrder() {
            throw new CallError(callErrors.CHANGED_MEANWHILE);
          },
        },
        { overNetwork },
      );
      const client = clientOf();
      expect(await refusalOf(client.getOrder({ id: orderId }, { headers: await headers() }))).toEqual({
        code: Code.Aborted,
        reason: "CHANGED_MEANWHILE",
      });
      await expect.poll(() => system.lines.at(-1)).toMatchObject({ code: "aborted" });
      expect(await refusalOf(client.getOrder({ id: "1" }, { headers: await headers() }))).toEqual({
        code: Code.InvalidArgument,
        reason: "INVALID_REQUEST",
      });
      expect(await refusalOf(client.getOrder({ id: orderId }))).toEqual({
        code: Code.Unauthenticated,
        reason: "CALLER_REQUIRED",
      });
    });

    it("gets the caller's deadline, and stops at it", async () => {
      system = await startStubSystem({ getOrder: () => new Promise(() => undefined) }, { overNetwork });
      const late = clientOf().getOrder({ id: orderId }, { headers: await headers(), timeoutMs: 150 });
      expect((await refusalOf(late)).code).toBe(Code.DeadlineExceeded);
      // On a busy machine it may have passed before the call arrived.
      await expect.poll(() => system.calls.map(({ signal }) => signal.aborted)).not.toContain(false);
    });
  });
});

describe("a client that reads slowly", () => {
  const request = Buffer.concat([Buffer.from([0, 0, 0, 0, 38, 10, 36]), Buffer.from(orderId)]);
  const path = "/rialto.order.v1.OrderService/WatchOrder";

  it.each([
    ["Connect over HTTP/1.1", "in the gateway's process", false],
    ["Connect over HTTP/1.1", "in another process", true],
    ["gRPC over HTTP/2", "in the gateway's process", false],
    ["gRPC over HTTP/2", "in another process", true],
  ])("by %s slows down the stream of a service %s", async (protocol, _place, overNetwork) => {
    let sent = 0;
    const detail = "x".repeat(64 * 1024);
    system = await startStubSystem(
      {
        async *watchOrder() {
          while (sent < sentMax) {
            sent += 1;
            yield { order: { paymentMethod: detail } };
          }
        },
      },
      { overNetwork },
    );
    const stop = protocol.startsWith("gRPC") ? await overHttp2() : await overHttp1();
    // Nothing is read, so the service sends only what the buffers hold.
    let before = -1;
    await expect
      .poll(
        () => {
          const still = sent === before;
          before = sent;
          return still && sent > 0;
        },
        { interval: 200 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(sentMax);
    stop();
  });

  /** More than all buffers hold: 64 MB. */
  const sentMax = 1_000;

  async function overHttp1() {
    const call = requestHttp1(`${system.url}${path}`, {
      method: "POST",
      headers: { ...(await headers()), "content-type": "application/connect+proto" },
    });
    call.on("error", () => undefined);
    call.on("response", (response) => response.on("error", () => undefined).pause());
    call.end(request);
    return () => call.destroy();
  }

  async function overHttp2() {
    const session = connectHttp2(system.url);
    session.on("error", () => undefined);
    const call = session.request({
      ...(await headers()),
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    call.on("error", () => undefined);
    call.pause();
    call.end(request);
    return () => session.destroy();
  }
});

describe("a stream that breaks off at its service", () => {
  it.each(Object.entries(transports))("ends as UNAVAILABLE for %s", async (_name, transportTo) => {
    system = await startStubSystem(
      {
        async *watchOrder({ id }) {
          yield { order: { id } };
          await new Promise(() => undefined);
        },
      },
      { overNetwork: true },
    );
    const watch = createClient(OrderService, transportTo(system.url)).watchOrder(
      { id: orderId },
      { headers: await headers() },
    );
    const read = async () => {
      for await (const _ of watch) void system.stopServices();
    };
    expect((await refusalOf(read())).code).toBe(Code.Unavailable);
  });
});

describe("a service that is down", () => {
  it.each(Object.entries(transports))("is UNAVAILABLE for %s", async (_name, transportTo) => {
    system = await startStubSystem({}, { overNetwork: true });
    await system.stopServices();
    const call = createClient(OrderService, transportTo(system.url)).getOrder(
      { id: orderId },
      { headers: await headers() },
    );
    expect(await refusalOf(call)).toEqual({ code: Code.Unavailable, reason: "TEMPORARILY_UNAVAILABLE" });
  });
});

describe("gRPC-Web's text mode", () => {
  const path = "/rialto.order.v1.OrderService/GetOrder";
  const message = Buffer.concat([Buffer.from([0, 0, 0, 0, 38, 10, 36]), Buffer.from(orderId)]);
  const ask = async (body: string, type = "application/grpc-web-text", to = path) => {
    const response = await fetch(`${system.url}${to}`, {
      method: "POST",
      headers: { ...(await headers()), "content-type": type },
      body,
    });
    return { response, text: await response.text() };
  };
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  /** Decodes the runs of a response, each with its padding. */
  const bytesOf = (text: string) =>
    Buffer.concat([...text.matchAll(/[^=]+={0,2}/g)].map(([run]) => Buffer.from(run, "base64")));

  it.each([
    ["in one run", base64(message)],
    ["in a run for the head and one for the message", base64(message.subarray(0, 5)) + base64(message.subarray(5))],
    ["in a run for each byte", [...message].map((byte) => base64(Buffer.from([byte]))).join("")],
  ])("takes a message %s, and answers in base64", async (_how, body) => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) });
    const { response, text } = await ask(body);
    expect(response.headers.get("content-type")).toBe("application/grpc-web-text+proto");
    expect(text).toMatch(/^([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)+$/);
    expect(bytesOf(text).toString("latin1")).toContain(orderId);
    expect(bytesOf(text).toString("latin1")).toMatch(/grpc-status: ?0/);
  });

  it("responds in the encoding of the request", async () => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) });
    const json = Buffer.from(JSON.stringify({ id: orderId }));
    const body = base64(Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), json]));
    const { response, text } = await ask(body, "application/grpc-web-text+json");
    expect(response.headers.get("content-type")).toBe("application/grpc-web-text+json");
    expect(bytesOf(text).toString()).toContain(`"id":"${orderId}"`);
  });

  it.each([
    ["what is no base64", "this is no base64!", "3", "invalid_argument"],
    ["base64 that is cut off", base64(message).slice(0, 20), "3", "invalid_argument"],
    ["the binary protocol by mistake", message.toString("latin1"), "3", "invalid_argument"],
    // As Connect does for a unary call without a message.
    ["nothing at all", "", "12", "unimplemented"],
  ])("refuses %s as the caller's mistake", async (_what, body, status, code) => {
    system = await startStubSystem({}, { overNetwork: true });
    const { response, text } = await ask(body);
    expect(response.headers.get("content-type")).toMatch(/^application\/grpc-web-text/);
    const trailers = `grpc-status:${response.headers.get("grpc-status")}\n${bytesOf(text).toString("latin1")}`;
    expect([response.status, /grpc-status: ?(\d+)/.exec(trailers)?.[1]]).toEqual([200, status]);
    await expect.poll(() => system.lines.at(-1)?.code).toBe(code);
  });

  it("refuses a body whose base64 is too large", async () => {
    system = await startStubSystem();
    const { response } = await ask(base64(Buffer.alloc(1024 * 1024)));
    expect(response.headers.get("grpc-status")).toBe("8");
    expect(response.headers.get("grpc-message")).toContain("larger than");
  });

  it("reaches gRPC's own services too", async () => {
    system = await startStubSystem();
    const { text } = await ask(
      base64(Buffer.alloc(5)),
      "application/grpc-web-text+proto",
      "/grpc.health.v1.Health/Check",
    );
    const serving = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
    expect(bytesOf(text).subarray(0, serving.length)).toEqual(serving);
    const bad = await ask("no base64!", "application/grpc-web-text", "/grpc.health.v1.Health/Check");
    expect(bad.response.headers.get("grpc-status")).toBe("3");
  });
});

describe("HTTP/2 at the gateway", () => {
  it("carries REST, and ends only the call whose body is too large", async () => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) });
    const session = connectHttp2(system.url);
    const ask = async (head: Record<string, string>, body?: Buffer) => {
      const stream = session.request(head);
      stream.on("error", () => undefined);
      let status: unknown;
      stream.on("response", (headers) => {
        status = headers[":status"];
      });
      stream.end(body);
      let text = "";
      for await (const chunk of stream) text += chunk;
      return { status, text };
    };
    const { authorization } = await headers();
    const large = await ask(
      { ":method": "POST", ":path": "/api/orders", authorization, "content-type": "application/json" },
      Buffer.alloc(2 * 1024 * 1024, " "),
    );
    expect(large.status).toBe(413);
    const order = await ask({ ":path": `/api/orders/${orderId}`, authorization });
    expect(order.status).toBe(200);
    expect(JSON.parse(order.text)).toMatchObject({ id: orderId });
    session.close();
  });
});
