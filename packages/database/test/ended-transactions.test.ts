import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { connect, type Sql } from "../src/connection/connection.ts";
import { type CuttingProxy, createCuttingProxy } from "./support/cutting-proxy.ts";

// What the patch "ended transactions" of the driver is for. See third_party/postgres/README.md.

describe("a transaction that is over and goes on", () => {
  let proxy: CuttingProxy;
  let sql: Sql;
  beforeEach(async () => {
    proxy = await createCuttingProxy(inject("adminUrl"));
    sql = connect(proxy.url, { max: 1 });
    await sql`drop table if exists driver_note`;
    await sql`create table driver_note (text text)`;
  });
  afterEach(async () => {
    await sql`drop table driver_note`;
    await sql.end({ timeout: 1 });
    await proxy.close();
  });
  const notes = async () => (await sql<{ text: string }[]>`select text from driver_note`).map(({ text }) => text);

  it("writes nothing to the next connection of its slot", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    let late: Promise<unknown> | undefined;
    const lost = sql.begin(async (tx) => {
      await tx`insert into driver_note values ('before')`;
      proxy.cut();
      await goOn;
      late = tx`insert into driver_note values ('after')`.execute();
      await late;
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await notes()).toEqual([]);
    resolve();
    await vi.waitFor(() => expect(late).toBeDefined());
    await expect(late).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await notes()).toEqual([]);
  });

  it("rolls back no other transaction", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    const lost = sql.begin(async (tx) => {
      await tx`select 1`;
      proxy.cut();
      await goOn;
      throw new Error("given up");
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    await sql.begin(async (tx) => {
      await tx`insert into driver_note values ('one')`;
      resolve();
      await sleep(50);
      await tx`insert into driver_note values ('two')`;
    });
    expect(await notes()).toEqual(["one", "two"]);
  });

  it("writes nothing from a branch that is late for its rollback", async () => {
    const { promise: goOn, resolve } = Promise.withResolvers<void>();
    let branch: Promise<unknown> | undefined;
    const failed = sql.begin(async (tx) => {
      branch = goOn.then(() => tx`insert into driver_note values ('late')`);
      await tx`insert into driver_note values ('early')`;
      throw new Error("given up");
    });
    await expect(failed).rejects.toThrow("given up");
    resolve();
    await expect(branch).rejects.toMatchObject({ code: "TRANSACTION_ENDED" });
    expect(await notes()).toEqual([]);
  });

  it("writes nothing from a branch that comes while the rollback is on its way", async () => {
    let branch: Promise<unknown> | undefined;
    const failed = sql.begin(async (tx) => {
      await tx`select 1`;
      // A few microtasks later than the rollback, and long before its answer.
      branch = later(20).then(() => tx`insert into driver_note values ('late')`);
      branch.catch(() => undefined);
      throw new Error("given up");
    });
    await expect(failed).rejects.toThrow("given up");
    await expect(branch).rejects.toMatchObject({ code: "TRANSACTION_ENDED" });
    expect(await notes()).toEqual([]);
  });

  it("is told of every query that it still has in hand, whatever it waits for", async () => {
    const codes: unknown[] = [];
    const lost = sql.begin(async (tx) => {
      // The second is in the queue of the transaction, as the first is described before it runs.
      const both = [tx`select pg_sleep(${2})::text`, tx`select ${2}::int`].map((query) => query.execute());
      setTimeout(() => proxy.cut(), 200);
      for (const one of await Promise.allSettled(both)) codes.push(one.status === "rejected" && one.reason.code);
    });
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    await vi.waitFor(() => expect(codes).toEqual(["CONNECTION_CLOSED", "CONNECTION_CLOSED"]));
  });
});

describe("an idle connection that breaks", () => {
  it("rejects what it is given between its error and its close", async () => {
    const proxy = await createCuttingProxy(inject("adminUrl"));
    const { hostname, port } = new URL(proxy.url);
    let given: Promise<unknown> | undefined;
    const sql: postgres.Sql = postgres(proxy.url, {
      max: 1,
      // The types do not have the function that the driver takes.
      socket: async () => {
        const socket = connectSocket(Number(port), hostname);
        await once(socket, "connect");
        socket.once("error", () =>
          setImmediate(() => {
            given = sql`select 1`.execute();
            given.catch(() => undefined);
          }),
        );
        return socket;
      },
    } as postgres.Options<Record<string, postgres.PostgresType>>);
    await sql`select 1`;
    proxy.reset();
    await vi.waitFor(() => expect(given).toBeDefined());
    await expect(given).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
    await sql.end({ timeout: 1 });
    await proxy.close();
  });
});

/** Resolves after some turns of the queue of microtasks. */
async function later(microtasks: number): Promise<void> {
  for (let n = 0; n < microtasks; n += 1) await undefined;
}
