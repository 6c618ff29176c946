import { type MovingName, movingName, redisForTests, type TestRedis } from "@rialto/testing";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { meaningOfRedis } from "../src/queue/redis.ts";
import { effectsOf, type Fixture, notes, openFixture, redis, until } from "./fixture.ts";

const sorted = (ids: readonly string[]) => [...ids].sort();

describe.runIf(redis !== undefined)("a Redis that is demoted while its connections stay open", () => {
  let primary: TestRedis;
  let replica: TestRedis;
  let name: MovingName;
  let fixture: Fixture;

  beforeAll(async () => {
    [primary, replica] = await Promise.all([startRedis(), startRedis()]);
    const of = new Redis(replica.url);
    await of.replicaof("127.0.0.1", String(primary.port));
    await until("the replica follows", async () => (await of.info("replication")).includes("master_link_status:up"));
    of.disconnect();
    name = await movingName(primary.port);
    fixture = await openFixture("redis", `redis://127.0.0.1:${name.port}`);
  });
  afterAll(async () => {
    await fixture?.stop();
    await name?.close();
    await Promise.all([primary?.close(), replica?.close(), redis?.close()]);
  });

  it("is left for the new primary by those who add jobs and by those who take them, within seconds and both ways", async () => {
    const relay = fixture.relay();
    await fixture.subscription("swapped", notes("swapped"));
    const ids = [...(await fixture.publishMany(20))];
    relay.wake();
    await until("all had their effect", async () => (await effectsOf(fixture.desk, "swapped")).length === ids.length);
    for (const [from, to] of [
      [primary, replica],
      [replica, primary],
    ] as const) {
      await swap(from, to);
      const swappedAt = performance.now();
      name.move(to.port);
      ids.push(...(await fixture.publishMany(20)));
      relay.wake();
      await until("all had their effect", async () => (await effectsOf(fixture.desk, "swapped")).length >= ids.length);
      const seconds = (performance.now() - swappedAt) / 1_000;
      process.stderr.write(
        `Redis swapped, connections left open: events had their effect ${seconds.toFixed(1)} s after\n`,
      );
    }
    await fixture.settled();
    expect(sorted(await effectsOf(fixture.desk, "swapped"))).toEqual(sorted(ids));
    // Nothing was put aside or tried again as if the events were at fault.
    expect(await fixture.desk.sql`select 1 from inbox_pending`).toHaveLength(0);
  });
});

describe("what Redis says", () => {
  it.each([
    ["READONLY You can't write against a read only replica.", "all dropped"],
    [
      "ERR Error running script: @user_script: 1: -READONLY You can't write against a read only replica.",
      "all dropped",
    ],
    ["UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", "all dropped"],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "all dropped"],
    ["NOAUTH Authentication required.", "all dropped"],
    ["WRONGPASS invalid username-password pair or user is disabled.", "all dropped"],
    ["LOADING Redis is loading the dataset in memory", "kept"],
    ["CLUSTERDOWN The cluster is down", "kept"],
    ["OOM command not allowed when used memory > 'maxmemory'.", "kept"],
    ["MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", "kept"],
    ["BUSY Redis is busy running a script.", "kept"],
    ["ERR max number of clients reached", "kept"],
    ["Connection is closed.", "dropped"],
    ["Command timed out", "dropped"],
  ])("%s is an outage, its connection %s", (text, connection) => {
    expect(meaningOfRedis(new Error(text))).toMatchObject({ again: "uncounted", connection, server: "ready" });
  });

  it("is a defect where it is none of these", () => {
    expect(
      meaningOfRedis(new Error("WRONGTYPE Operation against a key holding the wrong kind of value")),
    ).toBeUndefined();
  });
});

async function startRedis(): Promise<TestRedis> {
  const started = await redisForTests();
  if (started === undefined) throw new Error("there is no redis-server");
  return started;
}

/** Makes `to` the primary of `from`, once it has all that `from` has. */
async function swap(from: TestRedis, to: TestRedis): Promise<void> {
  const [before, after] = [new Redis(from.url), new Redis(to.url)];
  await before.wait(1, 5_000);
  await after.replicaof("NO", "ONE");
  await before.replicaof("127.0.0.1", String(to.port));
  before.disconnect();
  after.disconnect();
}
