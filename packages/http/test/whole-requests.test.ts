import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLongLines, WholeRequestReader } from "../src/whole/request-reader.ts";
import { heapBytes } from "./heap-bytes.ts";
import { arrived, echo, json, post, wholePorts } from "./whole-ports.ts";

const { client, serve } = wholePorts();

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

  it.each(["GET", "POST", "PUT", "PATCH", "DELETE"])("may be a %s, with a body and without", async (method) => {
    const { port, seen } = await serve();
    const { socket, text, answers } = client(port);
    socket.write(`${method} /a?b HTTP/1.1\r\nhost: x\r\n${json}\r\n`);
    await expect.poll(answers).toBe(1);
    socket.write(`${method} /c HTTP/1.1\r\nhost: x\r\n${json}content-length: 4\r\n\r\nbody`);
    await expect.poll(answers).toBe(2);
    expect(text()).toContain(`"url":"/a?b","method":"${method}"`);
    expect(text()).toContain(`"url":"/c","method":"${method}"`);
    expect(text()).toContain('"body":"body"');
    expect(seen).toEqual({ byNode: 0, whole: 2 });
  });

  it.each([
    ["of another content type", post("{}", "content-type: text/plain\r\n")],
    ["with a long path", post("{}").replace("/a?b=c", `/${"a".repeat(1_100)}`)],
    ["whose answer has no body", `HEAD /a HTTP/1.1\r\nhost: x\r\n${json}\r\n`],
    ["for no path", `OPTIONS * HTTP/1.1\r\nhost: x\r\n${json}\r\n`],
    ["of a method that is not looked at", `REPORT /a HTTP/1.1\r\nhost: x\r\n${json}\r\n`],
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
      { weight: 4, arbitrary: fc.constant("POST /a HTTP/1.1") },
      {
        weight: 4,
        arbitrary: fc.constantFrom(...["GET", "PUT", "PATCH", "DELETE"].map((name) => `${name} /a HTTP/1.1`)),
      },
      fc.constantFrom(
        ...["POST  /a HTTP/1.1", "POST a HTTP/1.1", "post /a HTTP/1.1", "POST /a HTTP/1.2", "POST /\xe9 HTTP/1.1"],
        ...["POST /a#b HTTP/1.1", "POST /a?b%20 HTTP/1.1", "GET //a HTTP/1.1", "GET /a?/b HTTP/1.1", "get /a HTTP/1.1"],
        ...["GETT /a HTTP/1.1", "HEAD /a HTTP/1.1", "DELETE  /a HTTP/1.1", "PUT a HTTP/1.1", "GET /a  HTTP/1.1"],
      ),
    );
    const usual = ["host: x", "content-length: 2", "content-type: application/json"];
    const request = fc
      .tuple(
        start,
        fc.array(line, { maxLength: 2 }),
        fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, fc.subarray(usual, { minLength: 2 })),
        fc.boolean(),
      )
      // What stands behind a request without a length is the next one.
      .map(([first, lines, some, hasMore]) => {
        const fields = [...some, ...lines];
        const hasBody = hasMore || fields.some((field) => /^content-l/i.test(field));
        return [first, ...fields, "", hasBody ? "{}" : ""].join("\r\n");
      });
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
