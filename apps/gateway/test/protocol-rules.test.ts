import { connect } from "node:http2";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "@rialto/contracts";
import { afterEach, describe, expect, it } from "vitest";
import { contractServices, isPublished, procedureOf } from "../src/contract.ts";
import { encodingFor } from "../src/rest/compression.ts";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
afterEach(() => system.close());

const getOrder = "/rialto.order.v1.OrderService/GetOrder";
const handlers = { getOrder: async ({ id }: { id: string }) => ({ order: { id } }) };

async function authorization(role: "CUSTOMER" | "ADMIN" = "CUSTOMER") {
  return { authorization: `Bearer ${await system.token(role)}` };
}

/** A message of gRPC: GetOrderRequest with this id. */
function message(id = orderId): Buffer {
  const field = Buffer.concat([Buffer.from([0x0a, ...varint(id.length)]), Buffer.from(id)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(field.length, 1);
  return Buffer.concat([head, field]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** Calls over HTTP/2, and returns all headers of the response, with its trailers. */
async function overHttp2(path: string, headers: Record<string, string>, body: Buffer) {
  const session = connect(system.url);
  try {
    const stream = session.request({ ":method": "POST", ":path": path, te: "trailers", ...headers });
    const received: Record<string, unknown> = {};
    stream.on("response", (head) => Object.assign(received, head));
    stream.on("trailers", (trailers) => Object.assign(received, trailers));
    stream.on("error", () => undefined);
    stream.resume();
    stream.end(body);
    await new Promise((resolve) => stream.once("close", resolve));
    return received;
  } finally {
    session.destroy();
  }
}

describe("a message that is too large", () => {
  it.each([
    ["for its method", 200_000],
    ["for the gateway", 2 * 1024 * 1024],
  ])(
    "%s is RESOURCE_EXHAUSTED for gRPC and for gRPC-Web, and 413 or INVALID_ARGUMENT where HTTP is spoken",
    async (_what, size) => {
      system = await startStubSystem(handlers, { overNetwork: true });
      const caller = await authorization();
      const grpc = { ...caller, "content-type": "application/grpc" };
      const body = message("x".repeat(size));
      expect(await overHttp2(getOrder, grpc, body)).toMatchObject({ ":status": 200, "grpc-status": "8" });
      const web = await fetch(system.url + getOrder, {
        method: "POST",
        headers: { ...caller, "content-type": "application/grpc-web+proto" },
        body: new Uint8Array(body),
      });
      const text = await web.text();
      expect([web.status, web.headers.get("grpc-status") ?? /grpc-status: ?(\d+)/.exec(text)?.[1]]).toEqual([200, "8"]);
      const rest = await fetch(`${system.url}/api/orders/${orderId}:cancel`, {
        method: "POST",
        headers: { ...caller, "content-type": "application/json" },
        body: JSON.stringify({ reason: "x".repeat(size) }),
      });
      expect([400, 413]).toContain(rest.status);
      expect(await rest.json()).toMatchObject({ code: 3 });
    },
  );
});

describe.each([
  ["in the gateway's process", false],
  ["in another process", true],
])("gRPC's rules, of a service %s:", (_place, overNetwork) => {
  it("a compression that is not known is UNIMPLEMENTED, with those that are", async () => {
    system = await startStubSystem(handlers, { overNetwork });
    const headers = { ...(await authorization()), "content-type": "application/grpc", "grpc-encoding": "lzma" };
    const received = await overHttp2(getOrder, headers, message());
    expect(received).toMatchObject({ "grpc-status": "12", "grpc-accept-encoding": expect.stringMatching(/gzip.*br/) });
    expect(received["grpc-status-details-bin"]).toBeDefined();
  });

  it.each(["application/grpc;charset=utf-8", "application/grpc+proto; charset=utf-8"])("%s is gRPC", async (type) => {
    system = await startStubSystem(handlers, { overNetwork });
    const received = await overHttp2(getOrder, { ...(await authorization()), "content-type": type }, message());
    expect(received).toMatchObject({ ":status": 200, "grpc-status": "0" });
  });
});

describe("what does not exist", () => {
  it.each(["/helloworld.Greeter/SayHello", "/rialto.shop.v1.ShopService/Open", `${getOrder}s`, "/", "/api/products"])(
    "%s is UNIMPLEMENTED for gRPC and gRPC-Web, by HTTP's 200",
    async (path) => {
      system = await startStubSystem();
      const grpc = await overHttp2(path, { "content-type": "application/grpc" }, message());
      expect(grpc).toMatchObject({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" });
      const headers = { "content-type": "application/grpc-web+proto" };
      const web = await fetch(system.url + path, { method: "POST", headers, body: new Uint8Array(message()) });
      expect([web.status, web.headers.get("grpc-status")]).toEqual([200, "12"]);
    },
  );

  it.each([
    ["GET", `/api/products/${orderId}:`, 404],
    ["POST", `/api/orders/${orderId}:`, 404],
    ["POST", `/api/orders/${orderId}:nothing`, 405],
    ["POST", `/api/orders/${orderId}:cancel`, 200],
    // An encoded colon belongs to the value if a route takes one. Otherwise it is the verb's, from a client that
    // encodes too much.
    ["POST", `/api/orders/${orderId}%3Acancel`, 200],
    ["POST", `/api/orders/${orderId}%3acancel`, 200],
    ["GET", `/api/orders/${orderId}%3Acancel`, 400],
  ])("%s %s is %i", async (method, path, status) => {
    system = await startStubSystem({ cancelOrder: async ({ id }) => ({ order: { id } }) });
    const headers = await authorization();
    expect((await fetch(system.url + path, { method, headers })).status).toBe(status);
  });
});

describe("a version of Connect that is not 1", () => {
  it.each([false, true])("is refused, by GET and by POST, over the network: %s", async (overNetwork) => {
    system = await startStubSystem(handlers, { overNetwork });
    const caller = await authorization();
    const read = (version: string) =>
      fetch(`${system.url}${getOrder}?${version}&encoding=json&message=${encodeURIComponent(`{"id":"${orderId}"}`)}`, {
        headers: caller,
      });
    const post = (version: Record<string, string>) =>
      fetch(system.url + getOrder, {
        method: "POST",
        headers: { ...caller, "content-type": "application/json", ...version },
        body: `{"id":"${orderId}"}`,
      });
    const refused = [await read("connect=v2"), await post({ "connect-protocol-version": "2" })];
    expect(refused.map(({ status }) => status)).toEqual([400, 400]);
    expect(await refused[0]?.json()).toMatchObject({ code: "invalid_argument" });
    const taken = [
      await read("connect=v1"),
      await read("a=b"),
      await post({}),
      await post({ "connect-protocol-version": "1" }),
    ];
    expect(taken.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});

describe("a REST response", () => {
  const long = Array.from({ length: 50 }, () => ({ id: orderId }));

  it("is compressed if its client accepts it and it is worth it", async () => {
    system = await startStubSystem({ ...handlers, listOrders: async () => ({ orders: long }) });
    const ask = async (accept: string, path = "/api/orders") => {
      const { request } = await import("node:http");
      const headers = { ...(await authorization()), "accept-encoding": accept };
      return new Promise<{ bytes: Buffer; headers: Record<string, unknown> }>((resolve, reject) => {
        request(system.url + path, { headers }, async (response) => {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk);
          resolve({ bytes: Buffer.concat(chunks), headers: response.headers });
        })
          .once("error", reject)
          .end();
      });
    };
    const plain = await ask("identity");
    expect(JSON.parse(plain.bytes.toString()).orders).toHaveLength(50);
    expect(plain.headers).toMatchObject({ vary: "accept-encoding" });
    const zipped = await ask("gzip");
    expect(zipped.headers).toMatchObject({ "content-encoding": "gzip", "content-length": `${zipped.bytes.length}` });
    expect(gunzipSync(zipped.bytes)).toEqual(plain.bytes);
    const brotli = await ask("gzip, deflate, br");
    expect(brotli.headers).toMatchObject({ "content-encoding": "br" });
    expect(brotliDecompressSync(brotli.bytes)).toEqual(plain.bytes);
    expect((await ask("gzip", `/api/orders/${orderId}`)).headers["content-encoding"]).toBeUndefined();
  });

  it("is compressed as RFC 9110 reads what the client accepts", () => {
    const chosen = ["", "gzip", "br;q=0.5, gzip;q=0.8", "gzip;q=0, br;q=0", "*", "deflate", "*;q=0, gzip"].map(
      encodingFor,
    );
    expect(chosen).toEqual([undefined, "gzip", "gzip", undefined, "br", undefined, "gzip"]);
  });

  it("that holds a secret is never compressed", async () => {
    const { compileRoutes } = await import("../src/rest/routes.ts");
    const secret = compileRoutes(contractServices).routes.filter(({ answersSecrets }) => answersSecrets);
    expect(secret.map(({ template }) => template)).toContain("/api/auth/login");
    system = await startStubSystem();
  });
});

/** Each request field that is marked `debug_redact`, and its path. */
const secrets = contractServices
  .flatMap(({ methods }) => methods)
  .filter((method) => isPublished(method) && method.methodKind === "unary")
  .flatMap((method) =>
    secretsOf(method.input).map(
      (path) => [procedureOf(method), path.map(({ name }) => name).join("."), method, path] as const,
    ),
  );

function secretsOf(type: DescMessage, path: readonly DescField[] = []): (readonly DescField[])[] {
  return type.fields.flatMap((field) => {
    const here = [...path, field];
    if (field.proto.options?.debugRedact === true) return [here];
    return field.message === undefined || path.length > 4 ? [] : secretsOf(field.message, here);
  });
}

/** Makes JSON with a value at a path, in a list if the path goes through one. */
function jsonAt(path: readonly DescField[], value: unknown): unknown {
  const [field, ...rest] = path;
  if (field === undefined) return value;
  const inner = jsonAt(rest, value);
  return { [field.jsonName]: field.fieldKind === "list" ? [inner] : inner };
}

describe("a secret in an invalid request", () => {
  const canary = "hunter2hunter2";
  const values = [
    ["too short", "hunter2"],
    ["too long", canary.repeat(400)],
    ["not storable", `${canary}\u0000`],
    ["a number", 4815162342.125],
    ["in a list", [canary, 4815162342]],
    ["in an object", { value: canary }],
    ["half of a pair", `${canary}\ud800`],
    ["true", true],
  ] as const;

  it("there are such fields", async () => {
    expect(secrets.length).toBeGreaterThan(5);
    system = await startStubSystem();
  });

  it.each(secrets)("is quoted by no response: %s %s", async (procedure, _field, method: DescMethod, path) => {
    system = await startStubSystem({}, { overNetwork: false });
    const caller = await authorization("ADMIN");
    const rule = hasOption(method, http) ? getOption(method, http) : undefined;
    for (const [what, value] of values) {
      const json = JSON.stringify(jsonAt(path, value));
      const frame = Buffer.concat([Buffer.alloc(5), Buffer.from(json)]);
      frame.writeUInt32BE(Buffer.byteLength(json), 1);
      const asked = [
        { path: procedure, type: "application/json", body: Buffer.from(json) },
        { path: procedure, type: "application/json", body: Buffer.from(json.slice(0, -1)) },
        { path: procedure, type: "application/grpc-web+json", body: frame },
        ...(rule?.pattern.case === "post" && !rule.pattern.value.includes("{")
          ? [{ path: rule.pattern.value, type: "application/json", body: Buffer.from(json) }]
          : []),
      ];
      for (const { path, type, body } of asked) {
        const headers = { ...caller, "content-type": type };
        const answer = await fetch(system.url + path, { method: "POST", headers, body: new Uint8Array(body) });
        const text = await answer.text();
        const said = [
          text,
          ...answer.headers.values(),
          ...decodedIn(`${text} ${[...answer.headers.values()].join(" ")}`),
        ].join("\n");
        expect(said, `${type} ${what}`).not.toMatch(/hunter2|4815162342/);
      }
      const grpc = await overHttp2(procedure, { ...caller, "content-type": "application/grpc+json" }, frame);
      const texts = Object.values(grpc).map(String);
      expect([...texts, ...decodedIn(texts.join(" "))].join("\n"), `gRPC ${what}`).not.toMatch(/hunter2|4815162342/);
    }
  });

  function decodedIn(text: string): string[] {
    return (text.match(/[A-Za-z0-9+/_-]{12,}/g) ?? []).map((part) => Buffer.from(part, "base64").toString("latin1"));
  }
});
