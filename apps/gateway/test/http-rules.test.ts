import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { openRateLimits } from "@rialto/service";
import { afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const procedure = "/rialto.order.v1.OrderService";
const read = `connect=v1&encoding=json&message=${encodeURIComponent(JSON.stringify({ id: orderId }))}`;

async function ask(
  method: string,
  path: string,
  o: { headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> } = {},
) {
  const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}`, ...o.headers };
  return fetch(system.url + path, { method, headers, ...(o.body === undefined ? {} : { body: o.body }) });
}

/** Sends raw bytes, and returns what arrived until the connection closed. */
async function send(text: string): Promise<string> {
  const socket = connect(Number(new URL(system.url).port), "127.0.0.1");
  socket.write(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}

describe.each([
  ["in the gateway's process", false],
  ["in another process", true],
])("a method of HTTP or a content type that a method %s does not take", (_place, overNetwork) => {
  it.each([
    ["GET", `${procedure}/CreateOrder?${read}`, {}, 405, "allow", "POST"],
    ["GET", `${procedure}/WatchOrder?${read}`, {}, 405, "allow", "POST"],
    ["DELETE", `${procedure}/GetOrder`, {}, 405, "allow", "GET, POST"],
    ["GET", `${procedure}/GetOrder?connect=v1&encoding=xml&message={}`, {}, 415, "accept-post", /application\/json/],
    ["POST", `${procedure}/GetOrder`, { "content-type": "text/plain" }, 415, "accept-post", /application\/json/],
    ["POST", `${procedure}/GetOrder`, { "content-type": "application/connect+json" }, 415, "accept-post", /\/json/],
    ["POST", `${procedure}/WatchOrder`, { "content-type": "application/json" }, 415, "accept-post", /connect\+json/],
    ["PUT", "/grpc.health.v1.Health/Check", { "content-type": "application/json" }, 405, "allow", "POST"],
    ["POST", "/grpc.health.v1.Health/Check", { "content-type": "text/plain" }, 415, "accept-post", /\/json/],
  ])("is refused, with what it takes: %s %s", async (method, path, headers, status, name, value) => {
    system = await startStubSystem({}, { overNetwork });
    const answer = await ask(method, path, { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.get(name)).toEqual(expect.stringMatching(value));
    expect(await answer.json()).toMatchObject({ details: [{ type: "google.rpc.ErrorInfo" }] });
  });
});

describe("what is only read", () => {
  it.each(["/health", "/ready", "/health/services", "/docs", "/openapi.json", "/reset-password"])(
    "takes GET and HEAD and nothing else: %s",
    async (path) => {
      system = await startStubSystem();
      expect([(await ask("GET", path)).status, (await ask("HEAD", path)).status]).toEqual([200, 200]);
      for (const method of ["POST", "DELETE"]) {
        const answer = await ask(method, path);
        expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
        expect(await answer.json()).toMatchObject({ code: 12, details: [{ reason: "METHOD_UNKNOWN" }] });
      }
    },
  );
});

describe("a refusal by HTTP's rules", () => {
  it("is counted like a call", async () => {
    const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
    system = await startStubSystem({}, { gateway: { requestLimits: { store, requests: 4, windowSeconds: 900 } } });
    const statuses = [
      (await ask("PUT", `${procedure}/GetOrder`)).status,
      (await ask("POST", `${procedure}/GetOrder`, { headers: { "content-type": "text/plain" } })).status,
      (await ask("GET", `${procedure}/WatchOrder?${read}`)).status,
      (await ask("GET", "/api/orders?query=%ff")).status,
      (await ask("GET", "/api/orders")).status,
    ];
    expect(statuses).toEqual([405, 415, 405, 400, 429]);
    await store.close();
  });
});

describe("a query", () => {
  it.each([
    ["query=%ff", "The query parameter query is not well encoded."],
    ["query=50%", "The query parameter query is not well encoded."],
    ["%zz=1", "The query parameter %zz is not well encoded."],
    ["page_size=1&pageSize=2", "The query parameter pageSize is given more than once."],
  ])("is refused if it is ambiguous: %s", async (query, message) => {
    system = await startStubSystem();
    const answer = await ask("GET", `/api/products?${query}`);
    expect([answer.status, await answer.json()]).toMatchObject([400, { message }]);
  });

  it("is read as it is encoded", async () => {
    system = await startStubSystem({
      listOrders: async ({ pageToken }) => ({ nextPageToken: pageToken }),
    });
    const answer = await ask("GET", "/api/orders?pageToken=%E2%82%AC+a%26b%3D50%25&&");
    expect(await answer.json()).toMatchObject({ nextPageToken: "€ a&b=50%" });
  });
});

describe("the encoding of a body", () => {
  const body = JSON.stringify({ id: orderId });

  it("that is called identity is none", async () => {
    system = await startStubSystem({ cancelOrder: async ({ id }) => ({ order: { id } }) });
    const cancel = (encoding: string) =>
      ask("POST", `/api/orders/${orderId}:cancel`, { headers: { "content-encoding": encoding } });
    expect([(await cancel("identity")).status, (await cancel("gzip")).status]).toEqual([200, 415]);
  });

  it.each([
    ["application/json", "content-encoding", 501, /"unimplemented"/],
    ["application/grpc-web+json", "grpc-encoding", 200, /grpc-status: ?12/],
  ])("that is not known is refused with a reason, in %s", async (type, name, status, text) => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) });
    const answer = await ask("POST", `${procedure}/GetOrder`, {
      headers: { "content-type": type, [name]: "lzma" },
      body,
    });
    const said = await answer.text();
    expect(answer.status).toBe(status);
    expect(said).toMatch(text);
    const details = /grpc-status-details-bin: ?(\S+)/.exec(said)?.[1] ?? /"value":"([^"]+)"/.exec(said)?.[1] ?? "";
    expect(Buffer.from(details, "base64").toString("latin1")).toContain("INVALID_REQUEST");
  });

  it("that is known is read", async () => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) });
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const answer = await ask("POST", `${procedure}/GetOrder`, { headers, body: new Uint8Array(gzipSync(body)) });
    expect(await answer.json()).toMatchObject({ order: { id: orderId } });
  });
});

describe("a response to what is not HTTP", () => {
  it.each([
    ["FLY / HTTP/1.1\r\nhost: x\r\n\r\n", 400],
    ["GET /health HTTP/1.1\r\n\r\n", 400],
    [`GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
  ])("has its request id, which is in the log, and its security headers: %#", async (text, status) => {
    system = await startStubSystem();
    const answer = await send(text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const requestId = /^x-request-id: (.+)\r$/im.exec(answer)?.[1];
    expect(system.lines).toMatchObject([{ requestId, status, code: "invalid_argument" }]);
    for (const header of ["x-content-type-options: nosniff", "x-frame-options: DENY", "cache-control: no-store"])
      expect(answer).toContain(header);
    expect(answer).toMatch(/"reason":"INVALID_REQUEST"/);
  });

  it("is refused for an expectation that is not known", async () => {
    system = await startStubSystem();
    const answer = await send("GET /health HTTP/1.1\r\nhost: x\r\nexpect: patience\r\nconnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*x-request-id: /s);
  });
});
