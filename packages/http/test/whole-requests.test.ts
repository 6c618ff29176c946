import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import { IncomingMessage, type RequestListener, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import * as tls from "node:tls";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { arrivedBody, endWithBody, limitWriteTime, listenHttp } from "../src/index.ts";
import type { ListenOptions } from "../src/listen.ts";
import { createLongLines, WholeRequestReader } from "../src/whole/request-reader.ts";
import { heapBytes } from "./heap-bytes.ts";
import { createSelfSigned } from "./self-signed.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Answers with what it was asked. */
const echo: RequestListener = (req, res) => {
  setImmediate(() => {
    const body = Buffer.from(arrivedBody(req) ?? "").toString();
    const { url, method, headers } = req;
    const text = JSON.stringify({ url, method, headers: Object.entries(headers).sort(), body });
    res.writeHead(200, ["content-type", "application/json", "content-length", `${Buffer.byteLength(text)}`]);
    endWithBody(res, Buffer.from(text));
  });
};

/** A port whose POSTs in JSON have whole responses, and how many of its responses were Node's. */
async function serve(onRequest: RequestListener = echo, more: Partial<ListenOptions> = {}) {
  const seen = { byNode: 0, whole: 0 };
  const listener = await listenHttp({
    port: 0,
    host: "127.0.0.1",
    streamsMax: 20,
    answersWhole: (_path, contentType) => contentType === "application/json",
    onRequest: (req, res) => {
      if (res instanceof ServerResponse) seen.byNode += 1;
      else seen.whole += 1;
      expect(req).toBeInstanceOf(IncomingMessage);
      onRequest(req, res);
    },
    ...more,
  });
  open.push(() => listener.close({ graceMs: 100 }));
  return { ...listener, seen };
}

/** Sends texts one after the other, each when the one before was answered, and returns what came. */
function client(port: number) {
  const socket: Socket = connect(port, "127.0.0.1");
  open.push(() => socket.destroy());
  socket.on("error", () => undefined);
  let text = "";
  socket.setEncoding("latin1").on("data", (part) => {
    text += part;
  });
  return { socket, text: () => text, answers: () => text.split("HTTP/1.1 ").length - 1 };
}

/** What was written has arrived: the loop has looked for it a few times, however long the machine stood still. */
async function arrived(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const json = "content-type: application/json\r\n";
const post = (body: string, fields = json) =>
  `POST /a?b=c HTTP/1.1\r\nhost: x\r\n${fields}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe("a request that comes in one piece", () => {
  it("is answered without Node's server, again and again on one connection", async () => {
    const { port, seen } = await serve();
    const { socket, text, answers } = client(port);
    for (const count of [1, 2, 3]) {
      socket.write(post(`{"n":${count}}`));
      await expect.poll(answers).toBe(count);
    }
    expect(seen).toEqual({ byNode: 0, whole: 3 });
    const [head = "", body = ""] = text().split("\r\n\r\n");
    expect(head.replace(/date: [^\r]*/, "date: now")).toMatchInlineSnapshot(`
      "HTTP/1.1 200 OK
      content-type: application/json
      content-length: 135
      date: now
      connection: keep-alive
      keep-alive: timeout=65"
    `);
    expect(body).toContain('"url":"/a?b=c"');
    expect(body).toContain('"body":"{\\"n\\":1}"');
  });

  it.each([
    ["of another content type", post("{}", "content-type: text/plain\r\n")],
    ["of another method", "GET /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\r\n"],
    ["in chunks", `POST /a HTTP/1.1\r\nhost: x\r\n${json}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ["that ends its connection", post("{}", `${json}connection: close\r\n`)],
    ["with a field twice", post("{}", `${json}x-a: 1\r\nx-a: 2\r\n`)],
    ["of HTTP/1.0", post("{}").replace("HTTP/1.1", "HTTP/1.0")],
    ["with the next one behind it", post("{}") + post("{}")],
  ])("but is one %s, is read by Node's", async (_name, request) => {
    const { port, seen } = await serve();
    const { socket, answers } = client(port);
    socket.write(request);
    await expect.poll(answers).toBeGreaterThan(0);
    expect(seen.whole).toBe(0);
  });

  it("is followed by others, which Node's server reads in however small pieces they come", async () => {
    const { port, seen } = await serve();
    const { socket, text, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(answers).toBe(1);
    const late = post("late");
    socket.write(late.slice(0, 1));
    await arrived();
    for (const byte of late.slice(1)) socket.write(byte);
    await expect.poll(answers).toBe(2);
    expect(text()).toContain('"body":"late"');
    expect(seen).toEqual({ byNode: 1, whole: 1 });
  });

  it("is answered before the next one that its client did not wait with, and that one after it", async () => {
    const held: (() => void)[] = [];
    const { port } = await serve((req, res) => void held.push(() => echo(req, res)));
    const { socket, text, answers } = client(port);
    socket.write(post("first"));
    await expect.poll(() => held.length).toBe(1);
    socket.write(post("second") + post("third"));
    await arrived();
    expect([held.length, text()]).toEqual([1, ""]);
    held.shift()?.();
    await expect.poll(() => held.length).toBe(2);
    for (const answer of held.splice(0)) answer();
    await expect.poll(answers).toBe(3);
    expect(text()).toMatch(/first[\s\S]*second[\s\S]*third/);
  });

  it("is canceled, and its connection closed, where its client sends on and on while it is answered", async () => {
    const begun = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<boolean>();
    const { port } = await serve((req, res) => {
      res.on("close", () => closed.resolve(req.aborted));
      begun.resolve();
    });
    const { socket } = client(port);
    socket.write(post("first"));
    await begun.promise;
    socket.write(Buffer.alloc(1024 * 1024, "P"));
    expect(await closed.promise).toBe(true);
  });

  it("keeps what comes behind it as a few pieces, however small they arrive", async () => {
    const held: (() => void)[] = [];
    const { port } = await serve((req, res) => void held.push(() => echo(req, res)));
    const others = Array.from({ length: 8 }, () => client(port));
    for (const { socket } of others) socket.setNoDelay(true).write(post("first"));
    await expect.poll(() => held.length).toBe(others.length);
    const second = post("b".repeat(12_000));
    const before = heapBytes();
    for (const byte of second) {
      for (const { socket } of others) socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((heapBytes() - before) / others.length).toBeLessThan(200_000);
    for (const answer of held.splice(0)) answer();
    await expect.poll(() => held.length).toBe(others.length);
    for (const answer of held.splice(0)) answer();
    for (const { answers, text } of others) {
      await expect.poll(answers).toBe(2);
      expect(text()).toContain("b".repeat(12_000));
    }
  });

  it("is read outside of the request before it, whose answer was sent first, as are those that Node's reads", async () => {
    const span = new AsyncLocalStorage<string>();
    const [spans, held]: [(string | undefined)[], (() => void)[]] = [[], []];
    const { port, seen } = await serve((req, res) => {
      spans.push(span.getStore());
      span.run("of another request", () => held.push(AsyncResource.bind(() => echo(req, res))));
    });
    const { socket, answers } = client(port);
    const answered = async (count: number) => {
      for (const answer of held.splice(0)) answer();
      await expect.poll(answers).toBe(count);
    };
    const send = async (text: string) => {
      const written = Promise.withResolvers<void>();
      socket.write(text, () => written.resolve());
      await written.promise;
      await arrived();
    };
    await send(post("1"));
    await expect.poll(() => held.length).toBe(1);
    await send(post("2"));
    await answered(1);
    await expect.poll(() => held.length).toBe(1);
    await send(post("3") + post("4"));
    await answered(2);
    await expect.poll(() => held.length).toBe(2);
    await answered(4);
    await send(post("5"));
    await expect.poll(() => held.length).toBe(1);
    await answered(5);
    expect(seen).toEqual({ whole: 2, byNode: 3 });
    expect(spans).toEqual(Array.from({ length: 5 }));
  });

  it("does not stay in memory for a value of its head that somebody keeps", () => {
    const reader = new WholeRequestReader(createLongLines());
    const tokens: (string | undefined)[] = [];
    const body = "b".repeat(12_000);
    const before = heapBytes();
    for (let count = 0; count < 500; count += 1) {
      const fields = `${json}authorization: Bearer ${count}${"t".repeat(200)}\r\nx-a: ${count}${"a".repeat(20)}\r\n`;
      const read = reader.read(Buffer.from(post(body, fields)), 16 * 1024);
      tokens.push(read?.fields.authorization, read?.fields["x-a"]?.toString());
    }
    expect(tokens.at(-1)).toMatch(/^499a+$/);
    expect((heapBytes() - before) / 500).toBeLessThan(2_000);
    expect(tokens).toHaveLength(1_000);
  });

  it("has the long lines that other connections had before, and is none where it has one twice", () => {
    const longLines = createLongLines();
    const readers = [new WholeRequestReader(longLines), new WholeRequestReader(longLines)];
    const token = (text: string) => `authorization: Bearer ${text.repeat(200)}\r\n`;
    const read = (reader: WholeRequestReader | undefined, fields: string) =>
      reader?.read(Buffer.from(post("{}", json + fields)), 16 * 1024)?.fields;
    for (const text of ["a", "b", "a"]) {
      for (const reader of readers)
        expect(read(reader, token(text))).toMatchObject({ host: "x", authorization: `Bearer ${text.repeat(200)}` });
    }
    for (const reader of readers) {
      expect(read(reader, token("a") + token("a"))).toBeUndefined();
      expect(read(reader, token("a") + token("b"))).toBeUndefined();
      expect(read(reader, `transfer-encoding: ${"a".repeat(200)}\r\n`)).toBeUndefined();
    }
  });

  it("takes no part in the next one of its connection once it is answered", async () => {
    const held: (() => void)[] = [];
    const answered: IncomingMessage[] = [];
    const { port } = await serve((req, res) => {
      held.push(() => {
        res.end("x");
        res.once("close", () => answered.push(req));
      });
    });
    const { socket, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(() => held.length).toBe(1);
    held.shift()?.();
    await expect.poll(answers).toBe(1);
    socket.write(post("{}"));
    await expect.poll(() => held.length).toBe(1);
    answered.shift()?.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    held.shift()?.();
    await expect.poll(answers).toBe(2);
  });

  it("is over when its client goes", async () => {
    const closed = Promise.withResolvers<unknown[]>();
    const { port } = await serve((req, res) => {
      res.on("close", () => closed.resolve([res.writableFinished, res.destroyed, req.aborted]));
    });
    const { socket } = client(port);
    socket.write(post("{}"), () => socket.destroy());
    expect(await closed.promise).toEqual([false, true, true]);
  });
});

describe("a whole response", () => {
  it("has the fields that were set, the last of each, and parts of a body as one", async () => {
    const { port } = await serve((_req, res) => {
      res.setHeader("X-A", "1").setHeader("x-a", 2);
      res.statusCode = 418;
      res.write("a");
      res.write(Buffer.from("b"));
      res.end("ü");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/^HTTP\/1.1 418 [\s\S]*\r\nx-a: 2\r\n[\s\S]*content-length: 4\r\n\r\nab\xc3\xbc$/);
  });

  it("has trailers after its body", async () => {
    const { port } = await serve((_req, res) => {
      res.writeHead(200, { "content-type": "a/b", "content-length": 2 });
      res.write("ab");
      res.addTrailers({ "X-T": "1" });
      res.end();
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toContain("\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n");
    expect(text()).not.toContain("content-length");
  });

  it.each([204, 304])("of %s has no body", async (status) => {
    const { port } = await serve((_req, res) => void res.writeHead(status).end());
    const { socket, text, answers } = client(port);
    for (const count of [1, 2]) {
      socket.write(post("{}"));
      await expect.poll(answers).toBe(count);
    }
    expect(text()).not.toContain("content-length");
  });

  it("is not written with a field that would be two lines, or of characters that are no bytes", async () => {
    const { port } = await serve((_req, res) => {
      for (const value of ["a\r\nb: c", "\u010a"]) expect(() => res.writeHead(200, ["x-a", value])).toThrow(TypeError);
      expect(() => res.writeHead(200, ["x a", "1"])).toThrow(TypeError);
      res.writeHead(200, ["x-a", "still"]).end();
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toContain("x-a: still");
  });

  it("leaves nothing of a head that was refused to the answer in its place", async () => {
    const { port } = await serve((_req, res) => {
      expect(() => res.setHeader("x-a", "a\x01b")).toThrow(TypeError);
      expect(() => res.setHeader("x-a", ["a", "b\r\n"])).toThrow(TypeError);
      expect(() => res.writeHead(200, { "content-length": "7", "x-b": "\n" })).toThrow(TypeError);
      expect(() => res.writeHead(99)).toThrow(RangeError);
      res.writeHead(500, { "x-c": "1" }).end("error");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/^HTTP\/1.1 500 [\s\S]*content-length: 5\r\n\r\nerror$/);
    expect(text()).not.toMatch(/x-[ab]/);
  });

  it("refuses trailers that it cannot write before it ends", async () => {
    const { port } = await serve((_req, res) => {
      expect(() => res.addTrailers({ "x-t": "a\r\nb: c" })).toThrow(TypeError);
      expect(res.writableEnded).toBe(false);
      res.end("still");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/content-length: 5\r\n[\s\S]*still$/);
  });

  it("takes text in the encodings of Node's, and no call-back or reason", async () => {
    const { port } = await serve((_req, res) => {
      for (const wrong of [() => res.end(() => undefined), () => res.write("a", () => undefined)])
        expect(wrong).toThrow(TypeError);
      expect(() => res.writeHead(200, "Fine")).toThrow(TypeError);
      res.write("ü", "latin1");
      res.write("c3bc", "hex");
      res.end("ü", "utf8");
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await expect.poll(text).toMatch(/content-length: 5\r\n\r\n\xfc\xc3\xbc\xc3\xbc$/);
  });

  it("has finished and closed before the next request of its connection begins", async () => {
    const [events, held]: [string[], (() => void)[]] = [[], []];
    const { port } = await serve((req, res) => {
      events.push("request");
      for (const event of ["finish", "close"]) res.on(event, () => events.push(event));
      held.push(() => echo(req, res));
    });
    const { socket, answers } = client(port);
    socket.write(post("first"));
    await expect.poll(() => held.length).toBe(1);
    await new Promise<void>((resolve) => void socket.write(post("second"), () => resolve()));
    await arrived();
    held.shift()?.();
    await expect.poll(() => held.length).toBe(1);
    held.shift()?.();
    await expect.poll(answers).toBe(2);
    expect(events.slice(0, 4)).toEqual(["request", "finish", "close", "request"]);
  });

  it("is the last of its connection where it says so in a list, and what comes behind it is no request", async () => {
    let begun = 0;
    const { port } = await serve((_req, res) => {
      begun += 1;
      res.setHeader("connection", "close, x");
      res.end("last");
      // The connection is still there, and has the next request at once.
      res.socket?.once("finish", () => res.socket?.emit("data", Buffer.from(post("next"))));
    });
    const { socket, text } = client(port);
    socket.write(post("{}"));
    await once(socket, "close");
    expect(text()).toContain("connection: close\r\n");
    expect(begun).toBe(1);
  });

  it("ends its connection where it says so, and where the port drains", async () => {
    const { port } = await serve((_req, res) => void res.setHeader("connection", "close").end());
    const first = client(port);
    first.socket.write(post("{}"));
    await once(first.socket, "close");
    expect(first.text()).toContain("connection: close\r\n");

    const draining = await serve();
    const second = client(draining.port);
    second.socket.write(post("{}"));
    await expect.poll(second.answers).toBe(1);
    draining.drain();
    second.socket.write(post("{}"));
    await once(second.socket, "close");
    expect(second.text().match(/^connection: .*/gm)).toEqual(["connection: keep-alive", "connection: close"]);
  });

  it("closes with its connection where its client does not read it in time", async () => {
    const closed = Promise.withResolvers<boolean>();
    const { port } = await serve((_req, res) => {
      res.writeHead(200, ["content-type", "a/b"]);
      endWithBody(res, Buffer.alloc(32 * 1024 * 1024));
      limitWriteTime(res, { ms: 50, bytesPerSecond: 1e9 });
      res.once("close", () => closed.resolve(res.writableFinished));
    });
    const { socket } = client(port);
    socket.pause();
    socket.write(post("{}"));
    expect(await closed.promise).toBe(false);
  });
});

describe("an idle connection", () => {
  it("is closed after its time, and when the port closes", async () => {
    const { port, close } = await serve(echo, { timeouts: { idleMs: 50 } });
    const { socket, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(answers).toBe(1);
    await once(socket, "close");

    const lasting = await serve();
    const second = client(lasting.port);
    second.socket.write(post("{}"));
    await expect.poll(second.answers).toBe(1);
    const gone = once(second.socket, "close");
    await lasting.close();
    await gone;
    await close();
  });

  // A machine that stands still for most of a second closes it.
  it("has some more time than its client is told, since a request may be on its way", { retry: 3 }, async () => {
    const { port } = await serve(echo, { timeouts: { idleMs: 50 } });
    const { socket, answers } = client(port);
    socket.write(post("{}"));
    await expect.poll(answers).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.write(post("{}"));
    await Promise.race([once(socket, "close"), expect.poll(answers).toBe(2)]);
    expect(answers()).toBe(2);
  });
});

describe("a connection over TLS", () => {
  const { credentials, remove } = createSelfSigned();
  afterAll(remove);
  const connectTls = async (port: number) => {
    const socket = tls.connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
    open.push(() => socket.destroy());
    socket.on("error", () => undefined).resume();
    await once(socket, "secureConnect");
    return socket;
  };

  // A machine that stands still for two seconds closes both.
  it("has the time of a head to send its first request, and that of a pause for the next", { retry: 3 }, async () => {
    const { port } = await serve(echo, { tls: credentials, timeouts: { headMs: 2_000, idleMs: 600_000 } });
    const used = await connectTls(port);
    used.write(post("{}"));
    await once(used, "data");
    await once(await connectTls(port), "close");
    used.write(post("{}"));
    await once(used, "data");
  });

  // A machine that stands still for a quarter of a second makes its request late.
  it("that had no request yet is answered while its port closes", { retry: 3 }, async () => {
    const { port, drain, close } = await serve(echo, { tls: credentials });
    const [used, unused] = [await connectTls(port), await connectTls(port)];
    used.write(post("{}"));
    await once(used, "data");
    drain();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const closed = close();
    await once(used, "close");
    unused.write(post("{}"));
    const [answer] = await once(unused, "data");
    expect(`${answer}`).toContain("connection: close");
    await closed;
  });
});

describe("what a client may send", () => {
  it("is answered as Node's server alone answers it", async () => {
    const whole = await serve();
    const node = await serve(echo, { answersWhole: () => false });
    const line = fc.constantFrom(
      ...["accept: a/b", "X-A:1", "x-b : 1", "x-c: \t a \t", "x-d:", "content-length: 2", "Content-Length: 2"],
      ...["content-length: 02", "content-length: +2", "content-length: 2,2", "content-length: 1", "content-length: 3"],
      ...["host: y", "connection: close", "connection: keep-alive", "Connection: Keep-Alive", "expect: 100-continue"],
      ...["transfer-encoding: chunked", "te: trailers", "x-e: \xff", "x-f: a\0b", " folded", "no colon", "x-g: a\nb"],
      ...["upgrade: h2c", "content-type: text/plain", "x-h: a\rb", "cookie: a=b", "__proto__: a", "constructor: b"],
    );
    const start = fc.oneof(
      { weight: 6, arbitrary: fc.constant("POST /a HTTP/1.1") },
      fc.constantFrom(
        ...["POST  /a HTTP/1.1", "POST a HTTP/1.1", "post /a HTTP/1.1", "POST /a HTTP/1.2", "POST /\xe9 HTTP/1.1"],
        ...["POST /a#b HTTP/1.1", "POST /a?b%20 HTTP/1.1", "GET /a HTTP/1.1"],
      ),
    );
    const usual = ["host: x", "content-length: 2", "content-type: application/json"];
    const request = fc
      .tuple(
        start,
        fc.array(line, { maxLength: 2 }),
        fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.subarray(usual, { minLength: 2 })),
      )
      .map(([first, lines, some]) => [first, ...some, ...lines, "", "{}"].join("\r\n"));
    const answerTo = async (port: number, text: string) => {
      const { socket, text: got, answers } = client(port);
      const closed = once(socket, "close");
      socket.write(text, "latin1");
      await expect
        .poll(() => socket.destroyed || answers() > 0, { timeout: 300, interval: 1 })
        .toBe(true)
        .catch(() => undefined);
      // What follows shows where the server takes the request to end, and ends the connection.
      if (!socket.destroyed) socket.write(post("next", `${json}connection: close\r\n`));
      await closed;
      return plain(got());
    };
    await fc.assert(
      fc.asyncProperty(request, async (text) => {
        const [ours, nodes] = await Promise.all([answerTo(whole.port, text), answerTo(node.port, text)]);
        expect(ours).toEqual(nodes);
      }),
      { numRuns: 200 },
    );
    expect(whole.seen.whole).toBeGreaterThan(10);
  }, 120_000);
});

/** What is answered but for the case of names, the order of fields and the date. */
function plain(answers: string): string[] {
  return answers.split(/(?=HTTP\/1\.1 \d)/).map((answer) => {
    const [head = "", body = ""] = answer.split("\r\n\r\n");
    const [status, ...fields] = head.split("\r\n");
    return [status, ...fields.map((field) => field.toLowerCase().replace(/^date: .*/, "date")).sort(), body].join("\n");
  });
}
