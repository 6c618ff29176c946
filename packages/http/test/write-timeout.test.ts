import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { limitWriteTime, listenHttp, type WriteTimeout } from "../src/index.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Listener = Parameters<typeof listenHttp>[0]["onRequest"];

/** A port whose answers end as `ended` says: whole, or broken off. */
async function serve(answer: Listener) {
  const ended: string[] = [];
  const port = await listenHttp({
    port: 0,
    host: "127.0.0.1",
    streamsMax: 20,
    onRequest: (req, res) => {
      res.once("close", () => ended.push(res.writableFinished ? "whole" : "broken off"));
      answer(req, res);
    },
  });
  open.push(port.close);
  return { port: port.port, ended };
}

/** Asks by HTTP/1.1 and reads nothing. */
function askOverHttp1(port: number, requests = "GET / HTTP/1.1\r\nhost: x\r\n\r\n") {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(requests);
  open.push(() => socket.destroy());
  return socket;
}

/** Asks by HTTP/2 with room for so many bytes of an answer at once. */
function askOverHttp2(port: number, initialWindowSize: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize } });
  session.on("error", () => undefined);
  const stream = session.request({ ":path": "/" });
  stream.on("error", () => undefined);
  open.push(() => session.destroy());
  return stream;
}

const soon: WriteTimeout = { ms: 100, bytesPerSecond: 10_000_000 };

describe("a client that does not take its answer", () => {
  it("over HTTP/1.1 loses its connection", async () => {
    const { port, ended } = await serve((_req, res) => {
      // More than all buffers on the way hold.
      res.end(Buffer.alloc(32 * 1024 * 1024));
      limitWriteTime(res, { ms: 100, bytesPerSecond: 1_000_000_000 });
    });
    askOverHttp1(port);
    await expect.poll(() => ended).toEqual(["broken off"]);
  });

  it("over HTTP/2 loses its call, of which one byte is too much for it", async () => {
    const { port, ended } = await serve((_req, res) => {
      res.end("x");
      limitWriteTime(res, soon);
    });
    const stream = askOverHttp2(port, 0);
    await once(stream, "close");
    expect([ended, stream.rstCode]).toEqual([["broken off"], 8]);
  });

  it("over HTTP/2 loses its call where its connection takes nothing at all any more", async () => {
    const { port, ended } = await serve((_req, res) => {
      res.end(Buffer.alloc(32 * 1024 * 1024));
      limitWriteTime(res, { ms: 100, bytesPerSecond: 1_000_000_000 });
    });
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.pause();
    open.push(() => socket.destroy());
    const settings = Buffer.from("000006040000000000" + "00047fffffff", "hex");
    const connectionWindow = Buffer.from("000004080000000000" + "7fff0000", "hex");
    // GET http / x, by the numbers of HPACK's static table.
    const head = Buffer.from("000006010500000001" + "828684410178", "hex");
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings, connectionWindow, head]));
    await expect.poll(() => ended).toEqual(["broken off"]);
  });
});

describe("a client that takes its answer", () => {
  it("slowly, but at the pace that is asked of it, has it whole", async () => {
    const { port, ended } = await serve((_req, res) => {
      res.end(Buffer.alloc(1_000_000));
      limitWriteTime(res, { ms: 50, bytesPerSecond: 20_000 });
    });
    const stream = askOverHttp2(port, 10_000);
    let bytes = 0;
    for await (const chunk of stream) {
      bytes += chunk.length;
      await pause(5);
    }
    expect(bytes).toBe(1_000_000);
    await expect.poll(() => ended).toEqual(["whole"]);
  });

  it("costs no timer where all of a small answer is on its way at once", async () => {
    const timers: number[] = [];
    const { port, ended } = await serve((_req, res) => {
      const started = vi.spyOn(globalThis, "setTimeout");
      res.end("small");
      limitWriteTime(res, soon);
      timers.push(started.mock.calls.length);
      started.mockRestore();
    });
    askOverHttp1(port).resume();
    await expect.poll(() => ended).toEqual(["whole"]);
    expect(timers).toEqual([0]);
  });

  it("has all the time for the second, whatever the first of its connection is waited for", async () => {
    const { port, ended } = await serve(async (req, res) => {
      if (req.url === "/slow") await pause(1_500);
      res.end(req.url);
      limitWriteTime(res, { ms: 1_000, bytesPerSecond: 1_000 });
    });
    const socket = askOverHttp1(
      port,
      "GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /quick HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/\/slow.*\/quick$/s);
    expect(ended).toEqual(["whole", "whole"]);
  });
});

describe("requests that one HTTP/1.1 connection sends at once", () => {
  const request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

  it("are answered, up to as many as HTTP/2 may have", async () => {
    const { port, ended } = await serve((_req, res) => void res.end());
    askOverHttp1(port, request.repeat(20)).resume();
    await expect.poll(() => ended).toEqual(Array(20).fill("whole"));
    askOverHttp1(port, request.repeat(20)).resume();
    await expect.poll(() => ended).toHaveLength(40);
  });

  it("cost their client its connection where they are more", async () => {
    const { port, ended } = await serve(() => undefined);
    const socket = askOverHttp1(port, request.repeat(21)).resume();
    await once(socket, "close");
    expect(ended).toEqual(Array(20).fill("broken off"));
  });
});
