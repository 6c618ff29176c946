import { once } from "node:events";
import { Agent, get, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect, constants } from "node:http2";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { listenHttp } from "../src/listen.ts";

const open: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function port(
  onRequest: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => void res.end("ok"),
) {
  const opened = await listenHttp({ port: 0, host: "127.0.0.1", streamsMax: 100, onRequest });
  open.push(opened.close);
  return { ...opened, url: `http://127.0.0.1:${opened.port}` };
}

function keepAlive(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  open.push(() => agent.destroy());
  return agent;
}

/** Asks over one connection; what the answer says of the next request on it. */
function ask(url: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.headers.connection));
      response.once("error", reject);
    }).once("error", reject);
  });
}

describe("a port that drains", () => {
  it("answers on, and says with each answer that it is the last of its connection", async () => {
    const held: ServerResponse[] = [];
    const { url, drain } = await port((req, res) => (req.url === "/slow" ? void held.push(res) : void res.end("ok")));
    const agent = keepAlive();
    expect(await ask(url, agent)).toBe("keep-alive");
    const slow = ask(`${url}/slow`, keepAlive());
    await expect.poll(() => held.length).toBe(1);
    drain();
    held[0]?.end("late");
    expect([await slow, await ask(url, agent), await ask(url, keepAlive())]).toEqual(["close", "close", "close"]);
  });

  it("answers what a connection of HTTP/2 still asks, and tells a later one to go away with its first call", async () => {
    const { url, drain, close } = await port();
    const idle = session(url);
    expect(await textOf(idle.request({ ":path": "/" }))).toBe("ok");
    const told = once(idle, "goaway");
    const early = session(url);
    expect(await textOf(early.request({ ":path": "/" }))).toBe("ok");
    // On its way when the port begins to drain: the client has not been told yet.
    const onItsWay = Array.from({ length: 20 }, () => textOf(early.request({ ":path": "/" })));
    drain();
    expect(new Set(await Promise.all(onItsWay))).toEqual(new Set(["ok"]));
    await told;
    const late = session(url);
    const goneAway = once(late, "goaway");
    expect(await textOf(late.request({ ":path": "/" }))).toBe("ok");
    expect((await goneAway).slice(0, 2)).toEqual([0, 2 ** 31 - 1]);
    await close();
  });

  it("answers a connection of HTTP/2 that goes on all the same, until the port closes", async () => {
    const { url, port: number, drain, close } = await port();
    const deaf = await deafHttp2(number);
    drain();
    for (let call = 0; call < 3; call += 1) expect(await deaf.ask()).toBe("200");
    const closed = close();
    await deaf.ended;
    await closed;
    await expect(fetch(url)).rejects.toThrow();
  });

  it("lets what is at work take as long as it is told, and then closes its connection", async () => {
    const { promise: isIn, resolve } = Promise.withResolvers<void>();
    const { url, close } = await port(() => resolve());
    const asked = ask(url, keepAlive()).catch((error: NodeJS.ErrnoException) => error.code);
    await isIn;
    await close({ graceMs: 200 });
    expect(await asked).toBe("ECONNRESET");
  });

  it("tells a connection of HTTP/2 to go away, which ends after its last call, and takes the next one", async () => {
    const held: ServerResponse[] = [];
    const { url, drain } = await port((req, res) => (req.url === "/slow" ? void held.push(res) : void res.end("ok")));
    const session = connect(url);
    session.on("error", () => undefined);
    const stream = session.request({ ":path": "/slow" });
    await expect.poll(() => held.length).toBe(1);
    const goneAway = once(session, "goaway");
    drain();
    expect((await goneAway)[0]).toBe(0);
    held[0]?.end("late");
    expect(await textOf(stream)).toBe("late");
    const next = connect(url);
    open.push(() => next.destroy());
    expect(await textOf(next.request({ ":path": "/" }))).toBe("ok");
  });
});

describe("clients that keep their connections", () => {
  it("lose no request over HTTP/2 to a port that drains first, stop after stop", async () => {
    const lost: string[] = [];
    for (let stop = 0; stop < 6; stop += 1) {
      const { url, drain, close } = await port((_req, res) => void setTimeout(() => res.end("ok"), Math.random() * 5));
      let answered = 0;
      const client = async () => {
        const own = session(url);
        const told = once(own, "goaway");
        let isTold = false;
        void told.then(() => {
          isTold = true;
        });
        while (!isTold) {
          const stream = own.request({ ":path": "/" });
          const said = await textOf(stream).catch((error: Error) => error.message);
          answered += 1;
          if (said === "ok") continue;
          // Node's client refuses a stream itself that begins after it has read the notice: that one was never sent.
          const [, lastStream] = await told;
          if (stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM || lastStream < 2 ** 31 - 1) lost.push(said);
        }
      };
      const clients = Array.from({ length: 12 }, client);
      await expect.poll(() => answered, { interval: 5 }).toBeGreaterThan(24);
      drain();
      await Promise.all(clients);
      await close();
    }
    expect(lost).toEqual([]);
  }, 60_000);

  it.each([
    ["that closes at once", 0],
    ["that drains first", 150],
  ])(
    "lose no request to a port %s, stop after stop",
    async (_how, drainMs) => {
      const lost: string[] = [];
      for (let stop = 0; stop < 6; stop += 1) {
        const { url, drain, close } = await port(
          (_req, res) => void setTimeout(() => res.end("ok"), Math.random() * 5),
        );
        let answered = 0;
        let isClosing = false;
        const client = async () => {
          const agent = keepAlive();
          for (;;) {
            const said = await ask(url, agent).catch((error: NodeJS.ErrnoException) => {
              // One that comes when the port is closed goes elsewhere: nothing was begun for it.
              if (!isClosing || error.code !== "ECONNREFUSED") lost.push(`${error.code}`);
            });
            if (said !== "keep-alive") return;
            answered += 1;
            await sleep(Math.random() * 10);
          }
        };
        const clients = Array.from({ length: 12 }, client);
        await expect.poll(() => answered, { interval: 5 }).toBeGreaterThan(24);
        isClosing = true;
        if (drainMs > 0) {
          drain();
          await sleep(drainMs);
        }
        await close();
        await Promise.all(clients);
      }
      expect(lost).toEqual([]);
    },
    60_000,
  );
});

function session(url: string): ClientHttp2Session {
  const made = connect(url);
  made.on("error", () => undefined);
  open.push(() => made.destroy());
  return made;
}

/** A client of HTTP/2 that hears of no GOAWAY: it writes its frames itself. */
async function deafHttp2(to: number) {
  const socket = connectSocket(to, "127.0.0.1");
  open.push(() => void socket.destroy());
  const frame = (type: number, flags: number, stream: number, payload: Buffer) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, Buffer.alloc(0))]));
  let heard = Buffer.alloc(0);
  const statuses = new Map<number, string>();
  socket.on("data", (chunk) => {
    heard = Buffer.concat([heard, chunk]);
    for (let size = 9 + (heard.length < 9 ? 0 : heard.readUIntBE(0, 3)); heard.length >= size && size >= 9; ) {
      // HEADERS whose first field is 0x88, ":status: 200" of HPACK's static table.
      if (heard[3] === 1) statuses.set(heard.readUInt32BE(5), heard[9] === 0x88 ? "200" : "another");
      heard = heard.subarray(size);
      if (heard.length < 9) break;
      size = 9 + heard.readUIntBE(0, 3);
    }
  });
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined);
  let next = 1;
  return {
    ended,
    async ask(): Promise<string | undefined> {
      const stream = next;
      next += 2;
      // ":method: GET", ":scheme: http", ":path: /" of the static table, and ":authority: x".
      socket.write(frame(1, 0x5, stream, Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x78])));
      await expect.poll(() => statuses.has(stream), { interval: 5 }).toBe(true);
      return statuses.get(stream);
    },
  };
}

function textOf(stream: ReturnType<ClientHttp2Session["request"]>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.once("end", () => resolve(text));
    stream.once("error", reject);
  });
}
