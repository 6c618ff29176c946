import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type Database, openDatabase } from "@rialto/database";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReadiness } from "../src/process/readiness.ts";

let database: TestDatabase;
let wire: Wire;
let pool: Database;

beforeEach(async () => {
  database = await testDatabase({ schemas: [] });
  wire = await layWire(Number(new URL(database.adminUrl).port));
  const url = new URL(database.adminUrl);
  url.hostname = "127.0.0.1";
  url.port = String(wire.port);
  pool = openDatabase({ url: url.href, schema: "order", service: "order" });
});

afterEach(async () => {
  await pool.close();
  wire.close();
  await database.close();
});

const ready = { isStopping: false, waiting: [] };
const unanswered = { isStopping: false, waiting: ["answer of the database of order"] };
const patience = { interval: 100 };

describe("a service's readiness", () => {
  it("waits for its database when that goes away, and is there again when it is back", async () => {
    const readiness = open();
    expect(await readiness()).toEqual(ready);
    wire.cut();
    await expect.poll(readiness, patience).toEqual(unanswered);
    wire.restore();
    await expect.poll(readiness, patience).toEqual(ready);
  });

  it("does not hang with a database that says nothing, and is there again when it speaks", async () => {
    const readiness = open();
    expect(await readiness()).toEqual(ready);
    wire.silence();
    await expect.poll(readiness, patience).toEqual(unanswered);
    wire.restore();
    await expect.poll(readiness, patience).toEqual(ready);
  });

  it("is gone while its server is read-only, and writes nothing to find that out", async () => {
    const readiness = open();
    expect(await readiness()).toEqual(ready);
    const name = new URL(database.adminUrl).pathname.slice(1);
    await database.sql`alter database ${database.sql(name)} set default_transaction_read_only = on`;
    // Sessions that are open keep what they began with, as those on a primary that was demoted without being restarted.
    await database.sql`
      select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`;
    await expect.poll(readiness, patience).toEqual({ ...ready, waiting: ["a database of order that takes writes"] });
    await database.sql`alter database ${database.sql(name)} reset default_transaction_read_only`;
    // Nothing cuts its connections now: it makes itself new ones.
    await expect.poll(readiness, { ...patience, timeout: 10_000 }).toEqual(ready);
  }, 30_000);

  it("is gone while every write fails as an outage", async () => {
    let failing = false;
    const readiness = open({ ...pool, writes: { ...pool.writes, areFailing: () => failing } });
    expect(await readiness()).toEqual(ready);
    failing = true;
    expect(await readiness()).toEqual({ ...ready, waiting: ["a write to the database of order that succeeds"] });
  });

  it("asks its database once for many who ask at once", async () => {
    let questions = 0;
    const counted = new Proxy(pool.sql, {
      apply(sql, self, args) {
        questions += 1;
        return Reflect.apply(sql, self, args);
      },
    });
    const readiness = open({ ...pool, sql: counted });
    await Promise.all(Array.from({ length: 100 }, readiness));
    expect(questions).toBe(1);
  });
});

function open(of: Database = pool) {
  const registrar = { waiting: () => [] };
  return createReadiness({ databases: [of], registrar, stopping: new AbortController().signal });
}

interface Wire {
  readonly port: number;
  /** Breaks every connection off, and takes no more. */
  cut(): void;
  /** Keeps every connection, and lets nothing through. */
  silence(): void;
  restore(): void;
  close(): void;
}

async function layWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(target, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one
        .on("error", () => undefined)
        .once("close", () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut() {
      isCut = true;
      destroyAll();
    },
    silence() {
      for (const socket of sockets) socket.pause();
    },
    restore() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    close() {
      destroyAll();
      server.close();
    },
  };
}
