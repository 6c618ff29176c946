import { brotliCompressSync, gzipSync } from "node:zlib";
import { create, createFileRegistry, type DescMethod, fromBinary, setExtension, toBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema, file_google_protobuf_empty, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  CreateOrderRequestSchema,
  GetOrderRequestSchema,
  OrderService,
  type RequestSize,
  RequestSizeSchema,
  request_size,
  StatusSchema,
} from "@rialto/contracts";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { requestSizeOf } from "../src/bounds/request-size.ts";
import type { HttpRequest } from "../src/index.ts";
import { requestSizeDefault } from "../src/limits.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";
import { pathOf, resultOf, textOf } from "./transports.ts";

let people: People;
let shop: ReturnType<typeof createFixture>;

beforeAll(async () => {
  people = await createPeople();
  shop = createFixture(people, {
    async *watchOrder({ id }) {
      yield { order: { id } };
    },
  });
});
afterEach(() => {
  shop.calls.length = 0;
});

const { createOrder, getOrder, watchOrder } = OrderService.method;
const manyItems = create(CreateOrderRequestSchema, { items: Array.from({ length: 60_000 }, () => ({})) });
const poison = {
  json: JSON.stringify({ items: manyItems.items.map(() => ({})) }),
  proto: toBinary(CreateOrderRequestSchema, manyItems),
};
const good = { items: [{ productId: orderId, quantity: 1 }], paymentMethod: "pm" };

/**
 * Sends bytes by a protocol and reads what it says: its code by name, the rules that were broken, and how many bytes of
 * the body were asked for.
 */
async function send(
  method: DescMethod,
  contentType: string,
  message: Uint8Array,
  o: { readonly headers?: Record<string, string>; readonly flags?: number; readonly authorization?: string } = {},
) {
  const framed = contentType.includes("connect+") || contentType.includes("grpc");
  const head = Buffer.alloc(5);
  head.writeUInt8(o.flags ?? 0);
  head.writeUInt32BE(message.length, 1);
  const read = { bytes: 0 };
  const request: HttpRequest = {
    url: `http://test${pathOf(method)}`,
    method: "POST",
    header: new Headers({
      "content-type": contentType,
      authorization: o.authorization ?? `Bearer ${people.customer}`,
      ...o.headers,
    }),
    body: chunksOf(framed ? Buffer.concat([head, message]) : message, read),
  };
  return { ...(await saidBy(request, contentType)), bytesRead: read.bytes };
}

async function saidBy(request: HttpRequest, contentType: string) {
  const response = await shop.endpoint.handle(request);
  const text = await textOf(response);
  if (contentType.includes("grpc")) {
    const trailers = contentType.includes("web") ? new Headers(linesOf(text)) : response.trailer;
    const status = fromBinary(StatusSchema, base64Decode(trailers.get("grpc-status-details-bin") ?? ""));
    const bad = status.details.filter(({ typeUrl }) => typeUrl.endsWith("BadRequest"));
    return {
      code: trailers.get("grpc-status"),
      rules: bad.flatMap(({ value }) =>
        fromBinary(BadRequestSchema, value).fieldViolations.map(({ reason }) => reason),
      ),
    };
  }
  const holdsMessage = contentType.includes("connect+") && text.charCodeAt(0) === 0;
  if (holdsMessage) return { code: "ok", rules: [] };
  const json = contentType.includes("connect+") ? text.slice(5) : text;
  const error = contentType.includes("connect+") ? JSON.stringify(JSON.parse(json).error ?? {}) : json;
  const result = resultOf(response.status === 200 && !contentType.includes("connect+") ? 200 : 400, error);
  return {
    code: result.code,
    rules: result.fields?.map((field) =>
      field
        .trim()
        .toUpperCase()
        .replaceAll(/[^A-Z]+/g, "_"),
    ),
  };
}

function linesOf(text: string): [string, string][] {
  return text
    .slice(5)
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
}

async function* chunksOf(bytes: Uint8Array, read: { bytes: number }): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 16_384) {
    const chunk = bytes.subarray(at, at + 16_384);
    read.bytes += chunk.length;
    yield chunk;
  }
}

describe("a request with more fields than its method takes", () => {
  it.each([
    ["application/json", "json", "invalid_argument"],
    ["application/proto", "proto", "invalid_argument"],
    ["application/grpc", "proto", "3"],
    ["application/grpc+json", "json", "3"],
    ["application/grpc-web+proto", "proto", "3"],
    ["application/grpc-web+json", "json", "3"],
  ] as const)("is refused over %s before it is decoded, compressed or not", async (contentType, format, code) => {
    const plain = Buffer.from(poison[format]);
    const small = plain.subarray(0, 100_000);
    const cut = await send(
      createOrder,
      contentType,
      format === "json" ? Buffer.from(JSON.stringify({ items: Array(30_000).fill({}) })) : small,
    );
    expect(cut).toMatchObject({ code, rules: ["REQUEST_FIELDS"] });
    const encoding = contentType.includes("grpc") ? "grpc-encoding" : "content-encoding";
    const json = Buffer.from(JSON.stringify({ items: Array(30_000).fill({}) }));
    for (const [name, compress] of [
      ["gzip", gzipSync],
      ["br", brotliCompressSync],
    ] as const) {
      const body = compress(format === "json" ? json : small);
      expect(await send(createOrder, contentType, body, { headers: { [encoding]: name }, flags: 1 })).toMatchObject({
        code,
        rules: ["REQUEST_FIELDS"],
      });
    }
    expect(shop.calls).toEqual([]);
  });

  it("is refused as the start of a stream", async () => {
    const deep = Buffer.from("[".repeat(60_000));
    expect(await send(watchOrder, "application/connect+json", deep)).toMatchObject({ rules: ["REQUEST_DEPTH"] });
    const ok = toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, { id: orderId }));
    expect(await send(watchOrder, "application/connect+proto", ok)).toMatchObject({ code: "ok" });
  });

  it("is refused in a GET, which holds it in its URL", async () => {
    const query = (text: string, more: string) => `http://test${pathOf(getOrder)}?connect=v1&${more}&message=${text}`;
    const header = new Headers({ authorization: `Bearer ${people.customer}` });
    const get = (url: string) => saidBy({ url, method: "GET", header }, "application/json");
    const bomb = gzipSync(`{"id":${"[".repeat(100_000)}`).toString("base64url");
    expect(await get(query(bomb, "encoding=json&base64=1&compression=gzip"))).toMatchObject({
      rules: ["REQUEST_DEPTH"],
    });
    expect(await get(query("%7B%22id%22:%22a%22,%22id%22:%22b%22%7D", "encoding=json"))).toMatchObject({
      rules: ["_ID_REQUEST_TWICE_".replaceAll(/^_|_$/g, "")],
    });
    expect(await get(query("!!!", "encoding=proto&base64=1"))).toMatchObject({ rules: ["REQUEST_BASE_"] });
    const fine = await get(query(encodeURIComponent(JSON.stringify({ id: orderId })), "encoding=json"));
    expect(fine.code).toBe("ok");
  });
});

describe("a request of more bytes than its method takes", () => {
  it("is not read to its end", async () => {
    const { bytesRead, rules } = await send(createOrder, "application/json", Buffer.alloc(3_000_000, " "));
    expect(rules).toEqual(["REQUEST_BYTES"]);
    expect(bytesRead).toBeLessThanOrEqual(requestSizeDefault.bytes + 16_384);
  });

  it("is refused by what it says of its length, with nothing read", async () => {
    const o = { headers: { "content-length": "3000000" } };
    expect(await send(createOrder, "application/json", Buffer.alloc(3_000_000, " "), o)).toMatchObject({
      rules: ["REQUEST_BYTES"],
      bytesRead: 0,
    });
    const stated = await send(createOrder, "application/grpc", Buffer.alloc(3_000_000));
    expect(stated.bytesRead).toBe(16_384);
  });

  it("is not decompressed to its end", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, " "));
    expect(
      await send(createOrder, "application/json", bomb, { headers: { "content-encoding": "gzip" } }),
    ).toMatchObject({ rules: ["REQUEST_BYTES"] });
    const [o, content] = [{ headers: { "grpc-encoding": "gzip" }, flags: 1 }, "application/grpc"];
    expect(await send(createOrder, content, bomb, o)).toMatchObject({ rules: ["REQUEST_BYTES"] });
  });

  it("is not read at all where its caller may not call", async () => {
    const o = { authorization: `Bearer ${people.bad.forged}` };
    expect(await send(createOrder, "application/json", Buffer.from(poison.json), o)).toMatchObject({
      code: "unauthenticated",
      bytesRead: 0,
    });
  });
});

describe("a request in its bounds", () => {
  it("is understood in every encoding and compression", async () => {
    const bytes = toBinary(CreateOrderRequestSchema, create(CreateOrderRequestSchema, good));
    const json = Buffer.from(JSON.stringify({ ...good, items: [{ productId: orderId, quantity: "1e0" }] }));
    expect((await send(createOrder, "application/json; charset=utf-8", json)).code).toBe("ok");
    expect(
      (await send(createOrder, "application/json", gzipSync(json), { headers: { "content-encoding": "gzip" } })).code,
    ).toBe("ok");
    for (const [type, body] of [
      ["application/grpc", bytes],
      ["application/grpc+json", json],
    ] as const) {
      shop.calls.length = 0;
      await send(createOrder, type, body).catch(() => undefined);
      await send(createOrder, type, gzipSync(body), { headers: { "grpc-encoding": "gzip" }, flags: 1 }).catch(
        () => undefined,
      );
      expect(shop.calls).toHaveLength(2);
    }
  });
});

describe("the size of a method's requests", () => {
  it("is the default where the contract says nothing", () => {
    expect(requestSizeOf(createOrder)).toEqual(requestSizeDefault);
  });

  it("is what the method's option says, and the default for what that leaves out", () => {
    expect(requestSizeOf(methodWith({ bytes: 2_000_000, fields: 50_000 }))).toEqual({
      bytes: 2_000_000,
      fields: 50_000,
      depth: 32,
    });
  });

  it.each([{ bytes: 5_000_000 }, { depth: 101 }, { fields: -1 }])("cannot be %o", (asked) => {
    expect(() => requestSizeOf(methodWith(asked))).toThrow(/^test.Service\/Reach: request_size\.\w+ must be 0 to \d+$/);
  });
});

/** A method of somebody else's contract, with the option. */
function methodWith(asked: Partial<Pick<RequestSize, "bytes" | "fields" | "depth">>): DescMethod {
  const options = create(MethodOptionsSchema);
  setExtension(options, request_size, create(RequestSizeSchema, asked));
  const file = create(FileDescriptorProtoSchema, {
    name: "test/service.proto",
    package: "test",
    syntax: "proto3",
    dependency: ["google/protobuf/empty.proto"],
    service: [
      {
        name: "Service",
        method: [{ name: "Reach", inputType: ".google.protobuf.Empty", outputType: ".google.protobuf.Empty", options }],
      },
    ],
  });
  const registry = createFileRegistry(file, (name) =>
    name === file_google_protobuf_empty.proto.name ? file_google_protobuf_empty : undefined,
  );
  const method = registry.getService("test.Service")?.methods[0];
  if (method === undefined) throw new Error("no method");
  return method;
}
