import { afterEach, describe, expect, it } from "vitest";
import { ask, codeOf, createFixture, type GotResponse, ok } from "./byte-server.ts";

const { serve, client, closeAll } = createFixture();
afterEach(closeAll);

/** What a server may answer, and what its client gets. */
const whole: readonly { readonly title: string; readonly bytes: string; readonly got: GotResponse }[] = [
  {
    title: "a body with its length",
    bytes: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhe\r\no",
    got: {
      status: 200,
      fields: { "content-type": "text/plain", "content-length": "5" },
      body: "he\r\no",
      trailers: {},
    },
  },
  {
    title: "an empty body",
    bytes: "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
    got: { status: 404, fields: { "content-length": "0" }, body: "", trailers: {} },
  },
  {
    title: "chunks with an extension, and trailers",
    bytes:
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4;name=value\r\nhell\r\n00B\r\no, my world\r\n0\r\nGrpc-Status: 0\r\nx:\r\n\r\n",
    got: {
      status: 200,
      fields: { "transfer-encoding": "Chunked" },
      body: "hello, my world",
      trailers: { "grpc-status": "0", x: "" },
    },
  },
  {
    title: "chunks without trailers",
    bytes: "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    got: { status: 200, fields: { "transfer-encoding": "chunked" }, body: "ok", trailers: {} },
  },
  {
    title: "no body by its status",
    bytes: "HTTP/1.1 204 No Content\r\nx: 1\r\n\r\n",
    got: { status: 204, fields: { x: "1" }, body: "", trailers: {} },
  },
  {
    title: "responses of 1xx before the one that counts",
    bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\nlink: b\r\n\r\n${ok("late")}`,
    got: { status: 200, fields: { "content-length": "4" }, body: "late", trailers: {} },
  },
  {
    title: "fields that come twice, are named like what objects inherit, or have blanks and other bytes",
    bytes:
      "HTTP/1.1 200 OK\r\nset-cookie:a\r\nset-cookie: b\r\nset-cookie: c\r\nconstructor: x\r\n__proto__: \t y\xa0 z \t\r\ncontent-length: 0\r\n\r\n",
    got: {
      status: 200,
      fields: { "set-cookie": ["a", "b", "c"], constructor: "x", ["__proto__"]: "y\xa0 z", "content-length": "0" },
      body: "",
      trailers: {},
    },
  },
];

/** Answers each request with bytes that are cut at the places that its path names. */
async function serveCut(bytes: string) {
  return serve(async (socket, { path }) => {
    let start = 0;
    for (const cut of [...(path.match(/\d+/g) ?? []).map(Number), bytes.length]) {
      socket.write(Buffer.from(bytes.slice(start, cut), "latin1"));
      start = cut;
      // The client reads what was written before there is more.
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    }
  });
}

describe.each(whole)("a response with $title", ({ bytes, got }) => {
  it("is read as a whole", async () => {
    const { origin } = await serveCut(bytes);
    expect(await ask(client(), origin)).toEqual(got);
  });

  it("is read however it is cut in two, again and again on one connection", async () => {
    const { origin, sockets } = await serveCut(bytes);
    const one = client({ connectionsMax: 1 });
    for (let cut = 1; cut < bytes.length; cut += 1) expect(await ask(one, origin, { path: `/${cut}` })).toEqual(got);
    expect(sockets).toHaveLength(1);
  });

  it("is read byte by byte", async () => {
    const { origin } = await serveCut(bytes);
    const cuts = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
    expect(await ask(client(), origin, { path: `/${cuts.join("/")}` })).toEqual(got);
  });

  it("fails where it ends early, wherever that is", async () => {
    const server = await serve((socket, { path }) => {
      socket.end(Buffer.from(bytes.slice(0, Number(path.slice(1))), "latin1"));
    });
    const one = client();
    for (let cut = 0; cut < bytes.length; cut += 1)
      expect([cut, await codeOf(ask(one, server.origin, { path: `/${cut}` }))]).toEqual([cut, "ECONNRESET"]);
  });
});

describe("a response to HEAD", () => {
  it.each(["content-length: 100", "transfer-encoding: chunked"])("has no body, whatever it says: %s", async (field) => {
    const { origin, sockets } = await serve((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`);
    });
    const one = client();
    for (const verb of ["HEAD", "HEAD"]) expect(await ask(one, origin, { verb })).toMatchObject({ body: "" });
    expect(sockets).toHaveLength(1);
  });
});

const malformed = "ERR_RESPONSE_MALFORMED";
const tooLarge = "ERR_RESPONSE_HEAD_TOO_LARGE";
const long = "a".repeat(17 * 1024);

describe("a response is refused, and its connection closed, that has", () => {
  it.each([
    { title: "no status line", bytes: "hello\r\n\r\n", code: malformed },
    { title: "another version", bytes: "HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a status of two digits", bytes: "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a status that begins with 0", bytes: "HTTP/1.1 099 OK\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "lines that end with LF", bytes: "HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a bare CR", bytes: "HTTP/1.1 200 OK\r\na: b\rc\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a NUL in a value", bytes: "HTTP/1.1 200 OK\r\na: \0\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a blank before a colon", bytes: "HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n", code: malformed },
    { title: "a field without a name", bytes: "HTTP/1.1 200 OK\r\n: 0\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a folded line", bytes: "HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n", code: malformed },
    { title: "a length that is none", bytes: "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello", code: malformed },
    {
      title: "an endless length",
      bytes: `HTTP/1.1 200 OK\r\ncontent-length: ${"9".repeat(16)}\r\n\r\n`,
      code: malformed,
    },
    {
      title: "two lengths, even the same",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
      code: malformed,
    },
    {
      title: "a length and chunks",
      bytes: "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      code: malformed,
    },
    {
      title: "chunks in another encoding",
      bytes: "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      code: malformed,
    },
    {
      title: "chunks in HTTP/1.0",
      bytes: "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      code: malformed,
    },
    { title: "a body that ends with its connection", bytes: "HTTP/1.1 200 OK\r\n\r\nhello", code: malformed },
    {
      title: "a response of 1xx that ends the connection, and another behind it",
      bytes: "HTTP/1.1 102 Processing\r\nconnection: close\r\n\r\nHTTP/1.1 204 X\r\n\r\n",
      code: malformed,
    },
    { title: "another protocol after it", bytes: "HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n", code: malformed },
    { title: "a chunk without a length", bytes: chunked("\r\nok\r\n0\r\n\r\n"), code: malformed },
    { title: "a chunk with a length that is none", bytes: chunked("-2\r\nok\r\n0\r\n\r\n"), code: malformed },
    { title: "a chunk that is longer than it says", bytes: chunked("2\r\nokay\r\n0\r\n\r\n"), code: malformed },
    { title: "an extension that is none", bytes: chunked("2;a b\r\nok\r\n0\r\n\r\n"), code: malformed },
    { title: "an endless extension", bytes: chunked(`2;${long}\r\nok\r\n0\r\n\r\n`), code: malformed },
    { title: "a length among its trailers", bytes: chunked("0\r\ncontent-length: 0\r\n\r\n"), code: malformed },
    { title: "a trailer that is no field", bytes: chunked("0\r\nhello\r\n\r\n"), code: malformed },
    { title: "a bare CR after its last chunk", bytes: chunked("0\r\n\rx"), code: malformed },
    { title: "an endless status line", bytes: `HTTP/1.1 200 ${long}`, code: tooLarge },
    {
      title: "endless fields",
      bytes: `HTTP/1.1 200 OK\r\n${`a: ${"b".repeat(1_000)}\r\n`.repeat(20)}`,
      code: tooLarge,
    },
    { title: "endless trailers", bytes: chunked(`0\r\n${`a: ${"b".repeat(1_000)}\r\n`.repeat(20)}`), code: tooLarge },
    { title: "endless responses of 1xx", bytes: "HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000), code: tooLarge },
  ])("$title", async ({ bytes, code }) => {
    const { origin, sockets } = await serve((socket) => {
      socket.write(Buffer.from(bytes, "latin1"));
    });
    expect(await codeOf(ask(client(), origin))).toBe(code);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });
});

function chunked(body: string): string {
  return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`;
}

describe("a large body", () => {
  it("comes in parts, each of its own bytes", async () => {
    const body = Array.from({ length: 200_000 }, (_, at) => String.fromCharCode(at % 251)).join("");
    const { origin } = await serve((socket) => {
      socket.write(Buffer.from(ok(body), "latin1"));
    });
    const parts: Uint8Array[] = [];
    await ask(client(), origin, { onPart: (part) => void parts.push(part) });
    expect(parts.length).toBeGreaterThan(1);
    expect(Buffer.concat(parts).toString("latin1") === body).toBe(true);
  });

  it("ends with what its receiver throws, and so does its connection", async () => {
    const { origin, sockets } = await serve((socket) => {
      socket.write(ok("a".repeat(500_000)));
    });
    const limit = new Error("too much");
    const onPart = () => {
      throw limit;
    };
    expect(await codeOf(ask(client(), origin, { onPart }))).toBe(limit);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });
});
