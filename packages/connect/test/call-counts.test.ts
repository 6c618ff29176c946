import type { RequestListener } from "node:http";
import { type ConnectRouter, createClient } from "@connectrpc/connect";
import { ProductService } from "@rialto/contracts";
import { aboveBounds, type CallCounts, countPerCall, openRawCaller, printCounts } from "@rialto/counting";
import { listenHttp } from "@rialto/http";
import { describe, expect, it, onTestFinished } from "vitest";
import { createConnectHandler, createTransport } from "../src/index.ts";

const path = "/rialto.product.v1.ProductService/GetProduct";
const asJson = { "content-type": "application/json", "connect-timeout-ms": "5000" };
const asBinary = { "content-type": "application/proto", "connect-timeout-ms": "5000" };

/** Counts what a listener makes per request; what Node's server makes of its own accord is in it. */
async function countServer(
  onRequest: RequestListener,
  request: { readonly headers: Readonly<Record<string, string>>; readonly body: string | Uint8Array },
): Promise<CallCounts> {
  const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest });
  onTestFinished(() => listener.close());
  const caller = await openRawCaller({ port: listener.port, path, ...request });
  onTestFinished(caller.close);
  expect(await caller.call()).toMatch(/^HTTP\/1.1 200 /);
  return await countPerCall(caller.call, { writesOf: ({ localPort }) => localPort === listener.port });
}

const none = { timers: 0, signals: 0, headers: 0, promises: 0, signatures: 0, verifications: 0, writes: 0 };

// The bounds are what a call makes now; for promises a little more, since those of Node differ between its versions.
// Whoever makes calls cheaper lowers them.
describe("the handler, per unary call", () => {
  const requests = [
    { name: "JSON", headers: asJson, body: '{"id":"1"}' },
    { name: "binary", headers: asBinary, body: Uint8Array.of(10, 1, 49) },
  ];

  it.each(requests)("makes few objects of $name, and one write", async ({ name, ...request }) => {
    const ours = await countServer(createConnectHandler({ routes }), request);
    printCounts(`the handler, ${name}`, ours);
    printCounts(
      `the official handler, ${name}`,
      await countServer(createConnectHandler({ routes, unaryPath: "stock" }), request),
    );
    expect(aboveBounds(ours, { ...none, timers: 1, promises: 8, writes: 1 })).toEqual({});
  });

  it("makes what is counted of it, and not what Node makes for any answer", async () => {
    const answer: RequestListener = (req, res) => {
      req.resume().on("end", () => res.writeHead(200, { "content-length": 2 }).end("ok"));
    };
    const counts = await countServer(answer, { headers: asJson, body: "{}" });
    printCounts("Node's server alone", counts);
    expect(counts).toMatchObject({ signals: 0, headers: 0, writes: 1 });
  });
});

describe("the transport and the handler, per unary call", () => {
  const ways = [
    { protocol: "connect", httpVersion: "1.1", bounds: { ...none, timers: 1, promises: 12, writes: 2 } },
    { protocol: "grpc-web", httpVersion: "1.1", bounds: { ...none, timers: 1, promises: 20, writes: 2 } },
    { protocol: "grpc", httpVersion: "2", bounds: { ...none, timers: 2, promises: 14 } },
  ] as const;

  it.each(ways)("make few objects of $protocol over HTTP/$httpVersion", async ({ bounds, ...way }) => {
    const handler = createConnectHandler({ routes });
    const listener = await listenHttp({ port: 0, streamsMax: 100, onRequest: handler, onStream: handler.onStream });
    onTestFinished(() => listener.close());
    const count = async (stock: boolean) => {
      const transport = createTransport({ baseUrl: `http://127.0.0.1:${listener.port}`, ...way, stock });
      onTestFinished(transport.close);
      const client = createClient(ProductService, transport);
      return await countPerCall(() => client.getProduct({ id: "1" }, { timeoutMs: 5_000 }));
    };
    const ours = await count(false);
    printCounts(`the transport and the handler, ${way.protocol}`, ours);
    printCounts(`the official transport and the handler, ${way.protocol}`, await count(true));
    expect(aboveBounds(ours, bounds)).toEqual({});
  });
});

function routes(router: ConnectRouter): void {
  router.rpc(ProductService.method.getProduct, ({ id }) => ({ product: { id, name: "Mug" } }));
}
