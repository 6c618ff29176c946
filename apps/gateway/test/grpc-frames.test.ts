import { connect, type IncomingHttpHeaders } from "node:http2";
import { CallError, callErrors } from "@rialto/rpc";
import { openRateLimits } from "@rialto/service";
import { afterEach, describe, expect, it } from "vitest";
import { type Frame, tapFrames } from "./frame-tap.ts";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type System = Parameters<typeof startStubSystem>;

async function start(...args: System): Promise<StubSystem> {
  const system = await startStubSystem(...args);
  open.push(() => system.close());
  return system;
}

/** A message of gRPC. */
function message(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** GetOrderRequest and WatchOrderRequest alike: the id is their first field. */
const idMessage = message(Buffer.concat([Buffer.from([0x0a, orderId.length]), Buffer.from(orderId)]));

/** The response, as gRPC reads it, and its frames. */
interface Answered {
  readonly head: IncomingHttpHeaders & { readonly ":status"?: number };
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly frames: readonly Pick<Frame, "type" | "endStream">[];
}

async function call(
  url: string,
  path: string,
  o: { readonly headers?: Record<string, string>; readonly body?: Uint8Array; readonly onData?: () => void } = {},
): Promise<Answered> {
  const tap = await tapFrames(url);
  const session = connect(tap.url);
  open.push(() => {
    session.destroy();
    tap.close();
  });
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...headers, ...o.headers });
  const head = Promise.withResolvers<Answered["head"]>();
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("response", head.resolve);
  stream.on("trailers", (sent) => {
    trailers = sent;
  });
  stream.on("data", () => o.onData?.());
  const closed = new Promise<void>((resolve, reject) => stream.once("close", resolve).once("error", reject));
  stream.end(o.body ?? message(new Uint8Array()));
  await closed;
  const frames = tap.frames.filter(({ type }) => type !== "GOAWAY").map(({ type, endStream }) => ({ type, endStream }));
  return { head: await head.promise, trailers, frames };
}

/** A response without a message is one HEADERS frame that ends the stream. */
const trailersOnly = [{ type: "HEADERS", endStream: true }];
const list = "/rialto.order.v1.OrderService/ListOrders";

describe.each([
  ["in the gateway's process", false],
  ["in another process", true],
])(
  "a gRPC answer without a message, of services %s, is one HEADERS frame that ends the stream",
  (_place, overNetwork) => {
    it("where the gateway refuses a caller without a token", async () => {
      const { url } = await start({}, { overNetwork });
      const answer = await call(url, list);
      expect(answer.frames).toEqual(trailersOnly);
      expect(answer.head).toMatchObject({ ":status": 200, "content-type": "application/grpc", "grpc-status": "16" });
    });

    it("where a service refuses", async () => {
      const system = await start(
        { listOrders: async () => Promise.reject(new CallError(callErrors.PAGE_TOKEN_INVALID)) },
        { overNetwork },
      );
      const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}` };
      const answer = await call(system.url, list, { headers });
      expect(answer.frames).toEqual(trailersOnly);
      expect(answer.head).toMatchObject({ "grpc-status": "3" });
      expect(answer.head["grpc-status-details-bin"]).toBeDefined();
    });

    it("where there is no such method, no such service, and where the message cannot be read", async () => {
      const system = await start({}, { overNetwork });
      const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}` };
      const nothing = await call(system.url, "/rialto.order.v1.OrderService/Nothing", { headers });
      expect([nothing.frames, nothing.head["grpc-status"]]).toEqual([trailersOnly, "12"]);
      const broken = await call(system.url, list, { headers, body: message(Buffer.from([0xff, 0xff])) });
      expect([broken.frames, broken.head["grpc-status"]]).toEqual([trailersOnly, "3"]);
    });
  },
);

describe("a gRPC answer", () => {
  it("with a message ends with its trailers", async () => {
    const system = await start();
    const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}` };
    const answer = await call(system.url, list, { headers });
    expect(answer.frames.at(-1)).toEqual({ type: "HEADERS", endStream: true });
    expect(answer.frames.filter(({ type }) => type === "DATA").length).toBeGreaterThan(0);
    expect(answer.trailers).toMatchObject({ "grpc-status": "0" });
  });

  it("that is refused by a limit, or by a gateway at its capacity, is one frame too", async () => {
    const store = openRateLimits({ redisUrl: undefined, redisPrefix: "rialto-test" });
    open.push(() => store.close());
    const limited = await start({}, { gateway: { requestLimits: { store, requests: 1, windowSeconds: 60 } } });
    await call(limited.url, list);
    const refused = await call(limited.url, list);
    expect([refused.frames, refused.head["grpc-status"]]).toEqual([trailersOnly, "8"]);
    const full = await start({}, { gateway: { inFlightMax: 0 } });
    const busy = await call(full.url, list);
    expect([busy.frames, busy.head["grpc-status"]]).toEqual([trailersOnly, "14"]);
  });

  it("of a service that is called directly is one frame too", async () => {
    const system = await start({}, { overNetwork: true });
    const refused = await call(system.direct("order"), list);
    expect([refused.frames, refused.head["grpc-status"]]).toEqual([trailersOnly, "16"]);
    const unknown = await call(system.direct("order"), "/rialto.order.v1.OrderService/Nothing");
    expect([unknown.frames, unknown.head["grpc-status"]]).toEqual([trailersOnly, "12"]);
  });

  it("whose stream breaks off ends with a status in its trailers", async () => {
    const system = await start(
      {
        async *watchOrder({ id }, ctx) {
          yield { order: { id } };
          await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
        },
      },
      { overNetwork: true },
    );
    const headers = { authorization: `Bearer ${await system.token("CUSTOMER")}` };
    const watch = "/rialto.order.v1.OrderService/WatchOrder";
    let isStopping = false;
    const onData = () => {
      if (!isStopping) void system.stopServices();
      isStopping = true;
    };
    const answer = await call(system.url, watch, { headers, body: idMessage, onData });
    expect(answer.frames.at(-1)).toEqual({ type: "HEADERS", endStream: true });
    expect(answer.trailers).toMatchObject({ "grpc-status": "14" });
  });
});
