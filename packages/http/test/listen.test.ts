import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request as requestTls } from "node:https";
import { connect, Server, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { listenHttp, type StreamListener } from "../src/index.ts";
import { createSelfSigned } from "./self-signed.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A port that says which HTTP and what it was asked. */
async function echo(o: Partial<Parameters<typeof listenHttp>[0]> = {}) {
  const port = await listenHttp({
    port: 0,
    host: "127.0.0.1",
    streamsMax: 10,
    onRequest: (req, res) => {
      let bytes = 0;
      req.on("error", () => undefined);
      req.on("data", (chunk) => {
        bytes += chunk.length;
      });
      req.on("end", () => {
        const text = `${req.httpVersion} ${req.method} ${req.url} ${bytes}`;
        res.writeHead(200, { "content-length": text.length }).end(text);
      });
    },
    ...o,
  });
  open.push(port.close);
  return port.port;
}

function tap(port: number): { socket: Socket; closed: Promise<string> } {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  return { socket, closed: new Promise((resolve) => socket.once("close", () => resolve(text))) };
}

async function askHttp2(url: string, body?: Buffer, o: { rejectUnauthorized?: boolean } = {}): Promise<string> {
  const session = connectHttp2(url, o);
  const stream = session.request({ ":path": "/a", ":method": body === undefined ? "GET" : "POST" });
  stream.end(body);
  let text = "";
  for await (const chunk of stream) text += chunk;
  session.close();
  return text;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("one port", () => {
  it("speaks HTTP/1.1 and HTTP/2, with bodies of any size", async () => {
    const port = await echo();
    const url = `http://127.0.0.1:${port}`;
    const body = Buffer.alloc(1_000_000);
    expect(await (await fetch(`${url}/a`)).text()).toBe("1.1 GET /a 0");
    expect(await (await fetch(`${url}/a`, { method: "POST", body })).text()).toBe("1.1 POST /a 1000000");
    expect(await askHttp2(url)).toBe("2.0 GET /a 0");
    expect(await askHttp2(url, body)).toBe("2.0 POST /a 1000000");
  });

  it("takes the first bytes in pieces, of either", async () => {
    const port = await echo();
    const request = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxx";
    const http1 = tap(port);
    for (const letter of request) {
      http1.socket.write(letter);
      await pause(1);
    }
    expect(await http1.closed).toMatch(/1\.1 POST \/a 2$/);

    const http2 = tap(port);
    const settings = "\0\0\0\x04\0\0\0\0\0";
    for (const letter of `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}`) {
      http2.socket.write(Buffer.from(letter, "latin1"));
      await pause(1);
    }
    await expect.poll(() => http2.socket.bytesRead).toBeGreaterThanOrEqual(18);
    http2.socket.destroy();
    // It answers in frames, the first of them its settings.
    expect((await http2.closed).charCodeAt(3)).toBe(4);
  });

  it("does not take what only begins like HTTP/2 for it", async () => {
    const port = await echo();
    const { socket, closed } = tap(port);
    socket.write("PRI /a HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(await closed).toMatch(/^HTTP\/1\.1 400 /);
  });

  it("answers a request that it cannot read with what it was given to say", async () => {
    const port = await echo({
      renderClientError: ({ status, message }) => ({
        headers: { "content-type": "application/json", "x-request-id": "1" },
        body: JSON.stringify({ status, message }),
      }),
    });
    const { socket, closed } = tap(port);
    socket.write(`GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const answer = await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toMatch(/\r\nx-request-id: 1\r\n/);
    expect(JSON.parse(answer.slice(answer.indexOf("{")))).toEqual({
      status: 431,
      message: "The URL and the headers are too long together.",
    });
  });

  it("answers it in plain text where it was given nothing to say", async () => {
    const { socket, closed } = tap(await echo());
    socket.write("GET /a HTTP/1.1\r\n\r\n");
    expect(await closed).toMatch(/^HTTP\/1\.1 400 .*content-type: text\/plain.*The request names no host\.$/s);
  });

  it("answers a client that says all and closes its side at once", async () => {
    const port = await echo();
    const { socket, closed } = tap(port);
    socket.end("GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    expect(await closed).toMatch(/1\.1 GET \/a 0$/);
  });
});

describe("a port that is told to close", () => {
  it("waits for no client that has not asked anything", async () => {
    const port = await echo();
    const clients = [tap(port), tap(port)];
    await Promise.all(clients.map(({ socket }) => once(socket, "connect")));
    clients[1]?.socket.write("PRI * HT");
    const idle = connectHttp2(`http://127.0.0.1:${port}`);
    idle.on("error", () => undefined);
    await once(idle, "remoteSettings");
    // The time that clients at work are given never passes.
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    await open.pop()?.();
    await Promise.all(clients.map(({ closed }) => closed));
    vi.useRealTimers();
  });
});

describe("a slow client loses its connection", () => {
  const timeouts = { headMs: 100, readMs: 300, idleMs: 200 };

  it.each([
    ["says nothing", ""],
    ["stops in the middle of HTTP/2's first bytes", "PRI * HTTP/2.0\r\n"],
    ["stops in the middle of a head", "GET /a HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ["stops in the middle of a body", "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx"],
    ["asks once and then nothing", "GET /a HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["opens HTTP/2 and asks nothing", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"],
  ])("that %s", async (_what, text) => {
    const { socket, closed } = tap(await echo({ timeouts }));
    socket.write(Buffer.from(text, "latin1"));
    await closed;
  });

  it("that trickles one letter of a head after the other", async () => {
    const { socket, closed } = tap(await echo({ timeouts: { ...timeouts, headMs: 1_000 } }));
    socket.write("GET /a HTTP/1.1\r\nhost: x\r\nx-slow: ");
    const drip = setInterval(() => socket.writable && socket.write("x"), 10);
    expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
  });

  it("or its call, where it sends half a body over HTTP/2, while others on the same connection go on", async () => {
    const { readMs } = timeouts;
    const session = connectHttp2(`http://127.0.0.1:${await echo({ timeouts: { readMs } })}`);
    const slow = session.request({ ":path": "/slow", ":method": "POST" });
    slow.on("error", () => undefined);
    slow.write("half");
    await new Promise((resolve) => slow.once("close", resolve));
    const quick = session.request({ ":path": "/quick" });
    let text = "";
    for await (const chunk of quick) text += chunk;
    expect(text).toBe("2.0 GET /quick 0");
    session.close();
  });
});

describe("streams of HTTP/2 that are answered before they become requests", () => {
  const onStream: StreamListener = (stream, headers) => {
    if (headers[":path"] !== "/a") return false;
    stream.respond({ ":status": 200 });
    stream.end("as a stream");
    return true;
  };

  it("are those that the listener takes; the others become requests, as do those that expect something", async () => {
    const session = connectHttp2(`http://127.0.0.1:${await echo({ onStream })}`);
    const textOf = async (headers: Readonly<Record<string, string>>) => {
      let text = "";
      for await (const chunk of session.request(headers)) text += chunk;
      return text;
    };
    expect(await textOf({ ":path": "/a" })).toBe("as a stream");
    expect(await textOf({ ":path": "/b" })).toBe("2.0 GET /b 0");
    expect(await textOf({ ":path": "/a", expect: "100-continue" })).toBe("2.0 GET /a 0");
    session.close();
  });

  it("are closed when their client goes on sending after the answer", async () => {
    const session = connectHttp2(`http://127.0.0.1:${await echo({ onStream })}`);
    const endless = session.request({ ":path": "/a", ":method": "POST" });
    endless.write("half");
    endless.resume();
    await once(endless, "close");
    expect(endless.rstCode).toBe(0);
    session.close();
  });

  it("are reset where their client is too slow", async () => {
    const never: StreamListener = () => true;
    const session = connectHttp2(`http://127.0.0.1:${await echo({ onStream: never, timeouts: { readMs: 200 } })}`);
    const slow = session.request({ ":path": "/a", ":method": "POST" });
    slow.on("error", () => undefined);
    slow.write("half");
    await once(slow, "close");
    expect(slow.rstCode).toBe(8);
    session.close();
  });
});

describe("HTTP/2 that is meant to hurt", () => {
  it("is cut off when it opens and resets calls without end, and others are served meanwhile", async () => {
    const port = await echo();
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const ended = new Promise((resolve) => session.once("close", resolve));
    session.on("error", () => undefined);
    let sent = 0;
    while (!session.destroyed && !session.closed && sent < 20_000) {
      for (let burst = 0; burst < 100 && !session.destroyed && !session.closed; burst += 1, sent += 1) {
        const stream = session.request({ ":path": "/a" });
        stream.on("error", () => undefined);
        stream.close(8);
      }
      expect(await (await fetch(`http://127.0.0.1:${port}/b`)).text()).toBe("1.1 GET /b 0");
    }
    await ended;
    expect(sent).toBeLessThan(20_000);
  });
});

describe("a port with a certificate", () => {
  it("chooses HTTP by ALPN, and takes no cleartext", async () => {
    const { credentials: tls, remove } = createSelfSigned();
    open.push(remove);
    const port = await echo({ tls });
    expect(await askHttp2(`https://127.0.0.1:${port}`, undefined, { rejectUnauthorized: false })).toBe("2.0 GET /a 0");
    const overHttp1 = await new Promise<string>((resolve, reject) => {
      const request = requestTls(
        { host: "127.0.0.1", port, path: "/a", rejectUnauthorized: false, agent: false },
        async (response) => {
          let text = "";
          for await (const chunk of response) text += chunk;
          resolve(text);
        },
      );
      request.on("error", reject);
      request.end();
    });
    expect(overHttp1).toBe("1.1 GET /a 0");
    const { socket, closed } = tap(port);
    socket.write("GET /a HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(await closed).not.toMatch(/200/);

    // What is at work when the port is told to close ends as it would have.
    const [began, may] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const slow = await echo({
      tls,
      onRequest: async (_req, res) => {
        began.resolve();
        await may.promise;
        res.writeHead(200).end();
      },
    });
    const call = requestTls({ host: "127.0.0.1", port: slow, path: "/a", rejectUnauthorized: false, agent: false });
    const answered = once(call, "response");
    call.end();
    await began.promise;
    const shut = open.pop()?.();
    may.resolve();
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    response.resume();
    await shut;
  });

  it("lives on when a connection cannot be accepted", async () => {
    const listening = vi.spyOn(Server.prototype, "listen");
    const port = await echo();
    const server = listening.mock.contexts[0] as Server; // what `listen` was called on
    listening.mockRestore();
    // What Node says when no file descriptor is left.
    server.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE" }));
    expect(await askHttp2(`http://127.0.0.1:${port}`)).toBe("2.0 GET /a 0");
  });
});
