import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { OrderService } from "@rialto/contracts";
import { beforeAll, describe, expect, it } from "vitest";
import { backgroundContext, createClient, listen, reasonOf, serve, userTokenHeader } from "../src/index.ts";
import { createFixture, orderId } from "./fixture.ts";
import { createPeople, type People } from "./keys.ts";

let people: People;
beforeAll(async () => {
  people = await createPeople();
});

async function serving(handlers: Parameters<typeof createFixture>[1]) {
  const { endpoint } = createFixture(people, handlers);
  const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
  const urls = [`http://127.0.0.1:${server.port}`];
  const names = { caller: "gateway", target: "order", tokens: people.gateway };
  const orders = createClient(OrderService, { kind: "remote", urls }, names);
  return { server, orders, context: { ...backgroundContext({}), userToken: people.customer } };
}

/** Sends a request on a connection of its own. */
async function post(
  version: "HTTP/1.1" | "HTTP/2",
  port: number,
  path: string,
  o: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
): Promise<{ readonly status: number; readonly body: string }> {
  const url = `http://127.0.0.1:${port}`;
  if (version === "HTTP/1.1") {
    const answer = await fetch(url + path, { method: "POST", ...o });
    return { status: answer.status, body: await answer.text() };
  }
  const session = connectHttp2(url);
  const stream = session.request({ ":method": "POST", ":path": path, ...o.headers });
  stream.end(o.body);
  const [head] = await once(stream, "response");
  let body = "";
  for await (const chunk of stream) body += chunk;
  session.close();
  return { status: Number(head[":status"]), body };
}

describe("a server that is told to close", () => {
  it("lets the calls at work end", async () => {
    const began = Promise.withResolvers<void>();
    const may = Promise.withResolvers<void>();
    const { server, orders, context } = await serving({
      getOrder: async ({ id }) => {
        began.resolve();
        await may.promise;
        return { order: { id } };
      },
    });
    const call = orders.getOrder({ id: orderId }, context);
    await began.promise;
    const closed = server.close();
    may.resolve();
    expect((await call).order?.id).toBe(orderId);
    await closed;
    await server.close();
  });

  it.each(["HTTP/1.1", "HTTP/2"] as const)(
    "answers UNAVAILABLE over %s to a call that takes longer than it waits",
    async (version) => {
      const began = Promise.withResolvers<void>();
      const { server } = await serving({
        getOrder: async () => {
          began.resolve();
          return await new Promise(() => undefined);
        },
      });
      const headers = { "content-type": "application/json", [userTokenHeader]: `Bearer ${people.customer}` };
      const call = post(version, server.port, "/rialto.order.v1.OrderService/GetOrder", {
        headers,
        body: JSON.stringify({ id: orderId }),
      });
      await began.promise;
      const closed = server.close({ graceMs: 100 });
      const { status, body } = await call;
      expect({ status, body: JSON.parse(body) }).toMatchObject({ status: 503, body: { code: "unavailable" } });
      await closed;
    },
  );

  it("ends streams at once, with a reason to look for another replica", async () => {
    const { server, orders, context } = await serving({
      watchOrder: async function* () {
        yield { order: { version: 1 } };
        await new Promise(() => undefined);
      },
    });
    const reasons: unknown[] = [];
    try {
      for await (const _order of orders.watchOrder({ id: orderId }, context)) void server.close();
    } catch (error) {
      reasons.push(reasonOf(error));
    }
    expect(reasons).toEqual(["TEMPORARILY_UNAVAILABLE"]);
    await server.close();
  });
});

describe("a server", () => {
  it("says when its port is taken", async () => {
    const { endpoint } = createFixture(people);
    const first = await listen({ endpoint, port: 0, host: "127.0.0.1" });
    const second = listen({ endpoint, port: first.port, host: "127.0.0.1" });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
    await first.close();
  });

  it("asks `extra` first, and serves what it does not take", async () => {
    const { endpoint } = createFixture(people);
    const server = await listen({
      endpoint,
      port: 0,
      host: "127.0.0.1",
      extra: (req, res) => {
        if (req.url !== "/.well-known/jwks.json") return false;
        res.end('{"keys":[]}');
        return true;
      },
    });
    const base = `http://127.0.0.1:${server.port}`;
    expect(await (await fetch(`${base}/.well-known/jwks.json`)).json()).toEqual({ keys: [] });
    expect((await fetch(`${base}/other`)).status).toBe(501);
    await server.close();
  });

  it("says what is wrong with a request that it cannot read, as REST says it", async () => {
    const { endpoint } = createFixture(people);
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
    const socket = connect(server.port, "127.0.0.1");
    socket.write(`GET /${"a".repeat(30_000)} HTTP/1.1\r\nhost: x\r\n\r\n`);
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 431 .*\r\nx-request-id: [\w-]{36}\r\n/s);
    expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({
      code: 3,
      details: [{ reason: "INVALID_REQUEST" }],
    });
    await server.close();
  });

  it("lives on after what is no HTTP", async () => {
    const { endpoint } = createFixture(people);
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1" });
    const path = "/rialto.order.v1.OrderService/GetOrder";
    for (const text of [
      "rubbish\r\n\r\n",
      `POST ${path} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`,
      "POST http:// HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
      `POST ${path} HTTP/1.1\r\nhost: ///\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
    ]) {
      const answer = await new Promise<string>((resolve) => {
        const socket = connect(server.port, "127.0.0.1", () => socket.end(text));
        let all = "";
        socket.on("data", (chunk) => {
          all += chunk;
        });
        socket.on("close", () => resolve(all));
        socket.on("error", () => undefined);
      });
      expect(answer).not.toMatch(/ 500 /);
    }
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(501);
    await server.close();
  });
});

describe("a body that does not end at a service", () => {
  const path = "/rialto.order.v1.OrderService/GetOrder";
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n`;
  /** Sends the beginning of a request as a signed-in customer, and resolves with the status that is answered. */
  const begin = (port: number, first: string) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`${head}authorization: Bearer ${people.customer}\r\n\r\n${first}`);
    const status = new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(`${bytes}`.slice(9, 12))));
    return { status, close: () => socket.destroy() };
  };

  it("is given up where it is too slow", async () => {
    const { endpoint } = createFixture(people);
    const bodies = { pace: { ms: 50, bytesPerSecond: 1_000, msMax: 1_000 } };
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1", bodies });
    const one = begin(server.port, "{");
    expect(await one.status).toBe("504");
    one.close();
    await server.close();
  });

  it("gives way where all hold too much, the largest first, and whole ones are served", async () => {
    const { endpoint } = createFixture(people, { getOrder: async ({ id }) => ({ order: { id } }) });
    const server = await listen({ endpoint, port: 0, host: "127.0.0.1", bodies: { bytesMax: 200_000 } });
    const held = Array.from({ length: 5 }, () => begin(server.port, " ".repeat(60_000)));
    expect(await Promise.race(held.map(({ status }) => status))).toBe("503");
    const headers = { "content-type": "application/json", authorization: `Bearer ${people.customer}` };
    const body = JSON.stringify({ id: orderId });
    const whole = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST", headers, body });
    expect(whole.status).toBe(200);
    for (const { close } of held) close();
    await server.close();
  });
});

describe("serve", () => {
  it("wants a handler for every method", () => {
    expect(() => serve(OrderService, {} as never)).toThrow(/OrderService\.CreateOrder has no handler/);
  });
});
