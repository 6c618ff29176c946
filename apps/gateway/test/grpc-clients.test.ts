import { create, type DescMethod, fromBinary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { InventoryService, OrderService } from "@rialto/contracts";
import { CallError, callErrors } from "@rialto/rpc";
import { openRateLimits } from "@rialto/service";
import { createBrowserTransport } from "@rialto/testing/browser-transport";
import { openChromium } from "@rialto/testing/chromium";
import { type Grpcurl, grpcurl } from "@rialto/testing/grpcurl";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** One call and its outcome: the number of gRPC's code, 0 for success, and how many messages arrived. */
interface Asked {
  readonly url: string;
  readonly method: DescMethod;
  readonly request: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
}
interface Told {
  readonly code: number;
  readonly messages: number;
}
type Speak = (asked: Asked) => Promise<Told>;

const browser = await openChromium("Google's gRPC-Web client against the refusals of gateway and services");
const run = await grpcurl("grpc-go (grpcurl) against the refusals of gateway and services");
afterAll(() => browser?.close());

const clients: readonly (readonly [name: string, speak: Speak])[] = [
  ["@grpc/grpc-js", byGrpcJs],
  ...(run === undefined ? [] : [["grpc-go", byGrpcGo(run)] as const]),
  ...(browser === undefined ? [] : [["Google's gRPC-Web client", byBrowser] as const]),
];

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function start(...args: Parameters<typeof startStubSystem>): Promise<StubSystem> {
  const [orders, o] = args;
  const system = await startStubSystem(orders, { overNetwork: true, ...o });
  open.push(() => system.close());
  return system;
}

const { getOrder, listOrders, watchOrder } = OrderService.method;

describe.each(clients)(
  "%s",
  (_name, speak) => {
    async function ask(system: StubSystem, method: DescMethod, request: JsonObject = {}, role?: "CUSTOMER" | "ADMIN") {
      const headers = role === undefined ? {} : { authorization: `Bearer ${await system.token(role)}` };
      return speak({ url: system.url, method, request, headers });
    }

    it("is answered, by one message and by many", async () => {
      const system = await start({
        getOrder: async ({ id }) => ({ order: { id } }),
        async *watchOrder({ id }) {
          yield { order: { id } };
          yield { order: { id } };
        },
      });
      expect(await ask(system, getOrder, { id: orderId }, "CUSTOMER")).toEqual({ code: 0, messages: 1 });
      expect(await ask(system, watchOrder, { id: orderId }, "CUSTOMER")).toEqual({ code: 0, messages: 2 });
    });

    it("understands each refusal that the gateway makes itself", async () => {
      const system = await start();
      const codes = async (...calls: Parameters<typeof ask>) => (await ask(...calls)).code;
      expect(await codes(system, listOrders)).toBe(16);
      const invalid = { authorization: "Bearer nonsense" };
      expect((await speak({ url: system.url, method: listOrders, request: {}, headers: invalid })).code).toBe(16);
      expect(await codes(system, InventoryService.method.adjustStock, {}, "CUSTOMER")).toBe(7);
      // An internal method is unknown from outside.
      expect(await codes(system, InventoryService.method.reserveStock, {}, "ADMIN")).toBe(12);
      await system.stopServices("order");
      expect(await codes(system, listOrders, {}, "CUSTOMER")).toBe(14);
      expect(await codes(system, watchOrder, { id: orderId }, "CUSTOMER")).toBe(14);

      const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
      open.push(() => store.close());
      const limited = await start({}, { gateway: { requestLimits: { store, requests: 1, windowSeconds: 60 } } });
      await ask(limited, listOrders, {}, "CUSTOMER");
      expect(await codes(limited, listOrders, {}, "CUSTOMER")).toBe(8);
      const full = await start({}, { gateway: { inFlightMax: 0 } });
      expect(await codes(full, listOrders, {}, "CUSTOMER")).toBe(14);
    });

    it("understands each refusal that a service makes", async () => {
      const refusals = [
        [callErrors.IDEMPOTENCY_KEY_REUSED, 9],
        [callErrors.CHANGED_MEANWHILE, 10],
        [callErrors.DEADLINE_PASSED, 4],
        [callErrors.TEMPORARILY_UNAVAILABLE, 14],
        [callErrors.INTERNAL_ERROR, 13],
      ] as const;
      let current: (typeof refusals)[number][0] = callErrors.INTERNAL_ERROR;
      const system = await start({
        listOrders: async () => Promise.reject(new CallError(current)),
        async *watchOrder() {
          yield* [];
          throw new CallError(current);
        },
      });
      for (const [definition, code] of refusals) {
        current = definition;
        expect(await ask(system, listOrders, {}, "CUSTOMER")).toEqual({ code, messages: 0 });
        expect(await ask(system, watchOrder, { id: orderId }, "CUSTOMER")).toEqual({ code, messages: 0 });
      }
      expect(await ask(system, getOrder, { id: "no id" }, "CUSTOMER")).toEqual({ code: 3, messages: 0 });
    });

    it("understands a stream that breaks off", async () => {
      const system = await start({
        async *watchOrder({ id }, ctx) {
          yield { order: { id } };
          if (id !== orderId) throw new Error("a defect");
          await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        },
      });
      const other = "01900000-0000-7000-8000-00000000000b";
      expect(await ask(system, watchOrder, { id: other }, "CUSTOMER")).toEqual({ code: 13, messages: 1 });
      const calls = system.calls.length;
      const watched = ask(system, watchOrder, { id: orderId }, "CUSTOMER");
      await expect.poll(() => system.calls.length, { timeout: 20_000 }).toBe(calls + 1);
      await system.stopServices("order");
      expect(await watched).toEqual({ code: 14, messages: 1 });
    });
  },
  120_000,
);

// Only the gateway accepts text mode, which Google's client uses.
describe.each(clients.filter(([, speak]) => speak !== byBrowser))("%s at a service itself", (_name, speak) => {
  it("understands refusals", async () => {
    const system = await start();
    const ask = async (method: DescMethod) =>
      (await speak({ url: system.direct("order"), method, request: {}, headers: {} })).code;
    expect(await ask(listOrders)).toBe(16);
    expect(await ask(InventoryService.method.reserveStock)).toBe(12);
  });
});

function pathOf({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`;
}

async function byGrpcJs({ url, method, request, headers }: Asked): Promise<Told> {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const message = fromJson(method.input, request);
  const toBytes = () => Buffer.from(toBinary(method.input, message));
  const fromBytes = (bytes: Buffer) => fromBinary(method.output, bytes);
  try {
    if (method.methodKind === "unary")
      return await new Promise((resolve) => {
        client.makeUnaryRequest(pathOf(method), toBytes, fromBytes, message, metadata, (error) =>
          resolve(error === null ? { code: 0, messages: 1 } : { code: error.code, messages: 0 }),
        );
      });
    let messages = 0;
    return await new Promise((resolve) => {
      const stream = client.makeServerStreamRequest(pathOf(method), toBytes, fromBytes, message, metadata);
      stream.on("data", () => {
        messages += 1;
      });
      stream.on("end", () => resolve({ code: 0, messages }));
      stream.on("error", ({ code }: ServiceError) => resolve({ code, messages }));
    });
  } finally {
    client.close();
  }
}

/** grpcurl adds this to the code to make its exit status. */
const exitBase = 64;

function byGrpcGo(grpcurl: Grpcurl): Speak {
  return async ({ url, method, request, headers }) => {
    const files = [
      "-import-path",
      `${root}proto`,
      "-import-path",
      `${root}third_party`,
      "-proto",
      method.parent.file.proto.name,
    ];
    const lines = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
    const data = ["-d", JSON.stringify(request), new URL(url).host, pathOf(method).slice(1)];
    const messagesIn = (text: string) => text.match(/^\{/gm)?.length ?? 0;
    try {
      return { code: 0, messages: messagesIn(await grpcurl("-plaintext", ...files, ...lines, ...data)) };
    } catch (error) {
      // What execFile rejects with.
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      // grpc-go reports a response that is not valid gRPC with one of these codes.
      expect(stderr).not.toMatch(/server closed the stream without sending trailers/);
      return { code: code - exitBase, messages: messagesIn(stdout) };
    }
  };
}

const transports = new Map<string, Transport>();

async function byBrowser({ url, method, request, headers }: Asked): Promise<Told> {
  if (browser === undefined) throw new Error("there is no browser");
  const transport = transports.get(url) ?? createBrowserTransport(browser, url);
  transports.set(url, transport);
  let messages = 0;
  try {
    const message = fromJson(method.input, request);
    if (method.methodKind === "unary") {
      await transport.unary(method as never, undefined, undefined, headers, message as never);
      return { code: 0, messages: 1 };
    }
    async function* once() {
      yield create(method.input, message as never);
    }
    const answer = await transport.stream(method as never, undefined, undefined, headers, once() as never);
    for await (const _ of answer.message) messages += 1;
    return { code: 0, messages };
  } catch (error) {
    return { code: ConnectError.from(error).code, messages };
  }
}
