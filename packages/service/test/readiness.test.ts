import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type Database, openDatabase } from "@rialto/database";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReadiness } from "../src/readiness.ts";

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
    wire.mend();
    await expect.poll(readiness, patience).toEqual(ready);
  });

  it("does not hang with a database that says nothing, and is there again when it speaks", async () => {
    const readiness = open();
    expect(await readiness()).toEqual(ready);
    wire.silence();
    await expect.poll(readiness, patience).toEqual(unanswered);
    wire.mend();
    await expect.poll(readiness, patience).toEqual(ready);
  });

  it("asks its database once for many who ask at once", async () => {
    let questions = 0;
    const counted = new Proxy(pool.sql, {
      apply(sql, self, args) {
        questions += 1;
        return Reflect.apply(sql, self, args);
      },
    });
    const readiness = open({ schema: "order", sql: counted });
    await Promise.all(Array.from({ length: 100 }, readiness));
    expect(questions).toBe(1);
  });
});

function open(of: Pick<Database, "schema" | "sql"> = pool) {
  const registrar = { waiting: () => [] };
  return createReadiness({ databases: [of], registrar, stopping: new AbortController().signal });
}

interface Wire {
  readonly port: number;
  /** Breaks every connection off, and takes no more. */
  cut(): void;
  /** Keeps every connection, and lets nothing through. */
  silence(): void;
  mend(): void;
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
    mend() {
      isCut = false;
      for (const socket of sockets) socket.resume();
    },
    close() {
      destroyAll();
      server.close();
    },
  };
}
