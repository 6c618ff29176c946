import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Order_Status, OrderService } from "@rialto/contracts";
import { createBrowserTransport } from "@rialto/testing/browser-transport";
import { openChromium } from "@rialto/testing/chromium";
import { type Grpcurl, grpcurl } from "@rialto/testing/grpcurl";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, openRestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

const root = new URL("../../../", import.meta.url).pathname;
const procedure = "rialto.order.v1.OrderService";
const run = await grpcurl("grpcurl against the gateway's reflection");
const browser = await openChromium("Google's gRPC-Web client in a browser");
afterAll(() => browser?.close());

/** Orders over one protocol. Enums by name, as in JSON. */
interface Orders {
  create(productId: string): Promise<{ id: string; status: string }>;
  get(id: string): Promise<{ id: string; status: string }>;
  /** The statuses that a watcher receives until the order is at rest. */
  watch(id: string): Promise<string[]>;
}

interface Place {
  readonly url: string;
  readonly token: string;
}

const clients: Readonly<Record<string, (place: Place) => Orders>> = {
  "curl, Connect JSON": (place) => ({
    create: async (productId) => (await curlConnect(place, "CreateOrder", newOrder(productId))).order,
    get: async (id) => (await curlConnect(place, "GetOrder", { id })).order,
    watch: (id) => curlWatch(place, id),
  }),
  "curl, GET with ?connect=v1": (place) => ({
    create: async (productId) => (await curlConnect(place, "CreateOrder", newOrder(productId))).order,
    get: async (id) => (await curlConnectGet(place, "GetOrder", { id })).order,
    watch: (id) => curlWatch(place, id),
  }),
  "curl, REST": (place) => ({
    create: (productId) => curlRest(place, "/api/orders", newOrder(productId)),
    get: (id) => curlRest(place, `/api/orders/${id}`),
    watch: (id) => curlWatch(place, id),
  }),
  "the generated client, binary over HTTP/1.1": generated((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: true }),
  ),
  "the generated client, binary over HTTP/2": generated((baseUrl) =>
    createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: true }),
  ),
  "the generated client, gRPC": generated((baseUrl) => createGrpcTransport({ baseUrl })),
  "a gRPC-Web client": generated((baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
  ...(browser === undefined ? {} : { "Google's gRPC-Web client in a browser": generated(inBrowser) }),
  "@grpc/grpc-js with the proto files loaded at run time": grpcJs,
};

describe.each([
  ["one process", () => oneProcess("postgres")],
  ["a process for each service", sixProcesses],
] as const)("on the one port of %s", (_name, start) => {
  let topology: Topology;
  let place: Place;
  let productId: string;

  beforeAll(async () => {
    topology = await start();
    const client = await openRestClient(topology);
    place = { url: topology.url, token: (await client.customer()).token };
    productId = await client.product({ stock: 1_000 });
  });
  afterAll(() => topology.stop());

  it.each(Object.entries(clients))(
    "%s places an order, reads it and watches it come to rest",
    async (_client, speak) => {
      const orders = speak(place);
      const placed = await orders.create(productId);
      expect(placed.status).toBe("PENDING");
      const statuses = await orders.watch(placed.id);
      expect(statuses.at(-1)).toBe("CONFIRMED");
      expect(await orders.get(placed.id)).toMatchObject({ id: placed.id, status: "CONFIRMED" });
    },
  );

  it.skipIf(browser === undefined)("Google's gRPC-Web client reads why it is refused", async () => {
    const client = createClient(OrderService, inBrowser(place.url));
    const refusalOf = async (work: Promise<unknown>) => {
      const { code, rawMessage } = ConnectError.from(await work.catch((error: unknown) => error));
      return { code, rawMessage };
    };
    const headers = { authorization: `Bearer ${place.token}` };
    // From the gateway itself, in the response headers.
    expect(await refusalOf(client.getOrder({ id: randomUUID() }))).toEqual({
      code: Code.Unauthenticated,
      rawMessage: expect.stringMatching(/./),
    });
    // From the upstream service, in the trailers.
    expect(await refusalOf(client.getOrder({ id: randomUUID() }, { headers }))).toEqual({
      code: Code.NotFound,
      rawMessage: expect.stringMatching(/./),
    });
  });

  it.skipIf(run === undefined)("grpcurl finds the services by reflection, and calls them", async () => {
    if (run !== undefined) await byReflection(run, place, productId);
  });
});

function inBrowser(baseUrl: string): Transport {
  if (browser === undefined) throw new Error("there is no browser");
  return createBrowserTransport(browser, baseUrl);
}

async function byReflection(run: Grpcurl, { url, token }: Place, productId: string): Promise<void> {
  const address = new URL(url).host;
  const services = (await run("-plaintext", address, "list")).trim().split("\n");
  expect(services).toEqual(
    expect.arrayContaining([procedure, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]),
  );
  expect(await run("-plaintext", address, "describe", `${procedure}.GetOrder`)).toContain("GetOrderRequest");
  const call = async (method: string, request: object): Promise<Json> =>
    JSON.parse(
      await run(
        ...["-plaintext", "-H", `authorization: Bearer ${token}`, "-d", JSON.stringify(request)],
        ...[address, `${procedure}/${method}`],
      ),
    );
  const { order } = await call("CreateOrder", newOrder(productId));
  expect((await call("GetOrder", { id: order.id })).order.id).toBe(order.id);
  expect(JSON.parse(await run("-plaintext", address, "grpc.health.v1.Health/Check"))).toEqual({ status: "SERVING" });
}

function newOrder(productId: string) {
  return { items: [{ productId, quantity: 1 }], paymentMethod: "pm_test_approved" };
}

async function curl(place: Place, ...args: readonly string[]): Promise<Buffer> {
  const all = ["-sS", "--fail-with-body", "-H", `authorization: Bearer ${place.token}`, ...args];
  return (await promisify(execFile)("curl", all, { encoding: "buffer" })).stdout;
}

async function curlConnect(place: Place, method: string, request: object): Promise<Json> {
  const url = `${place.url}/${procedure}/${method}`;
  const answer = await curl(place, "-H", "content-type: application/json", "-d", JSON.stringify(request), url);
  return JSON.parse(answer.toString());
}

async function curlConnectGet(place: Place, method: string, request: object): Promise<Json> {
  const message = encodeURIComponent(JSON.stringify(request));
  const url = `${place.url}/${procedure}/${method}?connect=v1&encoding=json&message=${message}`;
  return JSON.parse((await curl(place, url)).toString());
}

async function curlRest(place: Place, path: string, body?: object): Promise<Json> {
  const data = body === undefined ? [] : ["-H", "content-type: application/json", "-d", JSON.stringify(body)];
  return JSON.parse((await curl(place, ...data, `${place.url}${path}`)).toString());
}

/**
 * Streams have no REST route: curl speaks Connect's envelopes, a byte of flags and four of length before each message.
 */
async function curlWatch(place: Place, id: string): Promise<string[]> {
  const message = Buffer.from(JSON.stringify({ id }));
  const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
  const type = ["-H", "content-type: application/connect+json", "--data-binary", "@-"];
  const child = execFile("curl", [...curlArgs(place), ...type, `${place.url}/${procedure}/WatchOrder`], {
    encoding: "buffer",
  });
  child.stdin?.end(envelope);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout ?? []) chunks.push(Buffer.from(chunk));
  const bytes = Buffer.concat(chunks);
  const statuses: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    const part: Json = JSON.parse(bytes.subarray(at + 5, end).toString());
    if (part.error !== undefined) throw new Error(JSON.stringify(part.error));
    if (part.order !== undefined) statuses.push(part.order.status);
    at = end;
  }
  return statuses;
}

function curlArgs({ token }: Place): string[] {
  return ["-sS", "-N", "-H", `authorization: Bearer ${token}`];
}

function generated(transportTo: (baseUrl: string) => Transport): (place: Place) => Orders {
  return ({ url, token }) => {
    const client = createClient(OrderService, transportTo(url));
    const o = { headers: { authorization: `Bearer ${token}` } };
    const plain = (order?: { id: string; status: Order_Status }) => ({
      id: order?.id ?? "",
      status: Order_Status[order?.status ?? 0] ?? "",
    });
    return {
      create: async (productId) => plain((await client.createOrder(newOrder(productId), o)).order),
      get: async (id) => plain((await client.getOrder({ id }, o)).order),
      async watch(id) {
        const statuses: string[] = [];
        for await (const { order } of client.watchOrder({ id }, o)) statuses.push(plain(order).status);
        return statuses;
      },
    };
  };
}

function grpcJs({ url, token }: Place): Orders {
  const files = loadSync("rialto/order/v1/order_service.proto", {
    includeDirs: [`${root}proto`, `${root}third_party`],
    keepCase: false,
    enums: String,
    longs: String,
  });
  // Generated at run time from the files, so it has no static types.
  const loaded: Json = grpc.loadPackageDefinition(files);
  const client = new loaded.rialto.order.v1.OrderService(new URL(url).host, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  metadata.set("idempotency-key", randomUUID());
  const unary = (method: string, request: object): Promise<Json> =>
    new Promise((resolve, reject) => {
      client[method](request, metadata, (error: Error | null, answer: Json) =>
        error === null ? resolve(answer.order) : reject(error),
      );
    });
  return {
    create: (productId) => unary("createOrder", newOrder(productId)),
    get: (id) => unary("getOrder", { id }),
    async watch(id) {
      const statuses: string[] = [];
      for await (const { order } of client.watchOrder({ id }, metadata)) statuses.push(order.status);
      return statuses;
    },
  };
}
