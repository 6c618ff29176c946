import { once } from "node:events";
import { Agent, get, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
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
