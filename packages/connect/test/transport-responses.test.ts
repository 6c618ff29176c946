import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { GetProductResponseSchema, ProductService } from "@rialto/contracts";
import { describe, expect, it } from "vitest";
import { createTransport, type TransportOptions } from "../src/index.ts";
import { listenRaw } from "./call-server.ts";

/** A response that no good server would write, or only in trouble, and what its caller gets. */
interface Case {
  readonly title: string;
  readonly protocols: readonly TransportOptions["protocol"][];
  readonly write: (response: ServerResponse, protocol: TransportOptions["protocol"]) => void;
  /** "success", or the code of the error and a part of its text. */
  readonly result: "success" | readonly [Code, string?];
  /** Where the official transport says something else. */
  readonly official?: readonly [Code, string?];
  readonly httpVersions?: readonly ("1.1" | "2")[];
  readonly options?: Partial<TransportOptions>;
}

const message = toBinary(GetProductResponseSchema, create(GetProductResponseSchema, { product: { id: "1" } }));
const contentTypes = {
  connect: "application/proto",
  grpc: "application/grpc+proto",
  "grpc-web": "application/grpc-web+proto",
};
const all = ["connect", "grpc", "grpc-web"] as const;

const statusCases: readonly Case[] = [
  [400, Code.Internal] as const,
  [401, Code.Unauthenticated] as const,
  [403, Code.PermissionDenied] as const,
  [404, Code.Unimplemented] as const,
  [429, Code.Unavailable] as const,
  [500, Code.Unknown] as const,
  [502, Code.Unavailable] as const,
  [503, Code.Unavailable] as const,
  [504, Code.Unavailable] as const,
].map(([status, code]) => ({
  title: `status ${status} with a page`,
  protocols: all,
  write: (response) => response.writeHead(status, { "content-type": "text/html" }).end("<h1>sorry</h1>"),
  result: [code, `HTTP ${status}`],
}));

const connectCases: readonly Omit<Case, "protocols">[] = [
  {
    title: "a content type with a charset",
    write: (response) =>
      json(response, 200, { product: { id: "1" } }, { "content-type": "application/json; charset=utf-8" }),
    options: { useBinaryFormat: false },
    result: "success",
  },
  {
    title: "a page",
    write: (response) => ok(response, "text/html", "<h1>hello</h1>"),
    result: [Code.Unknown, "unsupported content type"],
  },
  {
    title: "JSON for binary",
    write: (response) => ok(response, "application/json", "{}"),
    result: [Code.Internal, "unsupported content type"],
  },
  {
    title: "a stream",
    write: (response) => ok(response, "application/connect+proto", message),
    result: [Code.Internal, "unsupported content type"],
  },
  {
    title: "no content type",
    write: (response) => response.writeHead(200).end(message),
    result: [Code.Unknown, "unsupported content type"],
  },
  {
    title: "an encoding that was not asked for",
    write: (response) => ok(response, "application/proto", message, { "content-encoding": "zstd" }),
    result: [Code.Internal, 'unsupported response encoding "zstd"'],
  },
  {
    title: "the encoding of no compression",
    write: (response) => ok(response, "application/proto", message, { "content-encoding": "identity" }),
    result: "success",
  },
  {
    title: "bytes that are no message",
    write: (response) => ok(response, "application/proto", "\u0007"),
    result: [Code.Internal, "parse binary"],
  },
  {
    title: "bytes that are not compressed as said",
    write: (response) => ok(response, "application/proto", message, { "content-encoding": "gzip" }),
    result: [Code.InvalidArgument, "decompression failed"],
  },
  {
    title: "text that is no JSON",
    write: (response) => ok(response, "application/json", "{"),
    options: { useBinaryFormat: false },
    result: [Code.InvalidArgument],
  },
  {
    title: "an error",
    write: (response) => json(response, 404, { code: "not_found", message: "gone" }),
    result: [Code.NotFound, "gone"],
  },
  {
    title: "an error whose status says another code",
    write: (response) => json(response, 500, { code: "aborted" }),
    result: [Code.Aborted],
  },
  {
    title: "an error without a code",
    write: (response) => json(response, 429, { message: "slowly" }),
    result: [Code.Unavailable, "slowly"],
  },
  {
    title: "an error with a code that nobody knows",
    write: (response) => json(response, 403, { code: "tired" }),
    result: [Code.PermissionDenied],
  },
  {
    title: "an error that is no JSON",
    write: (response) => response.writeHead(503, { "content-type": "application/json" }).end("{"),
    result: [Code.Unavailable, "HTTP 503"],
  },
  {
    title: "an error with broken details",
    write: (response) => json(response, 400, { code: "aborted", details: [{ type: 1 }] }),
    result: [Code.Internal, "HTTP 400"],
  },
  {
    title: "a compressed error",
    write: (response) =>
      response
        .writeHead(404, { "content-type": "application/json", "content-encoding": "gzip" })
        .end(gzipSync('{"code":"not_found","message":"gone"}')),
    result: [Code.NotFound, "gone"],
  },
  {
    title: "a length over the limit",
    write: (response) => ok(response, "application/proto", Buffer.alloc(2_000), { "content-length": "2000" }),
    options: { readMaxBytes: 1_000 },
    result: [Code.ResourceExhausted, "message size 2000 is larger"],
  },
  {
    title: "more bytes than the limit, without a length",
    write: (response) => {
      response.writeHead(200, { "content-type": "application/proto" }).write(Buffer.alloc(900));
      response.end(Buffer.alloc(900));
    },
    options: { readMaxBytes: 1_000 },
    result: [Code.ResourceExhausted, "readMaxBytes 1000"],
  },
  {
    title: "more bytes than the limit, when decompressed",
    write: (response) =>
      ok(response, "application/proto", gzipSync(Buffer.alloc(5_000)), { "content-encoding": "gzip" }),
    options: { readMaxBytes: 1_000 },
    result: [Code.ResourceExhausted, "after decompression"],
  },
];

const envelopeCases: readonly Omit<Case, "protocols">[] = [
  { title: "a message and a status", write: enveloped([message], "0"), result: "success" },
  { title: "a message in two packets", write: enveloped([message], "0", { isSplit: true }), result: "success" },
  {
    title: "a status and no message",
    write: enveloped([], "0"),
    result: [Code.Unimplemented, "missing output message"],
  },
  {
    title: "two messages",
    write: enveloped([message, message], "0"),
    result: [Code.Unimplemented, "extra output message"],
  },
  {
    title: "a status that nobody knows",
    write: enveloped([], "99"),
    result: [Code.Internal, "invalid grpc-status: 99"],
  },
  { title: "an error", write: enveloped([], "5"), result: [Code.NotFound, "gone, ä"] },
  { title: "a message and an error", write: enveloped([message], "5"), result: [Code.NotFound, "gone, ä"] },
  {
    title: "bytes that are no message",
    write: enveloped([Buffer.from([7])], "0"),
    result: [Code.Internal, "parse binary"],
  },
  {
    title: "a compressed message without an encoding",
    write: enveloped([gzipSync(message)], "0", { flags: 1 }),
    result: [Code.Internal, "do not know how to decompress"],
  },
  {
    title: "a compressed message",
    write: enveloped([gzipSync(message)], "0", { flags: 1, encoding: "gzip" }),
    result: "success",
  },
  {
    title: "a message that is not compressed, with an encoding",
    write: enveloped([message], "0", { encoding: "gzip" }),
    result: "success",
  },
  {
    title: "an encoding that was not asked for",
    write: enveloped([message], "0", { encoding: "zstd" }),
    result: [Code.Internal, "unsupported response encoding"],
  },
  {
    title: "a message over the limit",
    write: enveloped([Buffer.alloc(2_000)], "0"),
    options: { readMaxBytes: 1_000 },
    result: [Code.ResourceExhausted, "message size 2000 is larger"],
  },
  {
    title: "a part of a message",
    write: (response, protocol) => ok(response, contentTypes[protocol], encodeEnvelope(0, message).subarray(0, 7)),
    result: [Code.Internal, "incomplete envelope"],
    official: [Code.InvalidArgument, "incomplete envelope"],
  },
  {
    title: "an error in its head",
    write: (response, protocol) =>
      ok(response, contentTypes[protocol], "", { "grpc-status": "5", "grpc-message": "gone%2C %C3%A4" }),
    result: [Code.NotFound, "gone, ä"],
  },
];

const endCases: readonly Case[] = [
  {
    title: "a message without a status",
    protocols: ["grpc"],
    write: (response) => ok(response, contentTypes.grpc, encodeEnvelope(0, message)),
    result: [Code.Internal, "missing status"],
  },
  {
    title: "a message without a trailer",
    protocols: ["grpc-web"],
    write: (response) => ok(response, contentTypes["grpc-web"], encodeEnvelope(0, message)),
    result: [Code.Unknown, "missing trailer"],
  },
  {
    title: "two trailers",
    protocols: ["grpc-web"],
    write: (response) => {
      const trailer = encodeEnvelope(0x80, Buffer.from("grpc-status: 0\r\n"));
      ok(response, contentTypes["grpc-web"], Buffer.concat([encodeEnvelope(0, message), trailer, trailer]));
    },
    result: [Code.Unimplemented, "extra trailer"],
  },
  {
    title: "a page",
    protocols: ["grpc"],
    write: (response) => ok(response, "text/html", "<h1>hello</h1>"),
    result: [Code.Unknown, "unsupported content type"],
  },
  {
    title: "no response, as the connection closes",
    protocols: all,
    httpVersions: ["1.1"],
    write: (response) => response.destroy(),
    result: [Code.Aborted],
  },
  {
    title: "a part of a body of known length",
    protocols: all,
    httpVersions: ["1.1"],
    write: (response, protocol) => {
      response.writeHead(200, { "content-type": contentTypes[protocol], "content-length": "100" }).write("\0\0\0\0");
      setTimeout(() => response.destroy(), 20);
    },
    result: [Code.Aborted],
  },
  {
    title: "a part of a body without a length",
    protocols: all,
    httpVersions: ["1.1"],
    write: (response, protocol) => {
      response.writeHead(200, { "content-type": contentTypes[protocol] }).write("\0\0\0\0");
      setTimeout(() => response.destroy(), 20);
    },
    result: [Code.Aborted],
  },
  ...[
    [2, Code.Internal] as const,
    [7, Code.Unavailable] as const,
    [8, Code.Canceled] as const,
    [11, Code.ResourceExhausted] as const,
    [12, Code.PermissionDenied] as const,
  ].flatMap(([reset, code]): Case[] => [
    {
      title: `a stream that is reset with code ${reset}`,
      protocols: all,
      httpVersions: ["2"],
      write: (response) => streamOf(response).close(reset),
      result: [code, "http/2 stream closed with error code"],
      ...officialReset(reset),
    },
    {
      title: `a stream that is reset with code ${reset} after its head`,
      protocols: all,
      httpVersions: ["2"],
      write: (response, protocol) => {
        response.writeHead(200, { "content-type": contentTypes[protocol] }).write("\0\0\0\0");
        setTimeout(() => streamOf(response).close(reset), 20);
      },
      result: [code, "http/2 stream closed with error code"],
      ...officialReset(reset),
    },
  ]),
];

const cases: readonly Case[] = [
  ...statusCases,
  ...connectCases.map((each) => ({ ...each, protocols: ["connect"] as const })),
  ...envelopeCases.map((each) => ({ ...each, protocols: ["grpc", "grpc-web"] as const })),
  ...endCases,
];

const table = cases.flatMap((each) =>
  each.protocols.flatMap((protocol) =>
    (each.httpVersions ?? (["1.1", "2"] as const)).map((httpVersion) => ({ ...each, protocol, httpVersion })),
  ),
);

describe.each([
  { transport: "the official transport", stock: true },
  { transport: "our transport", stock: false },
])("$transport", ({ stock }) => {
  it.each(table)(
    "$protocol over HTTP/$httpVersion: reads $title",
    async ({ protocol, httpVersion, write, result, official, options }) => {
      const { baseUrl, close } = await listenRaw(httpVersion, (request, response) => {
        request.resume().on("end", () => write(response, protocol));
      });
      const transport = createTransport({ protocol, httpVersion, baseUrl, stock, ...options });
      const got = await createClient(ProductService, transport)
        .getProduct({ id: "1" })
        .then(
          ({ product }) => product?.id,
          (error: unknown) => error,
        );
      await transport.close();
      await close();
      if (result === "success") return expect(got).toBe("1");
      const [code, text = ""] = (stock ? official : undefined) ?? result;
      if (!(got instanceof ConnectError)) throw got;
      expect([Code[got.code], got.rawMessage]).toEqual([Code[code], expect.stringContaining(text)]);
    },
  );
});

function ok(
  response: ServerResponse,
  contentType: string,
  body: string | Uint8Array,
  fields: Record<string, string> = {},
) {
  response.writeHead(200, { "content-type": contentType, ...fields }).end(body);
}

function json(response: ServerResponse, status: number, body: unknown, fields: Record<string, string> = {}) {
  response.writeHead(status, { "content-type": "application/json", ...fields }).end(JSON.stringify(body));
}

/** Writes messages, then the status: as a trailer of HTTP for gRPC, as the last envelope for gRPC-Web. */
function enveloped(
  messages: readonly Uint8Array[],
  status: string,
  o: { readonly flags?: number; readonly encoding?: string; readonly isSplit?: boolean } = {},
) {
  return (response: ServerResponse, protocol: TransportOptions["protocol"]) => {
    const fields = {
      "content-type": contentTypes[protocol],
      ...(o.encoding === undefined ? {} : { "grpc-encoding": o.encoding }),
    };
    response.writeHead(200, { ...fields, ...(protocol === "grpc" ? { trailer: "grpc-status" } : {}) });
    const trailers = { "grpc-status": status, ...(status === "0" ? {} : { "grpc-message": "gone%2C %C3%A4" }) };
    const text = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
    const envelopes = messages.map((each) => encodeEnvelope(o.flags ?? 0, new Uint8Array(each)));
    if (protocol === "grpc") response.addTrailers(trailers);
    else envelopes.push(encodeEnvelope(0x80, Buffer.from(text.join(""))));
    const body = Buffer.concat(envelopes);
    if (o.isSplit !== true) return void response.end(body);
    response.write(body.subarray(0, 3));
    setTimeout(() => response.end(body.subarray(3)), 20);
  };
}

/** It maps the code of a reset, but gets Node's error first, unless the reset is a cancellation. */
function officialReset(reset: number): Pick<Case, "official"> {
  return reset === 8 ? {} : { official: [Code.Internal, "Stream closed with error code"] };
}

function streamOf(response: ServerResponse): { close(code: number): void } {
  // Node's compatibility API for HTTP/2 has it; its type is that of HTTP/1.1 here.
  return (response as unknown as { stream: { close(code: number): void } }).stream;
}
