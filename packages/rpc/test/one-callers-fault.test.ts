import { createServer as createHttp1, type Server } from "node:http";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createUpstream, type HttpRequest, reasonOf } from "../src/index.ts";
import { bytesOf, textOf } from "./transports.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of open.splice(0)) await close();
});

type Answer = (stream: ServerHttp2Stream) => void;

const ok: Answer = (stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end("answer");
};

async function portOf(server: Http2Server | Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/**
 * A replica that speaks HTTP/2, answers the call with this number (from 1) as it is told, and shows its connections.
 */
async function replica(answerOf: (n: number) => Answer = () => ok) {
  let seen = 0;
  const sessions: ServerHttp2Session[] = [];
  const server = createServer();
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream) => {
    seen += 1;
    stream.on("error", () => undefined);
    stream.resume();
    answerOf(seen)(stream);
  });
  const sockets: Socket[] = [];
  server.on("connection", (socket: Socket) => sockets.push(socket));
  const port = await portOf(server);
  open.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, sessions, sockets, seen: () => seen };
}

function upstreamOf(...urls: string[]) {
  const upstream = createUpstream({ kind: "remote", urls });
  open.push(() => upstream.close());
  return upstream;
}

const request = (o: Partial<HttpRequest> = {}): HttpRequest => ({
  url: "http://upstream/rialto.order.v1.OrderService/GetOrder",
  method: "POST",
  header: new Headers({ "content-type": "application/grpc" }),
  body: bytesOf("....."),
  ...o,
});
type TestUpstream = ReturnType<typeof upstreamOf>;
const outcome = (work: ReturnType<TestUpstream["fetch"]>) =>
  work.then(
    (response) => textOf(response),
    (error: unknown) => reasonOf(error) ?? "?",
  );
const call = (upstream: TestUpstream, o?: Partial<HttpRequest>) =>
  outcome(upstream.fetch(request(o), { isSafe: true }));

const well = [{ breaker: "closed", lastError: undefined }];
const large = { "x-large": "x".repeat(70_000) };

describe("an answer that breaks alone", () => {
  it.each<[string, Answer]>([
    ["a stream that is reset", (stream) => stream.close(0x2)],
    ["a stream that is closed without a word", (stream) => stream.close(0x0)],
    ["a stream that is canceled by its server", (stream) => stream.close(0x8)],
    ["a head that is too large", (stream) => stream.respond({ ":status": 200, ...large }, { endStream: true })],
    [
      "a trailer that is too large",
      (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "3", ...large }));
        stream.end();
      },
    ],
    [
      "an end without a status",
      (stream) => stream.respond({ ":status": 200, "content-type": "application/grpc" }, { endStream: true }),
    ],
  ])("%s, is asked for once, and is held against nobody", async (_what, answer) => {
    const only = await replica((n) => (n <= 8 ? answer : ok));
    const upstream = upstreamOf(only.url);
    for (let n = 0; n < 8; n += 1) expect(await call(upstream)).toBe("INTERNAL_ERROR");
    expect([only.seen(), upstream.status()]).toEqual([8, well]);
    expect(await call(upstream)).toBe("answer");
  });

  it("over HTTP/1.1, a head that is too large or a body that is, is asked for once as well", async () => {
    let seen = 0;
    const server = createHttp1((req, res) => {
      seen += 1;
      if (req.url === "/large/head") res.writeHead(200, large).end();
      else res.end(Buffer.alloc(5 * 1024 * 1024));
    });
    open.push(
      () => void server.close(),
      () => server.closeAllConnections(),
    );
    const upstream = upstreamOf(`http://127.0.0.1:${await portOf(server)}`);
    const header = new Headers({ "content-type": "application/json" });
    for (const path of ["/large/head", "/large/body"])
      for (let n = 0; n < 4; n += 1)
        expect(await call(upstream, { url: `http://upstream${path}`, header })).toBe("INTERNAL_ERROR");
    expect([seen, upstream.status()]).toEqual([8, well]);
  });

  it("is sent again where the replica says that it did not look at it, and is no failure of it", async () => {
    const only = await replica((n) => (n === 1 ? (stream) => stream.close(0x7) : ok));
    const upstream = upstreamOf(only.url);
    expect(await outcome(upstream.fetch(request(), { isSafe: false }))).toBe("answer");
    expect([only.seen(), upstream.status()]).toEqual([2, well]);
  });
});

describe("a connection that is lost", () => {
  it("takes a part of the calls with it, and is one failure however many they were", async () => {
    const held: ServerHttp2Stream[] = [];
    const only = await replica(() => (stream) => held.push(stream));
    const upstream = upstreamOf(only.url);
    const calls = Array.from({ length: 40 }, () => outcome(upstream.fetch(request(), { isSafe: false })));
    await expect.poll(() => held.length).toBe(40);
    const [cut] = only.sockets;
    const lost = held.filter(({ session }) => session?.socket.remotePort === cut?.remotePort);
    cut?.destroy();
    for (const stream of held) if (!lost.includes(stream)) ok(stream);
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((one) => one === "TEMPORARILY_UNAVAILABLE").length).toBe(lost.length);
    expect(outcomes.filter((one) => one === "answer").length).toBe(40 - lost.length);
    expect(lost.length).toBeLessThan(40 / 2);
    expect(upstream.status()).toMatchObject([{ breaker: "closed", lastError: { class: "reset" } }]);
  });

  it("is no fault of a call whose response breaks off with it, also where the server ends the streams first", async () => {
    const only = await replica(() => (stream) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.write("half", () => stream.session?.destroy());
    });
    const upstream = upstreamOf(only.url);
    const calls = Array.from({ length: 30 }, () => outcome(upstream.fetch(request(), { isSafe: false })));
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["TEMPORARILY_UNAVAILABLE"]));
    expect(upstream.status()).toMatchObject([{ lastError: { class: "reset" } }]);
  });
});

describe("a body that goes on as it comes", () => {
  it("is its caller's to break off: the replica is not blamed, and the caller is told what broke it", async () => {
    const only = await replica(() => () => undefined);
    const upstream = upstreamOf(only.url);
    const broken = new Error("the client broke off");
    async function* breaking() {
      yield Buffer.from(".....");
      throw broken;
    }
    for (let n = 0; n < 6; n += 1) {
      const work = upstream.fetch(request({ body: breaking() }), { isSafe: false, takesStream: true });
      await expect(work).rejects.toBe(broken);
    }
    expect(upstream.status()).toEqual(well);
  });
});

describe("a probe of a replica that was down", () => {
  it("that its caller cancels closes nothing: the next call is the probe", async () => {
    let isWell = false;
    const only = await replica(() => (stream) => (isWell ? ok(stream) : stream.session?.destroy()));
    const upstream = upstreamOf(only.url);
    for (let n = 0; n < 5; n += 1) await outcome(upstream.fetch(request(), { isSafe: false }));
    expect(upstream.status()).toMatchObject([{ breaker: "open" }]);

    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    const leaving = new AbortController();
    leaving.abort();
    await outcome(upstream.fetch(request({ signal: leaving.signal }), { isSafe: true }));
    expect(upstream.status()).toMatchObject([{ breaker: "open" }]);
    isWell = true;
    expect(await call(upstream)).toBe("answer");
    expect(upstream.status()).toMatchObject([{ breaker: "closed" }]);
  });
});
