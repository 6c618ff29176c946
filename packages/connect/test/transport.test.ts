import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { compressionGzip } from "@connectrpc/connect-node";
import { BadRequestSchema, ProductService } from "@rialto/contracts";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type ClosableTransport, createTransport, type TransportOptions } from "../src/index.ts";
import { type CallServer, largeNameLength, type ServerKind, startCallServer } from "./call-server.ts";

const transports = [
  { transport: "the official transport", stock: true },
  { transport: "our transport", stock: false },
];
const servers: readonly ServerKind[] = ["the official adapter", "our handler"];
const protocols = ["connect", "grpc", "grpc-web"] as const;
const httpVersions = ["1.1", "2"] as const;

const table = transports.flatMap((transport) =>
  servers.flatMap((server) =>
    protocols.flatMap((protocol) =>
      httpVersions.map((httpVersion) => ({ ...transport, server, protocol, httpVersion })),
    ),
  ),
);

describe.each(table)("$transport with $server, $protocol over HTTP/$httpVersion", ({ stock, server, ...wire }) => {
  let running: CallServer;
  const opened: ClosableTransport[] = [];

  beforeAll(async () => {
    running = await startCallServer(server, wire.httpVersion);
  });
  afterAll(async () => {
    await Promise.all(opened.map((transport) => transport.close()));
    await running.close();
  });

  function products(o: Partial<TransportOptions> = {}) {
    const transport = createTransport({ ...wire, stock, baseUrl: running.baseUrl, ...o });
    opened.push(transport);
    return createClient(ProductService, transport);
  }

  it.each([true, false])("passes messages both ways (binary: %s)", async (useBinaryFormat) => {
    const { product } = await products({ useBinaryFormat }).getProduct({ id: "1" });
    expect(product).toMatchObject({ id: "1", name: "Mug" });
  });

  it("passes a message of many packets", async () => {
    const { product } = await products().getProduct({ id: "large" });
    expect(product?.name).toHaveLength(largeNameLength);
  });

  it("passes many calls at once", async () => {
    const client = products();
    const ids = Array.from({ length: 50 }, (_, index) => `${index}`);
    const answers = await Promise.all(ids.map((id) => client.getProduct({ id })));
    expect(answers.map(({ product }) => product?.id)).toEqual(ids);
  });

  it.each([
    { kind: "an object", headers: { "Question-Text": " hello " } },
    { kind: "web headers", headers: new Headers({ "question-text": "hello" }) },
    { kind: "a list", headers: [["question-text", "hello"]] satisfies [string, string][] },
  ])("passes headers, given as $kind, and gets headers and trailers", async ({ headers }) => {
    const got: Headers[] = [];
    const keep = (each: Headers) => void got.push(each);
    await products().getProduct({ id: "metadata" }, { headers, onHeader: keep, onTrailer: keep });
    const [header, trailer] = got;
    expect(header?.get("answer-text")).toBe("hello");
    expect(header?.get("seen-user-agent")).toMatch(/^connect-es\//);
    expect(header?.has("trailer-after-text")).toBe(false);
    expect(trailer?.get("after-text")).toBe("one, two");
  });

  it("sends the user agent that the caller names", async () => {
    const headers = { "user-agent": "till/1" };
    let seen: string | null = "";
    const onHeader = (header: Headers) => {
      seen = header.get("seen-user-agent");
    };
    await products().getProduct({ id: "metadata" }, { headers, onHeader });
    expect(seen).toBe("till/1");
  });

  it.each([true, false])("gets an error with its details and metadata (binary: %s)", async (useBinaryFormat) => {
    const error = await failure(products({ useBinaryFormat }).getProduct({ id: "refused" }));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe("nein, näh");
    expect(error.metadata.get("refusal-text")).toBe("for good");
    const [detail] = error.findDetails(BadRequestSchema);
    expect(detail?.fieldViolations).toMatchObject([{ field: "id", description: "müss sein" }]);
  });

  it("ends a call at its timeout", async () => {
    const error = await failure(products().getProduct({ id: "never" }, { timeoutMs: 50 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  it("ends a call at the default timeout, where it has none of its own", async () => {
    const error = await failure(products({ defaultTimeoutMs: 50 }).getProduct({ id: "never" }));
    expect(error.code).toBe(Code.DeadlineExceeded);
  });

  it("ends a call by its signal", async () => {
    const controller = new AbortController();
    const call = failure(products().getProduct({ id: "never" }, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 50);
    expect((await call).code).toBe(Code.Canceled);
  });

  it("ends a call with the error that its signal was aborted with", async () => {
    const controller = new AbortController();
    const call = failure(products().getProduct({ id: "never" }, { signal: controller.signal }));
    controller.abort(new ConnectError("closing time", Code.ResourceExhausted));
    expect(await call).toMatchObject({ code: Code.ResourceExhausted, rawMessage: "closing time" });
  });

  it("does not begin a call whose signal is aborted already", async () => {
    const error = await failure(products().getProduct({ id: "1" }, { signal: AbortSignal.abort() }));
    expect(error.code).toBe(Code.Canceled);
  });

  it("goes on after a call that ended early", async () => {
    const client = products();
    await failure(client.getProduct({ id: "never" }, { timeoutMs: 20 }));
    expect((await client.getProduct({ id: "1" })).product?.id).toBe("1");
  });

  it("passes compressed messages both ways", async () => {
    const client = products({ sendCompression: compressionGzip, compressMinBytes: 0 });
    expect((await client.getProduct({ id: "large" })).product?.name).toHaveLength(largeNameLength);
    expect((await failure(client.getProduct({ id: "refused" }))).code).toBe(Code.FailedPrecondition);
  });

  it("works without compression", async () => {
    const client = products({ acceptCompression: [] });
    expect((await client.getProduct({ id: "large" })).product?.name).toHaveLength(largeNameLength);
  });

  it.each([{ acceptCompression: [] }, {}])("refuses an answer over its limit (%j)", async (compression) => {
    // The official adapter says so when its client hangs up.
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const error = await failure(products({ readMaxBytes: 200_000, ...compression }).getProduct({ id: "large" }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toContain("readMaxBytes 200000");
  });

  it("refuses to send a request over its limit", async () => {
    const error = await failure(products({ writeMaxBytes: 100 }).getProduct({ id: "x".repeat(200) }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toContain("writeMaxBytes 100");
  });

  it("says that a method is unimplemented", async () => {
    const error = await failure(products().listProducts({}));
    expect(error.code).toBe(Code.Unimplemented);
  });

  it("says that a server is unavailable that cannot be reached", async () => {
    const error = await failure(products({ baseUrl: "http://127.0.0.1:1" }).getProduct({ id: "1" }));
    expect(error.code).toBe(Code.Unavailable);
  });

  it("refuses a header that HTTP does not allow", async () => {
    const call = products().getProduct({ id: "1" }, { headers: { "question-text": "a\nb" } });
    await expect(call).rejects.toThrow(TypeError);
  });

  it("runs interceptors, which may read and change what is sent and what is answered", async () => {
    const seen: unknown[] = [];
    const interceptor: Interceptor = (next) => async (request) => {
      seen.push(request.url, request.header.get("question-text"), request.stream);
      request.header.set("question-text", "changed");
      const response = await next(request);
      seen.push(response.header.get("answer-text"), response.trailer.get("after-text"));
      return { ...response, header: new Headers({ "answer-text": "mine" }) };
    };
    let header = new Headers();
    const onHeader = (each: Headers) => {
      header = each;
    };
    const headers = { "question-text": "hello" };
    await products({ interceptors: [interceptor] }).getProduct({ id: "metadata" }, { headers, onHeader });
    const url = `${running.baseUrl}/rialto.product.v1.ProductService/GetProduct`;
    expect(seen).toEqual([url, "hello", false, "changed", "one, two"]);
    expect(header.get("answer-text")).toBe("mine");
  });

  it("runs interceptors around a call that fails", async () => {
    const seen: unknown[] = [];
    const interceptor: Interceptor = (next) => async (request) =>
      next(request).catch((error: unknown) => {
        seen.push(ConnectError.from(error).code, request.signal.aborted);
        throw error;
      });
    const client = products({ interceptors: [interceptor] });
    await failure(client.getProduct({ id: "refused" }));
    expect((await failure(client.getProduct({ id: "never" }, { timeoutMs: 50 }))).code).toBe(Code.DeadlineExceeded);
    expect(seen).toEqual([Code.FailedPrecondition, false, Code.DeadlineExceeded, true]);
  });
});

describe.each(
  transports.flatMap((transport) =>
    httpVersions.flatMap((httpVersion) => servers.map((server) => ({ ...transport, httpVersion, server }))),
  ),
)("$transport with $server, GET over HTTP/$httpVersion", ({ stock, server, httpVersion }) => {
  it.each([
    { useBinaryFormat: true, sendCompression: null },
    { useBinaryFormat: false, sendCompression: null },
    { useBinaryFormat: true, sendCompression: compressionGzip },
    { useBinaryFormat: false, sendCompression: compressionGzip },
  ])("asks for what has no side effects (binary: $useBinaryFormat, compression: $sendCompression.name)", async (o) => {
    const { baseUrl, close } = await startCallServer(server, httpVersion);
    const options = {
      protocol: "connect",
      httpVersion,
      baseUrl,
      stock,
      useHttpGet: true,
      compressMinBytes: 0,
    } as const;
    const { sendCompression, ...format } = o;
    const transport = createTransport({
      ...options,
      ...format,
      ...(sendCompression === null ? {} : { sendCompression }),
    });
    let method: string | null = "";
    const onHeader = (header: Headers) => {
      method = header.get("seen-method");
    };
    const { product } = await createClient(ProductService, transport).getProduct({ id: "method" }, { onHeader });
    expect(product?.id).toBe("method");
    expect(method).toBe("GET");
    await transport.close();
    await close();
  });
});

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await call.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}
