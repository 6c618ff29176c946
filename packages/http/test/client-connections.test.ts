import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { BulkheadFull } from "@rialto/async";
import { afterEach, describe, expect, it } from "vitest";
import { ask, codeOf, createFixture, ok } from "./byte-server.ts";

const { serve, client, closeAll } = createFixture();
afterEach(closeAll);

const all = <T>(count: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

describe("connections", () => {
  it("carry one request after the other", async () => {
    const { origin, sockets } = await serve((socket, { path }) => void socket.write(ok(path)));
    const one = client();
    for (let index = 0; index < 50; index += 1)
      expect(await ask(one, origin, { path: `/${index}` })).toMatchObject({ body: `/${index}` });
    expect(sockets).toHaveLength(1);
  });

  it("are as many as requests are in progress, and are used again by as many", async () => {
    const { origin, sockets } = await serve((socket, { path }) => void setImmediate(() => socket.write(ok(path))));
    const one = client();
    for (let round = 0; round < 5; round += 1)
      await all(20, async (index) =>
        expect(await ask(one, origin, { path: `/${index}` })).toMatchObject({ body: `/${index}` }),
      );
    expect(sockets).toHaveLength(20);
  });

  it("are no more than an origin may have: other requests wait in their order", async () => {
    const paths: string[] = [];
    const { origin, sockets } = await serve((socket, { path }) => {
      paths.push(path);
      setImmediate(() => socket.write(ok(path)));
    });
    const one = client({ connectionsMax: 2 });
    await all(50, async (index) =>
      expect(await ask(one, origin, { path: `/${index}` })).toMatchObject({ body: `/${index}` }),
    );
    expect(sockets).toHaveLength(2);
    // What goes by two connections may overtake its neighbors.
    for (const [index, path] of paths.entries()) expect(Math.abs(index - Number(path.slice(1)))).toBeLessThan(3);
  });

  it("are waited for by no more requests than may wait: one above that was not sent", async () => {
    const { origin } = await serve(() => undefined);
    const one = client({ connectionsMax: 1, waitingMax: 2 });
    const waiting = Array.from({ length: 3 }, () => codeOf(ask(one, origin)));
    // Until the connection is made, its request waits too.
    await expect(ask(one, origin)).rejects.toThrow(BulkheadFull);
    await one.close();
    expect((await Promise.all(waiting)).filter((each) => each instanceof BulkheadFull)).toHaveLength(1);
  });

  it("are of one origin each", async () => {
    const servers = [await serve((socket) => void socket.write(ok("a"))), await serve((s) => void s.write(ok("b")))];
    const one = client();
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(servers.map(({ origin }) => ask(one, origin)));
      expect(answers.map(({ body }) => body)).toEqual(["a", "b"]);
    }
    expect(servers.map(({ sockets }) => sockets.length)).toEqual([1, 1]);
  });

  it("let a process end that has nothing else to do", async () => {
    const { origin } = await serve((socket) => void socket.write(ok("ok", "keep-alive: timeout=60\r\n")));
    await ask(client(), origin);
    await expect
      .poll(() => process.getActiveResourcesInfo().filter((each) => each === "TCPSocketWrap").length)
      // The server's own.
      .toBeLessThanOrEqual(1);
  });
});

describe("a connection is not used again", () => {
  it.each([
    { title: "after connection: close", answer: ok("ok", "connection: close\r\n") },
    { title: "after close among others", answer: ok("ok", "Connection: x, Close\r\n") },
    { title: "after HTTP/1.0", answer: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok" },
    { title: "that its server keeps too short a time", answer: ok("ok", "keep-alive: timeout=2\r\n") },
    { title: "that said more than its answer", answer: `${ok()}HTTP/1.1 200 OK\r\n` },
    {
      title: "that may still carry a body that is none",
      answer: "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n",
    },
  ])("$title", async ({ answer }) => {
    const { origin, sockets } = await serve((socket) => void socket.write(answer));
    const one = client();
    for (let index = 0; index < 3; index += 1) await ask(one, origin);
    expect(sockets).toHaveLength(3);
    await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it.each([
    {
      title: "HTTP/1.0 that is kept",
      answer: "HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok",
    },
    { title: "a server that keeps it for a while", answer: ok("ok", "Keep-Alive: max=9, timeout=5\r\n") },
    { title: "a server that names another field of it", answer: ok("ok", "connection: x\r\n") },
  ])("unless by $title", async ({ answer }) => {
    const { origin, sockets } = await serve((socket) => void socket.write(answer));
    const one = client();
    for (let index = 0; index < 3; index += 1) await ask(one, origin);
    expect(sockets).toHaveLength(1);
  });

  it("whose server answered before it had the whole request", async () => {
    const body = new Uint8Array(8 * 1024 * 1024);
    const sockets: unknown[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      // Nothing more of it is read.
      socket.once("data", () => socket.pause().write(ok("early")));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const one = client();
    const origin = `http://127.0.0.1:${address.port}`;
    for (let index = 0; index < 2; index += 1)
      expect(await ask(one, origin, { verb: "POST", body })).toMatchObject({ body: "early" });
    server.close();
    expect(sockets).toHaveLength(2);
  });

  it("when it was idle for as long as its server said, less a margin", async () => {
    const { origin, sockets } = await serve((socket) => void socket.write(ok("ok", "keep-alive: timeout=3\r\n")));
    const one = client();
    await ask(one, origin);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    await ask(one, origin);
    expect(sockets).toHaveLength(2);
  });
});

describe("an answer that nobody asked for", () => {
  it("ends an idle connection, and is nobody's", async () => {
    const { origin, sockets } = await serve((socket, { path }) => void socket.write(ok(path)));
    const one = client();
    await ask(one, origin, { path: "/1" });
    sockets[0]?.write(ok("for nobody"));
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    expect(await ask(one, origin, { path: "/2" })).toMatchObject({ body: "/2" });
  });

  it("is not the next request's, where it is there before that is sent", async () => {
    const { origin, sockets } = await serve((socket, { path }) => void socket.write(ok(path)));
    const one = client({ connectionsMax: 1 });
    await ask(one, origin, { path: "/1" });
    // The client has not looked for bytes since the first answer.
    sockets[0]?.write(ok("for nobody"));
    expect(await ask(one, origin, { path: "/2" })).toMatchObject({ body: "/2" });
    expect(sockets).toHaveLength(2);
  });
});

describe("a request that is canceled", () => {
  it("while it waits, leaves the others their turn", async () => {
    const { origin } = await serve((socket, { path }) => void setTimeout(() => socket.write(ok(path)), 20));
    const one = client({ connectionsMax: 1 });
    const reason = new Error("no longer wanted");
    const first = ask(one, origin, { path: "/1" });
    const second = codeOf(ask(one, origin, { path: "/2", onSent: (cancel) => cancel(reason) }));
    const third = ask(one, origin, { path: "/3" });
    expect([(await first).body, await second, (await third).body]).toEqual(["/1", reason, "/3"]);
  });

  it("while it is answered, ends its connection, and its answer is nobody's", async () => {
    const { origin, sockets } = await serve((socket, { path }) => {
      if (path === "/slow") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345");
      else socket.write(ok(path));
    });
    const one = client({ connectionsMax: 1 });
    const reason = new Error("no longer wanted");
    let cancel: ((reason: Error) => void) | undefined;
    const slow = ask(one, origin, {
      path: "/slow",
      onSent: (cancelIt) => {
        cancel = cancelIt;
      },
      onPart: () => cancel?.(reason),
    });
    expect(await codeOf(slow)).toBe(reason);
    expect(await ask(one, origin, { path: "/next" })).toMatchObject({ body: "/next" });
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  });

  it("after its answer, changes nothing", async () => {
    const { origin, sockets } = await serve((socket) => void socket.write(ok()));
    const one = client();
    let cancel: ((reason: Error) => void) | undefined;
    await ask(one, origin, {
      onSent: (cancelIt) => {
        cancel = cancelIt;
      },
    });
    cancel?.(new Error("too late"));
    await ask(one, origin);
    expect(sockets).toHaveLength(1);
  });

  it("with its client, which sends nothing more", async () => {
    const { origin, sockets } = await serve(() => undefined);
    const one = client({ connectionsMax: 1 });
    const asked = [codeOf(ask(one, origin)), codeOf(ask(one, origin))];
    await expect.poll(() => sockets.length).toBe(1);
    await one.close();
    const closed = expect.objectContaining({ message: "the client is closed" });
    expect(await Promise.all([...asked, codeOf(ask(one, origin))])).toEqual([closed, closed, closed]);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });
});

describe("a server that closes its connections", () => {
  it.each([
    { moment: "before it reads", end: "destroy" },
    { moment: "by a reset", end: "resetAndDestroy" },
    { moment: "politely", end: "end" },
  ] as const)("$moment: a request may have been done, and is not sent again", async ({ end }) => {
    const arrived: string[] = [];
    const { origin } = await serve((socket, { path }) => {
      arrived.push(path);
      socket[end]();
    });
    expect(["ECONNRESET", "EPIPE"]).toContain(await codeOf(ask(client(), origin, { verb: "POST" })));
    expect(arrived).toHaveLength(1);
  });

  it("is not asked on one that is known to be closed", async () => {
    const { origin, sockets } = await serve((socket) => void socket.end(ok()));
    const one = client();
    for (let index = 0; index < 20; index += 1) {
      await ask(one, origin);
      await expect.poll(() => sockets.at(-1)?.destroyed).toBe(true);
      await sleep(1);
    }
    expect(sockets).toHaveLength(20);
  });

  it("or refuses them, was not asked", async () => {
    const { origin, close } = await serve(() => undefined);
    close();
    expect(await codeOf(ask(client(), origin))).toBe("ECONNREFUSED");
    const one = client({ connectionsMax: 1 });
    expect(await all(5, () => codeOf(ask(one, origin)))).toEqual(Array(5).fill("ECONNREFUSED"));
  });

  it("or says nothing while they are made, was not asked", async () => {
    // It accepts the connection, and no handshake of TLS.
    const { origin } = await serve(() => undefined);
    const secure = origin.replace("http:", "https:");
    await expect(ask(client(), secure)).rejects.toMatchObject({ code: "ETIMEDOUT", syscall: "connect" });
  });

  it("whenever it likes, never has one request get another's answer, nor any wait for ever", async () => {
    let random = 1;
    const next = (max: number) => {
      random = (random * 48_271) % 2_147_483_647;
      return random % max;
    };
    const { origin } = await serve((socket, { path, body }) => {
      const answer = Buffer.from(ok(`${path} ${body}`), "latin1");
      switch (next(8)) {
        case 0:
          return void socket.write(answer, () => socket.destroy());
        case 1:
          return void socket.end(answer);
        case 2:
          return void socket.write(answer.subarray(0, next(answer.length)), () => socket.resetAndDestroy());
        case 3:
          return void setTimeout(() => socket.write(answer), next(4));
        case 4:
          socket.write(answer.subarray(0, 20));
          return void setTimeout(() => socket.write(answer.subarray(20)), next(4));
        case 5:
          return void socket.write(Buffer.concat([answer, Buffer.from(ok("for nobody"))]));
        default:
          return void socket.write(answer);
      }
    });
    const one = client({ connectionsMax: 8 });
    const counts = { answered: 0, failed: 0 };
    await all(24, async (caller) => {
      for (let index = 0; index < 60; index += 1) {
        const path = `/${caller}/${index}`;
        const body = Buffer.from("x".repeat(next(200)));
        const answer = await ask(one, origin, { verb: "POST", path, body }).catch(() => undefined);
        if (answer !== undefined) expect(answer.body).toBe(`${path} ${body.toString()}`);
        counts[answer === undefined ? "failed" : "answered"] += 1;
      }
    });
    expect(counts.answered).toBeGreaterThan(counts.failed);
    expect(counts.failed).toBeGreaterThan(0);
  });
});
