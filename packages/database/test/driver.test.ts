import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { connect, type Sql } from "../src/connection/connection.ts";
import { type CuttingProxy, createCuttingProxy } from "./support/cutting-proxy.ts";

// The driver is postgres.js with the patches that third_party/postgres/README.md lists: a test for each. As published,
// most of these end the process, which fails the run and not the test.
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

  it("fails a transaction that goes on without having noticed", async () => {
    const lost = sql.begin(async (tx) => {
      await tx`select 1`;
      proxy.cut();
      await sleep(100);
      await tx`select ${1}::int`;
    });
    // A cut that comes late on a busy machine is seen by the write, as a reset.
    await expect(lost).rejects.toMatchObject({ code: expect.stringMatching(/^(CONNECTION_CLOSED|ECONNRESET)$/) });
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

describe("connections that are renewed", () => {
  let sql: Sql;
  const codes: string[] = [];
  beforeEach(() => {
    codes.length = 0;
    sql = connect(inject("adminUrl"), { max: 2, onFailure: (code) => codes.push(code) });
  });
  afterEach(() => sql.end({ timeout: 1 }));
  // Of our patch: the driver's own types do not know it.
  const renew = () => Reflect.get(sql, "renew" as string)();
  const pid = async () => (await sql`select pg_backend_pid() as pid`)[0]?.pid;

  it("end once what they were given is answered, and what comes next is on new ones", async () => {
    const idle = await pid();
    const began = Promise.withResolvers<void>();
    const transaction = sql.begin(async (tx) => {
      const [first] = await tx`select pg_backend_pid() as pid`;
      began.resolve();
      await tx`select pg_sleep(0.2)`;
      const [second] = await tx`select pg_backend_pid() as pid`;
      return [first?.pid, second?.pid];
    });
    await began.promise;
    renew();
    const next = await pid();
    const [first, second] = await transaction;
    expect(second).toBe(first);
    expect([idle, first]).not.toContain(next);
    // Each place of the pool is of use after it.
    renew();
    const both = await Promise.all([sql`select pg_sleep(0.1)`, sql`select pg_sleep(0.1)`, pid()]);
    expect(both).toHaveLength(3);
  });

  it("are renewed before any was made, and none is lost by it", async () => {
    renew();
    expect(await Promise.all([sql`select 1 as n`, sql`select 2 as n`, sql`select 3 as n`])).toHaveLength(3);
  });

  it("tell the code of what the server refuses", async () => {
    await expect(sql.begin("read only", (tx) => tx`create table not_here (n integer)`)).rejects.toMatchObject({
      code: "25006",
    });
    expect(codes).toEqual(["25006"]);
  });
});

describe("a server that does not let us in", () => {
  it("is asked again after growing waits", async () => {
    const url = new URL(inject("adminUrl"));
    url.password = "not the password";
    const tries: number[] = [];
    const backoff = vi.fn((retries: number) => {
      tries.push(retries);
      return 0;
    });
    const sql = postgres(url.href, { max: 1, backoff: backoff as never, onnotice: () => undefined });
    for (let n = 0; n < 3; n += 1) await expect(sql`select 1`).rejects.toMatchObject({ code: "28P01" });
    await expect.poll(() => tries).toEqual([1, 2, 3]);
    await sql.end();
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
  it("is refused, and the command that installs the patched one is named", async () => {
    vi.resetModules();
    vi.doMock("postgres", () => ({ default: Object.assign(() => undefined, { BigInt: {} }) }));
    const { connect } = await import("../src/connection/connection.ts");
    expect(() => connect("postgres://localhost", { max: 1 })).toThrow(/npm ci/);
    vi.doUnmock("postgres");
  });
});

const { tarball }: { tarball: string } = JSON.parse(
  readFileSync(new URL("../../../third_party/postgres/upstream.json", import.meta.url), "utf8"),
);

describe("the installed driver", () => {
  const require = createRequire(import.meta.url);

  it("is one copy, which Drizzle imports too", () => {
    const lock: { packages: Record<string, { version?: string; resolved?: string; integrity?: string }> } = JSON.parse(
      readFileSync(new URL("../../../package-lock.json", import.meta.url), "utf8"),
    );
    const copies = Object.entries(lock.packages).filter(([path]) => /(^|\/)node_modules\/postgres$/.test(path));
    expect(copies).toMatchObject([["node_modules/postgres", { resolved: `file:third_party/postgres/${tarball}` }]]);
    const drizzle = createRequire(require.resolve("drizzle-orm/postgres-js"));
    expect(drizzle.resolve("postgres")).toBe(require.resolve("postgres"));
  });

  it("is of the tarball that is checked in", () => {
    const manifest: { version: string } = JSON.parse(
      readFileSync(join(dirname(require.resolve("postgres")), "../../package.json"), "utf8"),
    );
    expect(tarball).toBe(`postgres-${manifest.version}.tgz`);
    expect(postgres.patched).toBe(true);
  });
});
