import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { redisForTests } from "@rialto/testing";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

/** As often as a series of failovers would cut them. */
const cutsMax = 25;
const cutEveryMsMin = 300;
const cutEveryMsMax = 600;
const repeatMs = 200;

const probe = await redisForTests();
await probe?.close();

const topologies = [
  { name: "one process with jobs on Postgres", start: () => oneProcess("postgres") },
  ...(probe === undefined ? [] : [{ name: "six processes with Redis", start: sixProcesses }]),
];

describe.each(topologies)("$name whose sessions Postgres ends again and again", ({ start }) => {
  let topology: Topology;
  let client: RestClient;
  let sql: postgres.Sql;

  beforeAll(async () => {
    topology = await start();
    client = await openRestClient(topology);
    sql = postgres(topology.databaseUrl, { max: 1 });
  });

  afterAll(async () => {
    await sql?.end();
    await topology?.stop();
  });

  it("lives, and confirms every order that it accepted", async () => {
    const { token } = await client.customer();
    const product = await client.product({ stock: 1_000 });
    const placing: Promise<Json>[] = [];
    for (let cut = 0; cut < cutsMax; cut += 1) {
      placing.push(repeated(() => client.order(token, product, { key: keys[cut] ?? "" })));
      await sleep(cutEveryMsMin + (cutEveryMsMax - cutEveryMsMin) * Math.random());
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid()`;
    }
    const orders = await Promise.all(placing);
    for (const { id } of orders) {
      const settled = await repeated(() => client.settled(token, id));
      expect(settled).toMatchObject({ id, status: "CONFIRMED" });
    }
    expect(
      (await client.call("GET", "/api/dead-letters", { token: client.adminToken })).body.deadLetters ?? [],
    ).toEqual([]);
    expect(topology.ended()).toEqual([]);
  }, 240_000);
});

/** A key for each order, so that a retry after a lost response does not place it twice. */
const keys = Array.from({ length: cutsMax }, () => randomUUID());

/** Retries until it is answered, like a client. The test's own timeout bounds it. */
async function repeated<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(repeatMs);
    }
  }
}
