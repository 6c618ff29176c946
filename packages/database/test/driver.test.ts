import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { connect, type Sql } from "../src/connection.ts";
import { type CuttingProxy, createCuttingProxy } from "./support/cutting-proxy.ts";

// The driver is postgres.js with what third_party/postgres/README.md lists: a test for each line of it. As published, most of these
// end the process, which fails the run and not the test.
describe("a lost connection", () => {
  let proxy: CuttingProxy;
  let sql: Sql;
  beforeEach(async () => {
    proxy = await createCuttingProxy(inject("adminUrl"));
    sql = connect(proxy.url, { max: 1 });
  });
  afterEach(async () => {
    await sql.end({ timeout: 1 });
    await proxy.close();
  });

  it("fails the transaction that was on it, and nothing else", async () => {
    const lost = sql.begin(async (tx) => {
      await tx`select 1`;
      proxy.cut();
      await tx`select pg_sleep(5)`;
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
  });

  it("is told to a transaction that goes on without having noticed", async () => {
    const lost = sql.begin(async (tx) => {
      await tx`select 1`;
      proxy.cut();
      await sleep(100);
      await tx`select ${1}::int`;
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
  });

  it("leaves nothing of what was written to the next connection", async () => {
    await sql`select 1`;
    proxy.cut();
    // Written while the close is on its way, in every phase of the event loop that it may come in.
    const written = [sql`select 1`, new Promise((resolve) => setImmediate(() => resolve(sql`select 1`)))];
    await Promise.allSettled(written);
    expect(await sql`select 3 as n`).toEqual([{ n: 3 }]);
  });
});

describe("a connection that falls silent", () => {
  let proxy: CuttingProxy;
  let sql: Sql;
  async function open(answerMsMax: number) {
    proxy = await createCuttingProxy(inject("adminUrl"));
    sql = connect(proxy.url, { max: 1, answerMsMax });
    // The connection is there: what comes next goes over it.
    await sql`select 1`;
  }
  afterEach(async () => {
    await sql.end({ timeout: 1 });
    await proxy.close();
  });
  const pid = async (by: Pick<Sql, "unsafe">) => (await by.unsafe("select pg_backend_pid() as pid"))[0]?.pid;

  it("is given up with all that waits for its answer, and another one is made", async () => {
    await open(2_000);
    proxy.silence();
    const lost = await Promise.allSettled([sql`select 1`, sql`select ${2}::int`]);
    expect(lost).toMatchObject([{ reason: { code: "CONNECTION_CLOSED" } }, { reason: { code: "CONNECTION_CLOSED" } }]);
    expect(await sql`select 3 as n`).toEqual([{ n: 3 }]);
  });

  it("is given up also while more and more is written to it", async () => {
    await open(2_000);
    proxy.silence();
    let answered = false;
    const first = sql`select 1`.catch((error: unknown) => {
      answered = true;
      return error;
    });
    let written = 0;
    while (!answered) {
      sql`select 1`.catch(() => undefined);
      written += 1;
      await sleep(50);
    }
    expect(await first).toMatchObject({ code: "CONNECTION_CLOSED" });
    // The driver writes 100 queries to one connection before it holds back: then the silence would be complete.
    expect(written).toBeLessThan(100);
  });

  it("fails the transaction that waits on it, and nothing else", async () => {
    await open(2_000);
    const lost = sql.begin(async (tx) => {
      await tx`select 1`;
      proxy.silence();
      await tx`select 1`;
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
  });

  it("is kept while it owes no answer: idle, or between two statements of a transaction", async () => {
    await open(2_000);
    const first = await pid(sql);
    await sleep(3_000);
    const [before, after] = await sql.begin(async (tx) => {
      const before = await pid(tx);
      await sleep(3_000);
      return [before, await pid(tx)];
    });
    expect([before, after]).toEqual([first, first]);
  });

  it("is kept while it listens and nothing is to be heard", async () => {
    await open(2_000);
    const { state } = await sql.listen("quiet", () => undefined);
    await sleep(3_000);
    expect(await sql`select pid from pg_stat_activity where pid = ${state.pid}`).toEqual([{ pid: state.pid }]);
  });

  it("is kept while an answer goes on arriving, however long that takes", async () => {
    await open(2_000);
    // Each row is more than the server gathers before it sends.
    const rows = await sql`select repeat('x', 10000) as x, pg_sleep(0.1)::text from generate_series(1, 30)`;
    expect(rows).toHaveLength(30);
  });

  it("is waited for where no bound is said: for the tasks of an administrator", async () => {
    await open(2_000);
    await sql.end();
    sql = connect(proxy.url, { max: 1 });
    expect(await sql`select pg_sleep(3)::text as slept`).toEqual([{ slept: "" }]);
  });
});

describe("a server that is not ready", () => {
  it("that closes politely is told to who asked for a connection", async () => {
    const proxy = await createCuttingProxy(inject("adminUrl"));
    proxy.refuse("close");
    const sql = connect(proxy.url, { max: 1 });
    await expect(sql`select 1`).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    proxy.refuse("not");
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
    await sql.end();
    await proxy.close();
  });

  it("that dies between the handshake and the array types fails that one query", async () => {
    const server = await serverThatDiesAfterHandshake();
    const sql = connect(`postgres://rialto@127.0.0.1:${server.port}/postgres`, { max: 1 });
    await expect(sql`select 1`).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    await expect(sql`select 1`).rejects.toMatchObject({ code: "57P03" });
    await sql.end({ timeout: 1 });
    server.close();
  });
});

/** Answers its first client as ready and closes on it; tells all later ones that it is starting up. */
async function serverThatDiesAfterHandshake() {
  let clients = 0;
  const server = createServer((socket: Socket) => {
    clients += 1;
    const first = clients === 1;
    socket.on("error", () => undefined);
    socket.once("data", () => {
      if (!first) {
        socket.end(message("E", "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"));
        return;
      }
      // AuthenticationOk, ReadyForQuery.
      socket.write(Buffer.concat([message("R", "\0\0\0\0"), message("Z", "I")]));
      socket.once("data", () => socket.end());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // It listens on TCP, so it has an address with a port.
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(body, "latin1");
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

describe("a driver as published", () => {
  it("is refused, and the way to mend it named", async () => {
    vi.resetModules();
    vi.doMock("postgres", () => ({ default: Object.assign(() => undefined, { BigInt: {} }) }));
    const { connect } = await import("../src/connection.ts");
    expect(() => connect("postgres://localhost", { max: 1 })).toThrow(/npm run postinstall/);
    vi.doUnmock("postgres");
  });
});
