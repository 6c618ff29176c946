import { randomInt } from "node:crypto";
import type { RequestListener } from "node:http";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { compressionGzip, connectNodeAdapter } from "@connectrpc/connect-node";
import { OrderService, ProductSchema, ProductService } from "@rialto/contracts";
import { type HttpListener, listenHttp } from "@rialto/http";
import { describe, expect, it, vi } from "vitest";
import { type ConnectHandler, type ConnectHandlerOptions, createConnectHandler } from "../src/index.ts";
import { generateRequest } from "./generated-requests.ts";
import { createRawClient, type RawAnswer, type RawClient, type RawRequest } from "./raw-requests.ts";
import { wantedDifferences } from "./wanted-differences.ts";

/**
 * How many requests, and the seed of the first. Tests of a change send a part, always the same; `npm run differential`
 * sends 20,000 from a seed of its own, for which a machine that does something else too takes minutes. A failure names
 * the seed: RIALTO_TEST_DIFFERENTIAL_REQUESTS, RIALTO_TEST_DIFFERENTIAL_SEED.
 */
const given = process.env;
const count = Number(given.RIALTO_TEST_DIFFERENTIAL_REQUESTS ?? 2_000);
const newSeed = given.RIALTO_TEST_DIFFERENTIAL_REQUESTS === undefined ? 20_261_126 : randomInt(2 ** 31);
const seed = Number(given.RIALTO_TEST_DIFFERENTIAL_SEED ?? newSeed);
const inFlight = 16;
/** How long a client that is about to close its side waits for answers; then how long each time it looks again. */
const patienceMs = [25, 300, 3_000] as const;

/** Answers by what is asked for, and says what the handler was told of the request. */
function routes(router: ConnectRouter): void {
  router.service(ProductService, {
    getProduct: ({ id }, context) => answerTo(id, context),
    createProduct: ({ product }, context) => answerTo(product?.name ?? "none", context),
  });
  router.service(OrderService, {});
}

function answerTo(id: string, context: HandlerContext) {
  const { protocolName, requestMethod, url, responseHeader, responseTrailer } = context;
  const timeoutMs = context.timeoutMs();
  responseHeader.set("x-told", `${protocolName} ${requestMethod} ${url} ${timeoutMs !== undefined}`);
  responseHeader.append("set-cookie", "a=1");
  responseHeader.append("set-cookie", "b=2");
  responseTrailer.set("x-end", "1");
  if (id === "refused") {
    throw new ConnectError("no, 100 % – no", Code.FailedPrecondition, { "x-why": "so" }, [
      { desc: ProductSchema, value: { id: "1" } },
    ]);
  }
  if (id === "defect") throw new Error("secret");
  if (id === "unwritable") return { product: { id: "\ud800" } };
  if (id === "nothing") return {};
  const fields = [...context.requestHeader].filter(([name]) => !["content-length", "transfer-encoding"].includes(name));
  return { product: { id, name: JSON.stringify(fields), description: "d".repeat(id === "long" ? 3_000 : 1) } };
}

/** A request goes to one of two kinds of handlers, by its seed. */
const optionsOf: readonly [usual: ConnectHandlerOptions, strict: ConnectHandlerOptions] = [
  { routes, readMaxBytes: 10_000, maxTimeoutMs: 60_000 },
  {
    routes,
    readMaxBytes: 3_000,
    writeMaxBytes: 2_000,
    compressMinBytes: 1,
    acceptCompression: [compressionGzip],
    requireConnectProtocolHeader: true,
    jsonOptions: { ignoreUnknownFields: false, alwaysEmitImplicit: true },
    interceptors: [
      (next) => async (request) => {
        request.header.set("x-seen", request.header.get("x-caller") ?? "");
        const response = await next(request);
        response.trailer.append("x-end", "2");
        return response;
      },
    ],
  },
];

type Handler = RequestListener & Partial<Pick<ConnectHandler, "onStream">>;

interface Served {
  send: RawClient["send"];
  close(): Promise<void>;
}

async function serve(createHandler: (o: ConnectHandlerOptions) => Handler): Promise<Served> {
  const [usual, strict] = await Promise.all(optionsOf.map((o) => serveOne(createHandler({ ...o }))));
  if (usual === undefined || strict === undefined) throw new Error("there are two");
  return {
    send: (request, patience) => (request.seed % 3 === 0 ? strict : usual).send(request, patience),
    close: async () => {
      await Promise.all([usual.close(), strict.close()]);
    },
  };
}

async function serveOne(handler: Handler): Promise<Served> {
  const streamResets = { burst: 1_000_000, perSecond: 1_000_000 };
  const onStream = handler.onStream === undefined ? {} : { onStream: handler.onStream };
  const listener: HttpListener = await listenHttp({
    port: 0,
    streamsMax: 200,
    streamResets,
    onRequest: handler,
    ...onStream,
  });
  const client = createRawClient(listener.port);
  return {
    send: client.send,
    close: async () => {
      client.close();
      await listener.close();
    },
  };
}

interface Difference {
  readonly request: RawRequest;
  readonly fast: RawAnswer;
  readonly stock: RawAnswer;
}

/** Sends the requests to both. An unwanted difference is asked for again, patiently: a busy machine is late. */
async function differencesOf(fast: Served, stock: Served, seeds: Iterable<number>): Promise<readonly Difference[]> {
  const found: Difference[] = [];
  const left = seeds[Symbol.iterator]();
  const work = async () => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const request = generateRequest(next.value);
      for (const patience of patienceMs) {
        const pair = await answersTo(fast, stock, request, patience);
        if (isSame(pair)) break;
        if (!isWanted(pair) && patience !== patienceMs.at(-1)) continue;
        found.push(pair);
        break;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return found;
}

function isSame({ fast, stock }: Difference): boolean {
  return JSON.stringify(fast) === JSON.stringify(stock);
}

function isWanted({ request, fast, stock }: Difference): boolean {
  return wantedDifferences.some((wanted) => wanted.is(request, fast, stock));
}

function* seedsFrom(first: number, end: number): Generator<number> {
  for (let at = 0; at < end; at += 1) yield first + at;
}

/** What stands in a failure: few, whole. */
function shown({ request, fast, stock }: Difference) {
  const body = request.body.toString("latin1").slice(0, 200);
  return { request: { ...request, body }, fast, stock };
}

/** One pair of answers. */
async function answersTo(fast: Served, stock: Served, request: RawRequest, patience: number): Promise<Difference> {
  const [ofFast, ofStock] = await Promise.all([fast.send(request, patience), stock.send(request, patience)]);
  return { request, fast: ofFast, stock: ofStock };
}

describe("the fast path and the official adapter", () => {
  it(`answer ${count} generated requests alike (seed ${seed})`, { timeout: 900_000 }, async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const fast = await serve(createConnectHandler);
    const stock = await serve(connectNodeAdapter);
    const found = await differencesOf(fast, stock, seedsFrom(seed, count));
    await Promise.all([fast.close(), stock.close()]);
    const unwanted = found.filter((pair) => !isWanted(pair));
    expect(unwanted.slice(0, 5).map(shown), `${unwanted.length} of ${count}, seed ${seed}`).toEqual([]);
  });

  it.each(wantedDifferences)("still differ in this: $name", async (wanted) => {
    vi.spyOn(console, "error").mockReturnValue();
    const fast = await serve(createConnectHandler);
    const stock = await serve(connectNodeAdapter);
    const pair = await answersTo(fast, stock, wanted.example, patienceMs[1]);
    await Promise.all([fast.close(), stock.close()]);
    expect(wanted.is(pair.request, pair.fast, pair.stock), JSON.stringify(shown(pair))).toBe(true);
  });

  it("would be told apart by one header of one kind of answer", { timeout: 300_000 }, async () => {
    vi.spyOn(console, "error").mockReturnValue();
    const stock = await serve(connectNodeAdapter);
    const same = await serve((o) => createConnectHandler({ ...o, unaryPath: "stock" }));
    const other = await serve((o) => {
      const adapter = connectNodeAdapter(o);
      return (req, res) => {
        if (req.headers["grpc-accept-encoding"] !== undefined) res.setHeader("x-other", "1");
        adapter(req, res);
      };
    });
    const seeds = [...seedsFrom(seed, Math.min(count, 500))];
    expect((await differencesOf(same, stock, seeds)).map(shown)).toEqual([]);
    const found = await differencesOf(other, stock, seeds);
    expect(found.length).toBeGreaterThan(0);
    for (const { fast } of found) expect(fast.headers).toContain("x-other: 1");
    await Promise.all([stock.close(), same.close(), other.close()]);
  });
});
