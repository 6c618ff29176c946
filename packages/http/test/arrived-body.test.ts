import { IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { arrivedBody, listenHttp } from "../src/index.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const textOf = (body: Uint8Array | undefined) => (body === undefined ? undefined : Buffer.from(body).toString());

/** A port that looks for each request's body some time after its head came, and the bodies that it found. */
async function serve(
  answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => res.end(),
  when: () => Promise<void> = setImmediate,
) {
  const found: (string | undefined)[] = [];
  const listener = await listenHttp({
    port: 0,
    host: "127.0.0.1",
    streamsMax: 20,
    onRequest: (req, res) => {
      void when().then(() => {
        found.push(textOf(arrivedBody(req)));
        answer(req, res);
      });
    },
  });
  open.push(listener.close);
  return { port: listener.port, found };
}

/** Sends text over HTTP/1.1 and returns what is answered. */
function send(port: number, text: string) {
  const socket = connect(port, "127.0.0.1");
  open.push(() => socket.destroy());
  let answered = "";
  socket.on("data", (bytes) => {
    answered += bytes;
  });
  socket.write(text);
  return { socket, answers: () => answered.split("HTTP/1.1 200").length - 1 };
}

const post = (length: number, body: string) => `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n${body}`;

describe("a body that has arrived", () => {
  it("is there at once: none, one that came with its head, and the next on the connection", async () => {
    const { port, found } = await serve();
    const { socket, answers } = send(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await expect.poll(answers).toBe(1);
    socket.write(post(5, "hello"));
    await expect.poll(answers).toBe(2);
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    await expect.poll(answers).toBe(3);
    expect(found).toEqual(["", "hello", "hello"]);
  });

  it("is there within the turn in which its head came, where its length is known", async () => {
    const { port, found } = await serve(undefined, async () => undefined);
    const { socket, answers } = send(port, post(5, "hello"));
    await expect.poll(answers).toBe(1);
    socket.write(post(0, ""));
    await expect.poll(answers).toBe(2);
    expect(found).toEqual(["hello", ""]);
  });

  it("is no stream: nothing is pushed, and nothing ends, unless somebody reads it as one", async () => {
    const pushed = vi.spyOn(Readable.prototype, "push");
    const emitted = vi.spyOn(IncomingMessage.prototype, "emit");
    onTestFinished(() => void vi.restoreAllMocks());
    const { port, found } = await serve(undefined, async () => undefined);
    const { socket, answers } = send(port, post(5, "hello"));
    await expect.poll(answers).toBe(1);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await expect.poll(answers).toBe(2);
    expect(found).toEqual(["hello", ""]);
    // Sockets are streams too.
    expect(pushed.mock.contexts.filter((stream) => stream instanceof IncomingMessage)).toEqual([]);
    expect(emitted.mock.contexts.filter((stream) => stream instanceof IncomingMessage)).toEqual([]);
  });

  it("is there for each of many requests that come at once", async () => {
    const { port, found } = await serve();
    const { answers } = send(port, post(5, "hello") + post(0, "") + post(3, "you"));
    await expect.poll(answers).toBe(3);
    expect(found).toEqual(["hello", "", "you"]);
  });

  it("is not there while a part of it is on its way, and is received later as a stream", async () => {
    const received = Promise.withResolvers<string>();
    const { port, found } = await serve(async (req, res) => {
      let text = "";
      for await (const chunk of req) text += chunk;
      received.resolve(text);
      res.end();
    });
    const { socket } = send(port, post(5, "he"));
    await expect.poll(() => found).toEqual([undefined]);
    socket.write("llo");
    expect(await received.promise).toBe("hello");
  });

  it("is read as a stream from its first byte where nobody takes it, and dropped where nobody reads it", async () => {
    const texts: string[] = [];
    const listener = await listenHttp({
      port: 0,
      host: "127.0.0.1",
      streamsMax: 20,
      onRequest: async (req, res) => {
        await setImmediate();
        if (req.url === "/read") for await (const chunk of req) texts.push(`${chunk}`);
        res.end();
      },
    });
    open.push(listener.close);
    const large = "a".repeat(200_000);
    const { answers } = send(
      listener.port,
      post(5, "hello").replace("/", "/read") + post(200_000, large) + post(200_000, large).replace("/", "/read"),
    );
    await expect.poll(answers).toBe(3);
    expect([texts[0], texts.slice(1).join("")]).toEqual(["hello", large]);
  });

  it("is not looked for over HTTP/2", async () => {
    const { port, found } = await serve();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    open.push(() => session.destroy());
    session.request({ ":path": "/" }).resume();
    await expect.poll(() => found).toEqual([undefined]);
  });
});
