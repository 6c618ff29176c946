import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { listenHttp, type WriteTimeout } from "@rialto/http";
import { afterEach, describe, expect, it } from "vitest";
import { writeNodeResponse } from "../src/index.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.alloc(64 * 1024);
}

const timeout: WriteTimeout = { ms: 100, bytesPerSecond: 10_000_000 };

/** Asks and reads nothing. */
function askOverHttp1(port: number): void {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  open.push(() => socket.destroy());
}

function askOverHttp2(port: number): void {
  const session = connectHttp2(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1_000 } });
  session.on("error", () => undefined);
  session.request({ ":path": "/" }).on("error", () => undefined);
  open.push(() => session.destroy());
}

describe("a client that does not take its answer", () => {
  it.each(["HTTP/1.1", "HTTP/2"])("that has no end ends it over %s", async (http) => {
    const stopped = Promise.withResolvers<void>();
    async function* body() {
      try {
        yield* endless();
      } finally {
        stopped.resolve();
      }
    }
    const ended: string[] = [];
    const listener = await listenHttp({
      port: 0,
      host: "127.0.0.1",
      streamsMax: 20,
      onRequest: (_req, res) => {
        res.once("close", () => ended.push(res.writableFinished ? "whole" : "broken off"));
        const response = { status: 200, header: new Headers(), body: body(), trailer: new Headers() };
        void writeNodeResponse(response, res, timeout);
      },
    });
    open.push(listener.close);
    if (http === "HTTP/1.1") askOverHttp1(listener.port);
    else askOverHttp2(listener.port);
    await stopped.promise;
    await expect.poll(() => ended).toEqual(["broken off"]);
  });
});
