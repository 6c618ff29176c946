import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { isOutage } from "@rialto/database";
import { createJobs } from "@rialto/events";
import { type TestDatabase, testDatabase } from "@rialto/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PgClient } from "../src/queue/pg-client.ts";

describe("PgClient", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase({ schemas: [], jobs: true });
  });
  afterAll(() => database.close());

  it("has a listener for its error when its session is ended while it is acquired", async () => {
    const pool = new pg.Pool({ Client: PgClient, connectionString: database.adminUrl });
    pool.on("error", () => undefined);
    const lent = await pool.connect();
    // Adds none of its own, or takes away all there are: both are what BullMQ does.
    const stripped = await pool.connect();
    stripped.removeAllListeners();
    await endSessions(database, [lent, stripped]);
    expect(lent).toMatchObject({ failure: { code: "57P01" } });
    expect(stripped).toMatchObject({ failure: { code: "57P01" } });
    lent.release(true);
    stripped.release(true);
    await pool.end();
  });

  it("is not acquired when the server ends the session as it begins", async () => {
    const server = await serverThatEndsSessions();
    const jobs = await createJobs({
      postgresUrl: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`,
    });
    const failure = await jobs.add("queue", [{ id: "1", data: [] }]).catch((error: unknown) => error);
    expect(isOutage(failure)).toBe(true);
    await jobs.close();
    server.close();
  });
});

async function endSessions(database: TestDatabase, clients: readonly pg.PoolClient[]): Promise<void> {
  const pids = await Promise.all(
    clients.map(async (client) => (await client.query("select pg_backend_pid() as pid")).rows[0].pid as number),
  );
  // Not `once` of node:events, which would listen for errors.
  const ended = Promise.all(clients.map((client) => new Promise<void>((resolve) => client.once("end", resolve))));
  await database.sql`select pg_terminate_backend(pid) from unnest(${pids}::int[]) as pid`;
  await ended;
}

/** Says in one packet that the session is open and that an administrator ended it. */
async function serverThatEndsSessions(): Promise<Server> {
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type, "latin1");
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const fields = "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0";
  const packet = Buffer.concat([
    message("R", Buffer.alloc(4)),
    message("Z", Buffer.from("I")),
    message("E", Buffer.from(fields)),
  ]);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(packet));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
