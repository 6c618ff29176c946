import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { GetOrderRequestSchema } from "@rialto/contracts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { orderId, type StubSystem, startStubSystem } from "./stub-system.ts";

let system: StubSystem;
let token: string;
const procedure = "/rialto.order.v1.OrderService/GetOrder";

const places = [
  ["in the gateway's process", false],
  ["in another process", true],
] as const;

/** Sends raw bytes, and returns what arrived until the server or the timeout closed the connection. */
async function send(bytes: string | Buffer, waitMsMax = 2_000): Promise<string> {
  const { hostname, port } = new URL(system.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  const late = setTimeout(() => socket.destroy(), waitMsMax);
  socket.write(bytes);
  await new Promise((resolve) => socket.once("close", resolve));
  clearTimeout(late);
  return text;
}

async function post(path: string, type: string, body: Buffer | string, headers: Record<string, string> = {}) {
  const response = await fetch(`${system.url}${path}`, {
    method: "POST",
    headers: { "content-type": type, authorization: `Bearer ${token}`, ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Another client's request, which must be answered whatever the others do. */
async function expectOthersServed(): Promise<void> {
  const response = await fetch(`${system.url}/api/orders/${orderId}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect([response.status, await response.json()]).toMatchObject([200, { id: orderId }]);
}

function enveloped(message: Uint8Array, length = message.length, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

describe.each(places)("before a service %s,", (_place, overNetwork) => {
  beforeAll(async () => {
    system = await startStubSystem({ getOrder: async ({ id }) => ({ order: { id } }) }, { overNetwork });
    token = await system.token("CUSTOMER");
  });
  afterAll(() => system.close());

  describe("bytes that are not valid HTTP", () => {
    const end = "\r\nhost: x\r\nconnection: close\r\n\r\n";
    it.each([
      ["rubbish", "\0\x01\x02rubbish\r\n\r\n"],
      ["a TLS greeting", Buffer.from("16030100c8010000c40303", "hex")],
      ["a method that is none", `FLY / HTTP/1.1${end}`],
      ["a version that is none", `GET / HTTP/9.9${end}`],
      ["no host", "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n"],
      ["two lengths", "POST /api/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde"],
      [
        "a length and chunks, as in request smuggling",
        "POST /api/orders HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
      ],
      [
        "a chunk with an invalid size",
        "POST /api/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
      ],
      ["a line feed in a header", "GET /health HTTP/1.1\r\nhost: x\r\nx: a\nb\r\n\r\n"],
      ["a URL of 100 kB", `GET /${"a".repeat(100_000)} HTTP/1.1${end}`],
      ["a header of 100 kB", `GET /health HTTP/1.1\r\nx: ${"a".repeat(100_000)}${end}`],
      ["ten thousand headers", `GET /health HTTP/1.1${"\r\nx: y".repeat(10_000)}${end}`],
      ["a path that leaves", `GET /../../etc/passwd HTTP/1.1${end}`],
      ["a path that is not well encoded", `GET /api/orders/%ff%zz HTTP/1.1${end}`],
      ["HTTP/2 with a frame that is none", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"],
    ])("%s: refused or cut off, and others are served", async (_what, bytes) => {
      const answer = send(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
      await expectOthersServed();
      expect(await answer).not.toMatch(/^HTTP\/1\.1 (2|5)\d\d/);
    });
  });

  describe("bodies that are meant to hurt", () => {
    const deep = (opening: string, closing: string) => opening.repeat(15_000) + closing.repeat(15_000);
    const message = toBinary(GetOrderRequestSchema, create(GetOrderRequestSchema, { id: orderId }));
    const badText = Buffer.concat([Buffer.from([0x0a, 0x02]), Buffer.from([0xff, 0xfe])]);

    it.each([
      ["JSON 15,000 deep", "application/json", `{"id":${deep("[", "]")}}`],
      ["an object 15,000 deep", "application/json", deep('{"id":', "}")],
      ["JSON that ends too early", "application/json", '{"id":"'],
      ["JSON with NUL in a text", "application/json", '{"id":"\\u0000"}'],
      ["JSON with half a surrogate pair", "application/json", '{"id":"\\ud800"}'],
      ["JSON that is not UTF-8", "application/json", Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
      ["JSON with __proto__", "application/json", '{"__proto__":{"id":"1"},"constructor":{"prototype":{}}}'],
      ["protobuf that is cut off", "application/proto", Buffer.from(message.subarray(0, 9))],
      ["protobuf that is noise", "application/proto", Buffer.from("ffffffffffffffffffff01", "hex")],
      ["protobuf whose text is not UTF-8", "application/proto", badText],
      ["protobuf with groups 10,000 deep", "application/proto", Buffer.alloc(10_000, 0x0b)],
    ])("%s: refused as the caller's mistake", async (_what, type, body) => {
      const connectAnswer = await post(procedure, type, body);
      expect([connectAnswer.status, JSON.parse(connectAnswer.text).code]).toEqual([400, "invalid_argument"]);
      if (type === "application/json") expect((await post("/api/orders", type, body)).status).toBe(400);
      const packed = enveloped(Buffer.from(body));
      const grpcType = `application/grpc-web+${type.split("/")[1]}`;
      const web = await post(procedure, grpcType, packed);
      expect(`${web.headers.get("grpc-status") ?? ""}${web.text}`).toMatch(/^3|grpc-status: ?3/);
      await expectOthersServed();
    });

    it.each([
      ["an envelope that is longer than its stream", enveloped(message, message.length + 10)],
      ["an envelope of 4 GB", enveloped(message, 0xffff_fff0)],
      ["an envelope that says it is compressed, and is not", enveloped(message, message.length, 1)],
      ["two messages where one is due", Buffer.concat([enveloped(message), enveloped(message)])],
      ["nothing at all", Buffer.alloc(0)],
    ])("%s: refused, never a defect", async (_what, body) => {
      const answer = await post(procedure, "application/grpc-web+proto", body);
      const status = /grpc-status: ?(\d+)/.exec(answer.text)?.[1] ?? answer.headers.get("grpc-status");
      expect(["3", "8", "12"]).toContain(status);
      await expectOthersServed();
    });

    it("a body of 2 MB is refused before it is read, and so is one that unpacks to 100 MB", async () => {
      expect((await post("/api/orders", "application/json", Buffer.alloc(2 * 1024 * 1024, " "))).status).toBe(413);
      const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, " "));
      const packed = await post(procedure, "application/json", bomb, { "content-encoding": "gzip" });
      expect([400, 429]).toContain(packed.status);
      expect((await post("/api/orders", "application/json", bomb, { "content-encoding": "gzip" })).status).toBe(415);
      await expectOthersServed();
    });
  });

  describe("clients that hold connections", () => {
    it("hundreds of slow ones keep no one out", async () => {
      const { hostname, port } = new URL(system.url);
      const beginnings = [
        "",
        "PRI * HTTP/2",
        "GET /health HTTP/1.1\r\nx: ",
        "POST /api/orders HTTP/1.1\r\ncontent-length: 9\r\n\r\n",
      ];
      const sockets = Array.from({ length: 400 }, (_, index) => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => undefined);
        socket.write(beginnings[index % beginnings.length] ?? "");
        return socket;
      });
      for (let turn = 0; turn < 5; turn += 1) await expectOthersServed();
      for (const socket of sockets) socket.destroy();
    });

    it("one that resets call after call over HTTP/2 loses its connection, and no one else does", async () => {
      const session = connectHttp2(system.url);
      session.on("error", () => undefined);
      const ended = new Promise((resolve) => session.once("close", resolve));
      for (let sent = 0; sent < 5_000 && !session.destroyed && !session.closed; sent += 1) {
        const stream = session.request({ ":method": "POST", ":path": procedure, authorization: `Bearer ${token}` });
        stream.on("error", () => undefined);
        stream.close(8);
        if (sent % 100 === 0) await expectOthersServed();
      }
      await ended;
      await expectOthersServed();
    });
  });

  describe("after all of that", () => {
    it("no line in the log is a defect", () => {
      expect(system.lines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
    });
  });
});
